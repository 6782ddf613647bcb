use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, one};
use crate::range::above_zero;

/// How far the quantiser is from using all its entries alike (wav2vec 2.0, equation 4): the share of entries that
/// the perplexity of their mean probabilities leaves unused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diversity {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
}

impl Aim for Diversity {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)
    }

    fn needs(&self) -> Needs {
        Needs { mask: true, quantizer: true, partial: true, ..Needs::default() }
    }
}
