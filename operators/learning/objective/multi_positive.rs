use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, Views, one};
use crate::range::above_zero;

/// Contrast with several positives: all clips of the same recording in the batch, and all views of them
/// (Khosla et al. 2020, arXiv 2004.11362, equation 2).
///
/// A row without a positive is left out. Batches with several clips of a recording come from `unit: item`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MultiPositive {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
    /// The temperature, above 0 and at most 10.
    #[serde(default = "default_temperature")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 10))]
    pub temperature: f64,
}

fn default_temperature() -> f64 {
    0.1
}

impl Aim for MultiPositive {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)?;
        above_zero("temperature", self.temperature, 10.0)
    }

    fn needs(&self) -> Needs {
        Needs { views: Views::Some, projector: true, ..Needs::default() }
    }
}
