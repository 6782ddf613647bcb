use etude_audio::mel::Mel;
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Describe;
use crate::range::sizes;

/// A residual network of VGG-like blocks on a spectrogram.
///
/// For each of `channels`: two convolutions 3×3 with batch norm and ReLU beside a convolution 1×1 with batch norm,
/// their sum, ReLU, the maximum of 2×2; then the mean over frequency and time. The vector has as many values as the
/// last of `channels`. The defaults are those of the ISMIR 2025 tutorial on self-supervised learning for music.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vggish {
    /// The front-end.
    #[serde(default)]
    pub mel: Mel,
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
        self.mel.check_below("mel.")?;
        sizes("channels", &self.channels, 8, 4096)
    }

    fn check_signal(&self, rate: u32, frames: u64) -> Result<(), String> {
        self.mel.check_clip(rate, frames)?;
        let (bands, halvings) = (self.mel.n_mels as u64, self.channels.len() as u32);
        let least = 2u64.pow(halvings);
        let frames = self.mel.frames(frames);
        if bands < least || frames < least {
            return Err(format!(
                "{halvings} blocks halve {bands} bands and {frames} frames away: {least} of each are needed"
            ));
        }
        Ok(())
    }
}
