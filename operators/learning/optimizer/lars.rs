use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Rule;
use super::sgd::default_momentum;
use crate::range::{above_zero, within};

/// Momentum with a rate a layer (LARS, You et al. 2017, arXiv 1708.03888), as SimCLR has it.
///
/// A matrix's gradient, weight decay included, is multiplied by `trust` · |weights| / |gradient|; norms and biases
/// neither decay nor are they scaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lars {
    /// The highest learning rate, above 0 and at most 100.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 100))]
    pub learning_rate: f64,
    /// What the velocity keeps at each step, 0 to 0.9999.
    #[serde(default = "default_momentum")]
    #[schemars(range(min = 0, max = 0.9999))]
    pub momentum: f64,
    /// The weight decay, 0 to 1.
    #[serde(default = "default_weight_decay")]
    #[schemars(range(min = 0, max = 1))]
    pub weight_decay: f64,
    /// The trust coefficient, above 0 and at most 1.
    #[serde(default = "default_trust")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub trust: f64,
}

fn default_weight_decay() -> f64 {
    1e-4
}

fn default_trust() -> f64 {
    1e-3
}

impl Rule for Lars {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("learning_rate", self.learning_rate, 100.0)?;
        within("momentum", &self.momentum, 0.0..=0.9999)?;
        within("weight_decay", &self.weight_decay, 0.0..=1.0)?;
        above_zero("trust", self.trust, 1.0)
    }
}
