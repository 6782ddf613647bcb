use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, Views, one};
use crate::range::above_zero;

/// Prediction of a slowly moving teacher's projection of the other view (BYOL, Grill et al. 2020, arXiv 2006.07733):
/// 2 − 2 · cosine, both ways.
///
/// It has no negatives: a predictor and a teacher keep it from collapsing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Byol {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
}

impl Aim for Byol {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)
    }

    fn needs(&self) -> Needs {
        Needs { views: Views::Two, projector: true, predictor: true, teacher: true, ..Needs::default() }
    }
}
