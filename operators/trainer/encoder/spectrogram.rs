//! The front-end: audio to a mel spectrogram, on the device.

use etude_learning::encoder::{Compress, Spectrogram, Standardise};
use tch::{Device, Kind, Tensor};

/// Added to a mel band's power before the logarithm.
const FLOOR: f64 = 1e-6;
/// Added to a clip's standard deviation before the division.
const SPREAD_FLOOR: f64 = 1e-5;

/// A mel spectrogram. Its tensors are constants: neither trained nor kept with the weights.
#[derive(Debug)]
pub struct Mel {
    /// `[n_fft]`.
    window: Tensor,
    /// Mel weights of the squares of the spectrum's parts, `[2 · bins, n_mels]`.
    filterbank: Tensor,
    parameters: Spectrogram,
}

impl Clone for Mel {
    fn clone(&self) -> Self {
        Self {
            window: self.window.shallow_clone(),
            filterbank: self.filterbank.shallow_clone(),
            parameters: self.parameters.clone(),
        }
    }
}

impl Mel {
    /// The front-end that `parameters` describe, for audio of `rate` samples a second.
    pub fn new(parameters: &Spectrogram, rate: u32, device: Device) -> Self {
        let mel = parameters.mel();
        let bins = (mel.n_fft / 2 + 1) as i64;
        let filterbank = Tensor::from_slice(&etude_audio::mel::filterbank(&mel, rate));
        let filterbank = filterbank.reshape([mel.n_mels as i64, bins]).transpose(0, 1);
        // Squares of real and imaginary parts lie side by side: each weight twice, and the product adds them.
        let filterbank = filterbank.repeat_interleave_self_int(2, 0, None).contiguous();
        Self {
            window: Tensor::from_slice(&etude_audio::mel::window(&mel)).to_device(device),
            filterbank: filterbank.to_device(device),
            parameters: parameters.clone(),
        }
    }

    /// Audio `[batch, samples]` to `[batch, n_mels, frames]`. No gradient flows through.
    pub fn forward(&self, audio: &Tensor) -> Tensor {
        tch::no_grad(|| {
            let Spectrogram { n_fft, hop, .. } = self.parameters;
            let frames = audio.unfold(1, n_fft as i64, hop as i64) * &self.window;
            let parts = frames.fft_rfft(None, -1, "backward").view_as_real().flatten(2, 3);
            let bands = parts.square().matmul(&self.filterbank).transpose(1, 2);
            let bands = match self.parameters.compress {
                Compress::Log => (bands + FLOOR).log(),
                Compress::Log10 => (bands * 1e4 + 1.0).log10(),
                Compress::None => bands,
            };
            match self.parameters.standardise {
                Standardise::Clip => standardised(&bands),
                Standardise::None => bands.contiguous(),
            }
        })
    }
}

/// Each clip of `[batch, n_mels, frames]` minus its mean, over its population standard deviation.
fn standardised(bands: &Tensor) -> Tensor {
    let both = [1i64, 2].as_slice();
    let centred = bands - bands.mean_dim(both, true, Kind::Float);
    let deviation = centred.square().mean_dim(both, true, Kind::Float).sqrt();
    centred / (deviation + SPREAD_FLOOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_no_gradient_and_leaves_the_parameters_their_choice() {
        let audio = Tensor::from_slice(&(0..2048).map(|t| (0.1 * t as f32).sin()).collect::<Vec<_>>());
        let audio = audio.reshape([1, 2048]).set_requires_grad(true);
        let bands = |compress, standardise| {
            let parameters = Spectrogram {
                n_fft: 256,
                hop: 128,
                n_mels: 8,
                compress,
                standardise,
                ..Spectrogram::default()
            };
            let bands = Mel::new(&parameters, 8000, Device::Cpu).forward(&audio);
            assert!(!bands.requires_grad());
            assert_eq!(bands.size(), [1, 8, 15]);
            Vec::<f32>::try_from(bands.flatten(0, -1)).unwrap()
        };
        let power = bands(Compress::None, Standardise::None);
        let log = bands(Compress::Log, Standardise::None);
        let log10 = bands(Compress::Log10, Standardise::None);
        for ((power, log), log10) in power.iter().zip(&log).zip(&log10) {
            assert!(((power + 1e-6).ln() - log).abs() < 1e-4);
            assert!(((1e4 * power + 1.0).log10() - log10).abs() < 1e-4);
        }
        let even = bands(Compress::Log, Standardise::Clip);
        assert!(even.iter().sum::<f32>().abs() < 1e-2);
    }
}
