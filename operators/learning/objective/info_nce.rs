use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, one};
use crate::range::{above_zero, within};

/// Recognition of a masked frame's target among those of other masked frames of the same clip (wav2vec 2.0, Baevski
/// et al. 2020, arXiv 2006.11477, equation 3).
///
/// Cosine similarity. Targets are the quantised frames before the transformer; a negative that equals the target
/// does not count. The share of frames that are recognised is measured as `accuracy`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InfoNce {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
    /// Negatives of each frame, 1 to 10000: other masked frames of the clip, drawn with repetition.
    #[serde(default = "default_negatives")]
    #[schemars(range(min = 1, max = 10_000))]
    pub negatives: usize,
    /// The temperature, above 0 and at most 10.
    #[serde(default = "default_temperature")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 10))]
    pub temperature: f64,
}

fn default_negatives() -> usize {
    100
}

fn default_temperature() -> f64 {
    0.1
}

impl Aim for InfoNce {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)?;
        within("negatives", &self.negatives, 1..=10_000)?;
        above_zero("temperature", self.temperature, 10.0)
    }

    fn needs(&self) -> Needs {
        Needs { mask: true, quantizer: true, ..Needs::default() }
    }
}
