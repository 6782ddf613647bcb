use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, one};
use crate::range::{above_zero, within};

/// Prediction of the codes that another stage gives to masked frames (HuBERT, Hsu et al. 2021, arXiv 2106.07447).
///
/// The stage stands at the port `targets`: `op: assign`, whose codes are clusters of features, or `op: random_projection`. A frame's
/// target is the code of the frame in which it begins; where there are several for each, the mean over them is taken, and
/// where there is none, behind the last one, nothing is predicted. A linear layer predicts it. The share of codes that are
/// predicted is measured as `accuracy`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskedCodes {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
    /// How many different codes there are, 2 to 65536: `clusters` of `op: k_means`, `entries` of `op: random_projection`. In a sum
    /// all say the same.
    #[schemars(range(min = 2, max = 65536))]
    pub codes: usize,
}

impl Aim for MaskedCodes {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)?;
        within("codes", &self.codes, 2..=65536)
    }

    fn needs(&self) -> Needs {
        Needs { mask: true, targets: true, ..Needs::default() }
    }

    fn codes(&self) -> Option<usize> {
        Some(self.codes)
    }
}
