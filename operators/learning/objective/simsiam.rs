use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, Views, one};
use crate::range::above_zero;

/// Prediction of the other view's projection, through which no gradient flows (SimSiam, Chen and He 2021, arXiv
/// 2011.10566): the negative cosine, the mean of both ways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Simsiam {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
}

impl Aim for Simsiam {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)
    }

    fn needs(&self) -> Needs {
        Needs { views: Views::Two, projector: true, predictor: true, ..Needs::default() }
    }
}
