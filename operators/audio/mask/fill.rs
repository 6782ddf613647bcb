//! What stands for masked frames.

use etude_pipeline::operator::Invalid;
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands for masked frames.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// Zeros.
    #[default]
    Zero,
    /// Normal noise.
    Noise(Noise),
    /// What was there: the encoder has a vector of its own for masked frames, which it learns.
    Learned,
}

/// Normal noise of mean 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// Its standard deviation, above 0 and at most 1000.
    #[serde(default = "default_std")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    std: f64,
}

fn default_std() -> f64 {
    0.1
}

impl Fill {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        let right = !matches!(self, Self::Noise(Noise { std }) if !(*std > 0.0 && *std <= 1000.0));
        Invalid::unless(right, "fill.noise.std", "must be more than 0 and at most 1000")
    }

    /// Puts it in the place of samples. Noise needs numbers.
    pub fn put(&self, samples: &mut [f32], random: Option<&mut Random>) {
        match (self, random) {
            (Self::Zero, _) => samples.fill(0.0),
            (Self::Noise(Noise { std }), Some(random)) => {
                samples.iter_mut().for_each(|sample| *sample = (std * random.normal()) as f32);
            }
            (Self::Learned | Self::Noise(_), _) => {}
        }
    }
}
