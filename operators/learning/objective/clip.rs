use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, Views, one};
use crate::range::{above_zero, within};

/// Symmetric cross-entropy between two views, each row against the rows of the other view alone (CLIP, Radford et
/// al. 2021, arXiv 2103.00020).
///
/// The temperature is trained with the rest; the logarithm of 1 over it is a tensor `logit_scale`, at most ln 100.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clip {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
    /// The temperature at the begin, 0.01 to 10.
    #[serde(default = "default_temperature")]
    #[schemars(range(min = 0.01, max = 10))]
    pub temperature: f64,
}

fn default_temperature() -> f64 {
    0.07
}

impl Aim for Clip {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)?;
        within("temperature", &self.temperature, 0.01..=10.0)
    }

    fn needs(&self) -> Needs {
        Needs { views: Views::Two, projector: true, ..Needs::default() }
    }
}
