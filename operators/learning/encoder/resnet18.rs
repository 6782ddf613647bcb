use etude_audio::mel::Mel;
use etude_pipeline::flow::Sampling;
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Describe;
use super::image::image;

/// ResNet-18 (He et al. 2016, arXiv 1512.03385) on a spectrogram.
///
/// Tensors have torchvision's names. The vector, the mean over frequency and time, has as many values as the
/// last of `channels`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resnet18 {
    /// The front-end, where clips are audio; `{}` by default. Features are taken as they are, each plane a channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Mel")]
    pub mel: Option<Mel>,
    /// Channels of the four layers, each 1 to 4096.
    #[serde(default = "default_channels")]
    pub channels: [usize; 4],
}

fn default_channels() -> [usize; 4] {
    [64, 128, 256, 512]
}

impl Describe for Resnet18 {
    fn width(&self) -> usize {
        self.channels[3]
    }

    fn check(&self) -> Result<(), Invalid> {
        self.mel.as_ref().map_or(Ok(()), |mel| mel.check_below("mel."))?;
        let right = self.channels.iter().all(|channels| (1..=4096).contains(channels));
        Invalid::unless(right, "channels", "must be 4 numbers, each from 1 to 4096")
    }

    fn front_end(&mut self) -> Option<&mut Option<Mel>> {
        Some(&mut self.mel)
    }

    fn check_signal(&self, sampling: Sampling, frames: u64) -> Result<(), String> {
        image(self.mel.as_ref(), sampling, frames).map(|_| ())
    }
}
