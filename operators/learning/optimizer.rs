//! The optimisers and schedules, by name.

use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How gradients become steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    AdamW(AdamW),
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019); β 0.9 and 0.999, ε 10⁻⁸.
///
/// Norms and biases do not decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    /// The highest learning rate, above 0 and at most 1.
    #[serde(default = "default_learning_rate")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub learning_rate: f64,
    /// The weight decay, 0 to 1.
    #[serde(default = "default_weight_decay")]
    #[schemars(range(min = 0, max = 1))]
    pub weight_decay: f64,
}

fn default_learning_rate() -> f64 {
    1e-3
}

fn default_weight_decay() -> f64 {
    1e-4
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::AdamW(AdamW { learning_rate: default_learning_rate(), weight_decay: default_weight_decay() })
    }
}

impl Optimizer {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        let Self::AdamW(adam) = self;
        let right = adam.learning_rate > 0.0 && adam.learning_rate <= 1.0;
        Invalid::unless(right, "optimizer.adam_w.learning_rate", "must be above 0 and at most 1")?;
        let right = (0.0..=1.0).contains(&adam.weight_decay);
        Invalid::unless(right, "optimizer.adam_w.weight_decay", "must be from 0 to 1")
    }
}

/// How the learning rate changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Linear warm-up, then a cosine to 0.
    Cosine(Cosine),
}

/// Linear warm-up, then a cosine to 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cosine {
    /// The share of all steps that the warm-up takes, 0 to 1.
    #[serde(default = "default_warm_up")]
    #[schemars(range(min = 0, max = 1))]
    pub warm_up: f64,
}

fn default_warm_up() -> f64 {
    0.1
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Cosine(Cosine { warm_up: default_warm_up() })
    }
}

impl Schedule {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        let Self::Cosine(cosine) = self;
        Invalid::unless(
            (0.0..=1.0).contains(&cosine.warm_up),
            "schedule.cosine.warm_up",
            "must be from 0 to 1",
        )
    }
}
