use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Rule;
use super::adam::{check, default_betas, default_epsilon, default_learning_rate};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101), as torch.optim.AdamW.
///
/// Norms and biases do not decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    /// The highest learning rate, above 0 and at most 1.
    #[serde(default = "default_learning_rate")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub learning_rate: f64,
    /// What the running means of gradient and square keep at each step, each 0 to 0.99999.
    #[serde(default = "default_betas")]
    pub betas: [f64; 2],
    /// Added to the root of the square, above 0 and at most 1.
    #[serde(default = "default_epsilon")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub epsilon: f64,
    /// The weight decay, 0 to 1.
    #[serde(default = "default_weight_decay")]
    #[schemars(range(min = 0, max = 1))]
    pub weight_decay: f64,
}

fn default_weight_decay() -> f64 {
    1e-4
}

impl Default for AdamW {
    fn default() -> Self {
        Self {
            learning_rate: default_learning_rate(),
            betas: default_betas(),
            epsilon: default_epsilon(),
            weight_decay: default_weight_decay(),
        }
    }
}

impl Rule for AdamW {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<(), Invalid> {
        check(self.learning_rate, &self.betas, self.epsilon, self.weight_decay)
    }
}
