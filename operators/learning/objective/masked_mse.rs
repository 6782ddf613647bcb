use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, one};
use crate::range::{above_zero, within};

/// Prediction of the log-mel bands of masked frames, standardised over the clip: the mean squared error of a
/// linear layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskedMse {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
    /// Mel bands of a frame, 1 to 1024.
    #[serde(default = "default_n_mels")]
    #[schemars(range(min = 1, max = 1024))]
    pub n_mels: usize,
}

fn default_n_mels() -> usize {
    80
}

impl Aim for MaskedMse {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)?;
        within("n_mels", &self.n_mels, 1..=1024)
    }

    fn needs(&self) -> Needs {
        Needs { mask: true, ..Needs::default() }
    }
}
