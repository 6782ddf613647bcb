//! The objectives, by name.

use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What training makes small.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Normalised temperature-scaled cross-entropy over two views of each clip (SimCLR, Chen et al. 2020).
    NtXent(NtXent),
}

/// Normalised temperature-scaled cross-entropy over two views of each clip (Chen et al. 2020).
///
/// Over all 2N views of a batch, the positive in the denominator; cosine similarity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NtXent {
    /// The temperature, above 0 and at most 10.
    #[serde(default = "default_temperature")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 10))]
    pub temperature: f64,
}

fn default_temperature() -> f64 {
    0.1
}

impl Objective {
    /// Views that it needs of each clip.
    pub fn views(&self) -> u32 {
        match self {
            Self::NtXent(_) => 2,
        }
    }

    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        let Self::NtXent(nt_xent) = self;
        let right = nt_xent.temperature > 0.0 && nt_xent.temperature <= 10.0;
        Invalid::unless(right, "objective.nt_xent.temperature", "must be above 0 and at most 10")
    }
}
