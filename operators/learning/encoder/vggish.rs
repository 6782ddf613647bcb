use etude_audio::mel::Mel;
use etude_pipeline::flow::Sampling;
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Describe;
use super::image::{Image, image};
use crate::range::sizes;

/// A residual network of VGG-like blocks on a spectrogram.
///
/// For each of `channels`: two convolutions 3×3 with batch norm and ReLU beside a convolution 1×1 with batch norm,
/// their sum, ReLU, the maximum of 2×2; then the mean over frequency and time. The vector has as many values as the
/// last of `channels`. The defaults are those of the ISMIR 2025 tutorial on self-supervised learning for music.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vggish {
    /// The front-end, where clips are audio; `{}` by default. Features are taken as they are, each plane a channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Mel")]
    pub mel: Option<Mel>,
    /// Channels of each block: 1 to 8 of them, each 1 to 4096.
    #[serde(default = "default_channels")]
    pub channels: Vec<usize>,
}

fn default_channels() -> Vec<usize> {
    vec![128, 128, 256, 512]
}

impl Describe for Vggish {
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
        let Image { bins, frames } = image(self.mel.as_ref(), sampling, frames)?;
        let halvings = self.channels.len() as u32;
        let least = 2u64.pow(halvings);
        if bins < least || frames < least {
            return Err(format!(
                "{halvings} blocks halve {bins} bins and {frames} frames away: {least} of each are needed"
            ));
        }
        Ok(())
    }
}
