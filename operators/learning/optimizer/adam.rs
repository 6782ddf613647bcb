use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Rule;
use crate::range::{above_zero, within};

/// Adam (Kingma and Ba 2015, arXiv 1412.6980), as torch.optim.Adam: weight decay is part of the gradient.
///
/// Norms and biases do not decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adam {
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
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub weight_decay: f64,
}

pub(super) fn default_learning_rate() -> f64 {
    1e-3
}

pub(super) fn default_betas() -> [f64; 2] {
    [0.9, 0.999]
}

pub(super) fn default_epsilon() -> f64 {
    1e-8
}

/// Checks the parameters that Adam and AdamW share.
pub(super) fn check(
    learning_rate: f64,
    betas: &[f64; 2],
    epsilon: f64,
    weight_decay: f64,
) -> Result<(), Invalid> {
    above_zero("learning_rate", learning_rate, 1.0)?;
    let right = betas.iter().all(|beta| (0.0..=0.99999).contains(beta));
    Invalid::unless(right, "betas", "must be two numbers from 0 to 0.99999")?;
    above_zero("epsilon", epsilon, 1.0)?;
    within("weight_decay", &weight_decay, 0.0..=1.0)
}

impl Rule for Adam {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<(), Invalid> {
        check(self.learning_rate, &self.betas, self.epsilon, self.weight_decay)
    }
}
