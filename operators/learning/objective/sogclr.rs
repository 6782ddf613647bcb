use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, Views, one};
use crate::range::{above_zero, within};

/// Contrast with a running mean of each clip's denominator in place of a large batch (SogCLR, Yuan et al. 2022,
/// arXiv 2202.12387), as Myna has it.
///
/// It keeps a value a clip and view, which is part of the training's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sogclr {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
    /// The temperature, 0.02 to 10: below, exponentials leave the range of 32 bits.
    #[serde(default = "default_temperature")]
    #[schemars(range(min = 0.02, max = 10))]
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
        within("temperature", &self.temperature, 0.02..=10.0)?;
        above_zero("gamma", self.gamma, 1.0)
    }

    fn needs(&self) -> Needs {
        Needs { views: Views::Two, projector: true, ..Needs::default() }
    }
}
