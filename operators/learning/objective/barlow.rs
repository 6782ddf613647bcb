use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, Views, one};
use crate::range::{above_zero, within};

/// Cross-correlation of two views' projections brought to the identity (Barlow Twins, Zbontar et al. 2021, arXiv
/// 2103.03230).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Barlow {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
    /// What the squares off the diagonal weigh, 0 to 100.
    #[serde(default = "default_off_diagonal")]
    #[schemars(range(min = 0, max = 100))]
    pub off_diagonal: f64,
}

fn default_off_diagonal() -> f64 {
    0.005
}

impl Aim for Barlow {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)?;
        within("off_diagonal", &self.off_diagonal, 0.0..=100.0)
    }

    fn needs(&self) -> Needs {
        Needs { views: Views::Two, projector: true, ..Needs::default() }
    }
}
