use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, one};
use crate::range::above_zero;

/// Prediction of the features that another stage gives to masked frames, such as a constant-Q transform (MERT's musical
/// teacher, Li et al. 2023, arXiv 2306.00107): the mean squared error of a linear layer.
///
/// The stage stands at the port `features`. A frame's target is the frame of features in which it begins; behind the last one
/// nothing is predicted. How large values are is for the stage to see to, with `op: compress` and `op: standardise`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskedFeatures {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
}

impl Aim for MaskedFeatures {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)
    }

    fn needs(&self) -> Needs {
        Needs { mask: true, features: true, ..Needs::default() }
    }
}
