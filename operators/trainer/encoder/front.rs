//! The fixed front-end: audio to a standardised log-mel spectrogram.

use std::f64::consts::TAU;

use burn::module::Module;
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};

/// Added to a mel band's power before the logarithm.
const FLOOR: f64 = 1e-6;
/// Added to a clip's standard deviation before the division.
const SPREAD_FLOOR: f64 = 1e-5;

/// Log-mel spectrogram with mean 0 and deviation 1 a clip. Its tensors are constants: neither trained
/// nor stored with the weights.
#[derive(Module, Debug)]
pub struct LogMel {
    /// The windowed Fourier transform, `[2·bins, 1, n_fft]`: cosines, then negated sines.
    transform: Tensor<3>,
    /// Mel weights of the power spectrum, `[1, n_mels, bins]`.
    filterbank: Tensor<3>,
    /// Samples from one frame to the next.
    hop: usize,
}

impl LogMel {
    /// The front-end that `mel` describes, for audio of `rate` samples a second.
    pub fn new(mel: &etude_audio::mel::Mel, rate: u32, device: &Device) -> Self {
        let window = etude_audio::mel::window(mel);
        let filterbank = etude_audio::mel::filterbank(mel, rate);
        Self::from_host(&window, filterbank, mel.hop, device)
    }

    /// The front-end with that window (n_fft values) and filterbank (`[n_mels, n_fft/2 + 1]`, row-major).
    pub fn from_host(window: &[f32], filterbank: Vec<f32>, hop: usize, device: &Device) -> Self {
        let device = device.clone().without_autodiff();
        let bins = window.len() / 2 + 1;
        let bands = filterbank.len() / bins;
        let transform = TensorData::new(fourier(window), [2 * bins, 1, window.len()]);
        let filterbank = TensorData::new(filterbank, [1, bands, bins]);
        Self {
            transform: Tensor::from_data(transform, &device),
            filterbank: Tensor::from_data(filterbank, &device),
            hop,
        }
    }

    /// Audio `[batch, samples]` to `[batch, 1, n_mels, frames]`; frames = 1 + (samples − n_fft)/hop, without
    /// padding, so a clip must hold at least one window. No gradient flows through.
    pub fn forward(&self, audio: Tensor<2>) -> Tensor<4> {
        // `Module::train` gives constants gradients too, hence `inner` at every use.
        let audio = audio.inner().unsqueeze_dim::<3>(1);
        let transform = self.transform.clone().inner();
        let filterbank = self.filterbank.clone().inner();
        let [_, _, bins] = filterbank.dims();

        let spectrum = conv1d(audio, transform, None, ConvOptions::new([self.hop], [0], [1], 1));
        let real = spectrum.clone().narrow(1, 0, bins);
        let imaginary = spectrum.narrow(1, bins, bins);
        let power = real.square() + imaginary.square();
        let bands = filterbank.matmul(power).add_scalar(FLOOR).log();
        standardise(bands).unsqueeze_dim::<4>(1)
    }
}

/// Each clip of `[batch, n_mels, frames]` minus its mean, over its population standard deviation.
fn standardise(bands: Tensor<3>) -> Tensor<3> {
    let centred = bands.clone() - bands.mean_dims(&[1, 2]);
    let deviation = centred.clone().square().mean_dims(&[1, 2]).sqrt();
    centred / deviation.add_scalar(SPREAD_FLOOR)
}

/// Rows of the real discrete Fourier transform, each times the window: `[2·bins, n_fft]`, row-major.
fn fourier(window: &[f32]) -> Vec<f32> {
    let length = window.len();
    let rows = |wave: fn(f64) -> f64| {
        (0..=length / 2).flat_map(move |bin| {
            window.iter().enumerate().map(move |(sample, gain)| {
                // Whole turns are taken off as integers: a large angle would cost digits.
                let turn = ((bin * sample) % length) as f64 / length as f64;
                (f64::from(*gain) * wave(TAU * turn)) as f32
            })
        })
    };
    rows(f64::cos).chain(rows(|angle: f64| -angle.sin())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu;

    /// A plain f64 transform of one clip, bin by bin, with a filterbank that passes every bin.
    fn reference(window: &[f32], audio: &[f32], hop: usize) -> Vec<f64> {
        let length = window.len();
        let frames = 1 + (audio.len() - length) / hop;
        let mut logs = Vec::new();
        for bin in 0..=length / 2 {
            for frame in 0..frames {
                let (mut real, mut imaginary) = (0.0, 0.0);
                for sample in 0..length {
                    let value = f64::from(window[sample]) * f64::from(audio[frame * hop + sample]);
                    let angle = TAU * (bin * sample) as f64 / length as f64;
                    real += value * angle.cos();
                    imaginary -= value * angle.sin();
                }
                logs.push((real * real + imaginary * imaginary + FLOOR).ln());
            }
        }
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / logs.len() as f64;
        logs.iter().map(|log| (log - mean) / (variance.sqrt() + SPREAD_FLOOR)).collect()
    }

    #[test]
    fn is_the_log_power_spectrum() {
        let window: Vec<f32> =
            (0..16).map(|sample| 0.5 - 0.5 * (TAU * f64::from(sample) / 16.0).cos() as f32).collect();
        let audio: Vec<f32> =
            (0..80).map(|sample| f64::from(sample * sample * sample).sin() as f32).collect();
        let (first, second) = (reference(&window, &audio[..40], 8), reference(&window, &audio[40..], 8));
        let every_bin: Vec<f32> = (0..81).map(|entry| if entry % 10 == 0 { 1.0 } else { 0.0 }).collect();

        let front = LogMel::from_host(&window, every_bin, 8, &cpu());
        let bands = front.forward(Tensor::from_data(TensorData::new(audio, [2, 40]), &cpu()));

        assert_eq!(bands.dims(), [2, 1, 9, 4]);
        let bands = bands.try_into_vec_as::<f32>().unwrap();
        for (ours, theirs) in bands.iter().zip(first.iter().chain(&second)) {
            assert!((f64::from(*ours) - theirs).abs() < 1e-3, "{ours} {theirs}");
        }
    }

    #[test]
    fn carries_no_gradient() {
        let device = cpu().autodiff();
        let front = LogMel::from_host(&[1.0; 16], vec![0.1; 36], 8, &device).valid().train();
        assert!(!front.forward(Tensor::ones([1, 40], &device)).is_autodiff());
    }
}
