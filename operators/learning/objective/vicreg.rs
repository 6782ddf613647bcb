use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, Views, one};
use crate::range::{above_zero, within};

/// Invariance, variance and covariance of two views' projections (VICReg, Bardes et al. 2022, arXiv 2105.04906).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vicreg {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
    /// What the mean squared difference of the views weighs, 0 to 1000.
    #[serde(default = "default_invariance")]
    #[schemars(range(min = 0, max = 1000))]
    pub invariance: f64,
    /// What the hinge on each value's deviation weighs, 0 to 1000.
    #[serde(default = "default_variance")]
    #[schemars(range(min = 0, max = 1000))]
    pub variance: f64,
    /// What the squared covariances weigh, 0 to 1000.
    #[serde(default = "default_covariance")]
    #[schemars(range(min = 0, max = 1000))]
    pub covariance: f64,
}

fn default_invariance() -> f64 {
    25.0
}

fn default_variance() -> f64 {
    25.0
}

fn default_covariance() -> f64 {
    1.0
}

impl Aim for Vicreg {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)?;
        within("invariance", &self.invariance, 0.0..=1000.0)?;
        within("variance", &self.variance, 0.0..=1000.0)?;
        within("covariance", &self.covariance, 0.0..=1000.0)
    }

    fn needs(&self) -> Needs {
        Needs { views: Views::Two, projector: true, ..Needs::default() }
    }
}
