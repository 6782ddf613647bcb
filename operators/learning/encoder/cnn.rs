use etude_audio::mel::Mel;
use etude_pipeline::flow::Sampling;
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Describe;
use super::image::image;
use crate::range::sizes;

/// A plain convolutional network on a spectrogram.
///
/// For each of `channels`: convolution 3×3 of stride 2, batch norm, ReLU; then the mean over
/// frequency and time. The vector has as many values as the last of `channels`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cnn {
    /// The front-end, where clips are audio; `{}` by default. Features are taken as they are, each plane a channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Mel")]
    pub mel: Option<Mel>,
    /// Channels of each convolution: 1 to 8 of them, each 1 to 4096.
    #[serde(default = "default_channels")]
    pub channels: Vec<usize>,
}

fn default_channels() -> Vec<usize> {
    vec![16, 32, 64, 128]
}

impl Describe for Cnn {
    fn width(&self) -> usize {
        self.channels.last().copied().unwrap_or(0)
    }

    fn check(&self) -> Result<(), Invalid> {
        self.mel.as_ref().map_or(Ok(()), |mel| mel.check_below("mel."))?;
        sizes("channels", &self.channels, 8, 4096)
    }

    fn front_end(&mut self) -> Option<&mut Option<Mel>> {
        Some(&mut self.mel)
    }

    fn check_signal(&self, sampling: Sampling, frames: u64) -> Result<(), String> {
        image(self.mel.as_ref(), sampling, frames).map(|_| ())
    }
}
