use etude_pipeline::flow::Sampling;
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Describe, samples};
use crate::range::{sizes, within};

/// Convolutions on raw samples (SampleCNN, Lee et al. 2017, arXiv 1703.01789), as CLMR has them (arXiv 2103.09410).
///
/// A convolution of 3 samples and stride 3 to the first of `channels`; for each further one a convolution of 3 and
/// the maximum of 3; last a convolution of 3 to `output`. Batch norm and ReLU follow each. Then the mean over what is
/// left of time: one value for clips of 3 to the number of `channels` samples, 59049 by default (2,368,512 parameters).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleCnn {
    /// Channels of each convolution: 1 to 12 of them, each 1 to 4096.
    #[serde(default = "default_channels")]
    pub channels: Vec<usize>,
    /// Values of the vector, 1 to 8192.
    #[serde(default = "default_output")]
    #[schemars(range(min = 1, max = 8192))]
    pub output: usize,
}

fn default_channels() -> Vec<usize> {
    vec![128, 128, 128, 256, 256, 256, 256, 256, 256, 512]
}

fn default_output() -> usize {
    512
}

impl Describe for SampleCnn {
    fn width(&self) -> usize {
        self.output
    }

    fn check(&self) -> Result<(), Invalid> {
        sizes("channels", &self.channels, 12, 4096)?;
        within("output", &self.output, 1..=8192)
    }

    fn check_signal(&self, sampling: Sampling, frames: u64) -> Result<(), String> {
        samples(sampling)?;
        let least = 3u64.pow(self.channels.len() as u32);
        if frames < least {
            return Err(format!(
                "clips of {frames} samples are shorter than 3 to the number of `channels`, {least}"
            ));
        }
        Ok(())
    }
}
