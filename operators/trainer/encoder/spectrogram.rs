//! The front-end: audio to a mel spectrogram, on the device. `etude_audio::mel` does the same in the data path.

#[cfg(test)]
mod tests;

use etude_audio::compress::{Compress, Db, Log, Log1p, Log10};
use etude_audio::framed::Padding;
use etude_audio::mel as parameters;
use etude_audio::standardise::{FLOOR, Standardise};
use tch::{Device, Kind, Tensor};

/// A mel spectrogram. Its tensors are constants: neither trained nor kept with the weights.
#[derive(Debug)]
pub struct Mel {
    /// `[n_fft]`.
    window: Tensor,
    /// Weights of the magnitudes, `[bins, n_mels]`, or of the squares of the spectrum's parts, `[2 · bins, n_mels]`.
    filterbank: Tensor,
    parameters: parameters::Mel,
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
    pub fn new(parameters: &parameters::Mel, rate: u32, device: Device) -> Self {
        let (bins, n_mels) = (parameters.n_fft as i64 / 2 + 1, parameters.n_mels as i64);
        let filterbank = Tensor::from_slice(&parameters::filterbank(parameters, rate));
        let filterbank = filterbank.reshape([n_mels, bins]).transpose(0, 1);
        // Squares of real and imaginary parts lie side by side: each weight twice, and the product adds them.
        let repeats = if parameters.power == 2 { 2 } else { 1 };
        let filterbank = filterbank.repeat_interleave_self_int(repeats, 0, None).contiguous();
        Self {
            window: Tensor::from_slice(&parameters.window()).to_device(device),
            filterbank: filterbank.to_device(device),
            parameters: parameters.clone(),
        }
    }

    /// Bands of a frame.
    pub fn n_mels(&self) -> usize {
        self.parameters.n_mels
    }

    /// Audio `[batch, samples]` to `[batch, n_mels, frames]`. No gradient flows through.
    pub fn forward(&self, audio: &Tensor) -> Tensor {
        tch::no_grad(|| {
            let bands = compressed(self.bands(audio), &self.parameters.compress());
            match self.parameters.standardise.unwrap_or(Standardise::Clip) {
                Standardise::None => bands.contiguous(),
                Standardise::Frame => standardised(&bands, &[1]),
                Standardise::Clip => standardised(&bands, &[1, 2]),
            }
        })
    }

    fn bands(&self, audio: &Tensor) -> Tensor {
        let framing = self.parameters.framing();
        let sides = [framing.side() as i64; 2];
        let padded = match framing.padding {
            Padding::None => audio.shallow_clone(),
            Padding::Zero => audio.constant_pad_nd(sides.as_slice()),
            Padding::Reflect => audio.reflection_pad1d(sides.as_slice()),
        };
        let frames = padded.unfold(1, framing.n_fft as i64, framing.hop as i64) * &self.window;
        let squares = frames.fft_rfft(None, -1, "backward").view_as_real().square();
        let spectrum = match self.parameters.power {
            2 => squares.flatten(2, 3),
            _ => squares.sum_dim_intlist(-1, false, Kind::Float).sqrt(),
        };
        spectrum.matmul(&self.filterbank).transpose(1, 2)
    }
}

/// Bands `[batch, n_mels, frames]`, compressed.
fn compressed(bands: Tensor, compress: &Compress) -> Tensor {
    match *compress {
        Compress::None => bands,
        Compress::Log(Log { offset }) => (bands + offset).log(),
        Compress::Log1p(Log1p { scale }) => (bands * scale).log1p(),
        Compress::Log10(Log10 { scale }) => (bands * scale).log1p() * std::f64::consts::LOG10_E,
        Compress::Db(db) => decibels(&bands, &db),
    }
}

fn decibels(bands: &Tensor, db: &Db) -> Tensor {
    let decibels = bands.clamp_min(db.floor()).log() * db.factor() - db.factor() * db.reference.ln();
    match db.top_db {
        Some(top_db) => {
            let highest = decibels.amax([1i64, 2].as_slice(), true);
            decibels.clamp_min_tensor(&(highest - top_db))
        }
        None => decibels,
    }
}

/// Bands minus their mean over some dimensions, over their population standard deviation.
fn standardised(bands: &Tensor, over: &[i64]) -> Tensor {
    let centred = bands - bands.mean_dim(over, true, Kind::Float);
    let deviation = centred.square().mean_dim(over, true, Kind::Float).sqrt();
    centred / (deviation + FLOOR)
}
