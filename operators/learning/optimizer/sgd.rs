use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Rule;
use crate::range::{above_zero, within};

/// Stochastic gradient descent with momentum, as torch.optim.SGD: weight decay is part of the gradient.
///
/// Norms and biases do not decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sgd {
    /// The highest learning rate, above 0 and at most 100.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 100))]
    pub learning_rate: f64,
    /// What the velocity keeps at each step, 0 to 0.9999.
    #[serde(default = "default_momentum")]
    #[schemars(range(min = 0, max = 0.9999))]
    pub momentum: f64,
    /// Whether the step looks ahead (Nesterov's momentum).
    #[serde(default)]
    pub nesterov: bool,
    /// The weight decay, 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub weight_decay: f64,
}

pub(super) fn default_momentum() -> f64 {
    0.9
}

impl Rule for Sgd {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("learning_rate", self.learning_rate, 100.0)?;
        within("momentum", &self.momentum, 0.0..=0.9999)?;
        let right = !self.nesterov || self.momentum > 0.0;
        Invalid::unless(right, "nesterov", "needs a `momentum` above 0")?;
        within("weight_decay", &self.weight_decay, 0.0..=1.0)
    }
}
