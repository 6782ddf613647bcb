use etude_audio::compress::Compress;
use etude_audio::standardise::Standardise;
use etude_learning::objective::Bands;
use tch::{Device, Tensor};

use super::Setting;
use crate::encoder::spectrogram::Mel;

/// What is to be predicted of a frame.
#[derive(Debug, Clone)]
pub enum Target {
    /// The log-mel bands of audio, standardised over the clip.
    Bands(Mel),
    /// The features that it has, so many of them.
    Features(usize),
}

impl Target {
    /// Of the encoder's frames.
    pub fn new(setting: &Setting, bands: Bands, device: Device) -> Self {
        if !setting.sampling.is_audio() {
            return Self::Features(setting.sampling.channels.into());
        }
        let (n_fft, hop) = setting.frames.map_or((16, 16), |frames| (frames.field.max(16), frames.hop));
        let parameters = etude_audio::mel::Mel {
            n_fft,
            hop,
            n_mels: bands.count(),
            compress: Some(Compress::default()),
            standardise: Some(Standardise::Clip),
            ..Default::default()
        };
        Self::Bands(Mel::new(&parameters, setting.sampling.rate, device))
    }

    /// Values of a frame.
    pub fn width(&self) -> usize {
        match self {
            Self::Bands(mel) => mel.n_mels(),
            Self::Features(width) => *width,
        }
    }

    /// Clips to what their frames are to be, `[batch, frames, width]`.
    pub fn of(&self, clips: &Tensor) -> Tensor {
        match self {
            Self::Bands(mel) => mel.forward(clips).transpose(1, 2),
            Self::Features(_) => clips.flatten(1, 2).transpose(1, 2),
        }
    }
}
