use etude_audio::mel::Mel;
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Describe;

/// ResNet-18 (He et al. 2016, arXiv 1512.03385) on a spectrogram, of one channel.
///
/// Tensors have torchvision's names. The vector, the mean over frequency and time, has as many values as the
/// last of `channels`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resnet18 {
    /// The front-end.
    #[serde(default)]
    pub mel: Mel,
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
        self.mel.check_below("mel.")?;
        let right = self.channels.iter().all(|channels| (1..=4096).contains(channels));
        Invalid::unless(right, "channels", "must be 4 numbers, each from 1 to 4096")
    }

    fn check_signal(&self, rate: u32, frames: u64) -> Result<(), String> {
        self.mel.check_clip(rate, frames)
    }
}
