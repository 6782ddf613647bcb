use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, Views, one};
use crate::range::above_zero;

/// Contrast with a running mean of each clip's denominator in place of a large batch (SogCLR, Yuan et al. 2022,
/// arXiv 2202.12387), as Myna has it.
///
/// The state is a value a clip and view, which a checkpoint of the training carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sogclr {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
    /// The temperature, above 0 and at most 10.
    #[serde(default = "default_temperature")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 10))]
    pub temperature: f64,
    /// What a new denominator weighs in the running mean, above 0 and at most 1.
    #[serde(default = "default_gamma")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub gamma: f64,
}

fn default_temperature() -> f64 {
    0.1
}

fn default_gamma() -> f64 {
    0.9
}

impl Aim for Sogclr {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)?;
        above_zero("temperature", self.temperature, 10.0)?;
        above_zero("gamma", self.gamma, 1.0)
    }

    fn needs(&self) -> Needs {
        Needs { views: Views::Two, projector: true, ..Needs::default() }
    }
}
