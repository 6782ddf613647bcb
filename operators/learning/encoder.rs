//! The encoders, by name.

use etude_audio::mel::Mel;
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An encoder with its front-end: from samples to a vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoder {
    /// A convolutional network on a log-mel spectrogram.
    Cnn(Cnn),
}

/// A convolutional network on a log-mel spectrogram that is standardised clip by clip.
///
/// For each of `channels`: convolution 3×3 of stride 2, batch norm, ReLU; then the mean over
/// frequency and time. The vector has as many values as the last of `channels`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cnn {
    /// The front-end.
    #[serde(default)]
    pub mel: Mel,
    /// Channels of each convolution: 1 to 8 of them, each 1 to 4096.
    #[serde(default = "default_channels")]
    pub channels: Vec<usize>,
}

fn default_channels() -> Vec<usize> {
    vec![16, 32, 64, 128]
}

impl Encoder {
    /// Values of the vector.
    pub fn width(&self) -> usize {
        let Self::Cnn(cnn) = self;
        cnn.channels.last().copied().unwrap_or(0)
    }

    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        let Self::Cnn(cnn) = self;
        cnn.mel.check("encoder.cnn.mel.")?;
        let right =
            (1..=8).contains(&cnn.channels.len()) && cnn.channels.iter().all(|c| (1..=4096).contains(c));
        Invalid::unless(right, "encoder.cnn.channels", "must be 1 to 8 numbers, each from 1 to 4096")
    }

    /// Checks the encoder against the signals that it is for.
    pub fn check_signal(&self, rate: u32, frames: u64) -> Result<(), String> {
        let Self::Cnn(cnn) = self;
        cnn.mel.check_rate(rate)?;
        if frames < cnn.mel.n_fft as u64 {
            return Err(format!("clips of {frames} samples are shorter than `n_fft`, {}", cnn.mel.n_fft));
        }
        Ok(())
    }
}
