//! How the learning rate changes.

use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::range::within;

/// How the learning rate changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Linear warm-up, then the highest rate.
    Constant(Constant),
    /// Linear warm-up, then half a cosine down to `end` (Loshchilov and Hutter 2017).
    Cosine(Cosine),
    /// Linear warm-up, then a power of the time left down to `end`.
    Polynomial(Polynomial),
    /// Linear warm-up, then lower whenever the loss has not fallen for a while.
    Plateau(Plateau),
}

/// Linear warm-up, then the highest rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// The share of all steps that the warm-up takes, 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub warm_up: f64,
}

/// Linear warm-up, then half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cosine {
    /// The share of all steps that the warm-up takes, 0 to 1.
    #[serde(default = "default_warm_up")]
    #[schemars(range(min = 0, max = 1))]
    pub warm_up: f64,
    /// What is left of the highest rate at the end, 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub end: f64,
}

/// Linear warm-up, then a power of the time left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Polynomial {
    /// The share of all steps that the warm-up takes, 0 to 1.
    #[serde(default = "default_warm_up")]
    #[schemars(range(min = 0, max = 1))]
    pub warm_up: f64,
    /// The power: 1 is a straight line; above 0, at most 10.
    #[serde(default = "default_power")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 10))]
    pub power: f64,
    /// What is left of the highest rate at the end, 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub end: f64,
}

/// Linear warm-up, then lower whenever the mean loss of an epoch has not fallen for a while
/// (torch.optim.lr_scheduler.ReduceLROnPlateau).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plateau {
    /// The share of all steps that the warm-up takes, 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub warm_up: f64,
    /// What the rate is multiplied by, 0.01 to 0.99.
    #[serde(default = "default_factor")]
    #[schemars(range(min = 0.01, max = 0.99))]
    pub factor: f64,
    /// Epochs without a lower loss that are put up with, 0 to 1000.
    #[serde(default = "default_patience")]
    #[schemars(range(min = 0, max = 1000))]
    pub patience: usize,
    /// The share by which a loss has to be lower than the lowest to count, 0 to 1.
    #[serde(default = "default_threshold")]
    #[schemars(range(min = 0, max = 1))]
    pub threshold: f64,
}

fn default_warm_up() -> f64 {
    0.1
}

fn default_power() -> f64 {
    1.0
}

fn default_factor() -> f64 {
    0.1
}

fn default_patience() -> usize {
    5
}

fn default_threshold() -> f64 {
    1e-4
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Cosine(Cosine { warm_up: default_warm_up(), end: 0.0 })
    }
}

impl Schedule {
    /// The share of all steps that the warm-up takes.
    pub fn warm_up(&self) -> f64 {
        match self {
            Self::Constant(Constant { warm_up })
            | Self::Cosine(Cosine { warm_up, .. })
            | Self::Polynomial(Polynomial { warm_up, .. })
            | Self::Plateau(Plateau { warm_up, .. }) => *warm_up,
        }
    }

    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        let (name, warm_up) = (crate::choices::name_of(self), self.warm_up());
        let at = |parameter: &str| format!("schedule.{name}.{parameter}");
        within(&at("warm_up"), &warm_up, 0.0..=1.0)?;
        match self {
            Self::Constant(_) => Ok(()),
            Self::Cosine(Cosine { end, .. }) => within(&at("end"), end, 0.0..=1.0),
            Self::Polynomial(Polynomial { power, end, .. }) => {
                crate::range::above_zero(&at("power"), *power, 10.0)?;
                within(&at("end"), end, 0.0..=1.0)
            }
            Self::Plateau(Plateau { factor, patience, threshold, .. }) => {
                within(&at("factor"), factor, 0.01..=0.99)?;
                within(&at("patience"), patience, 0..=1000)?;
                within(&at("threshold"), threshold, 0.0..=1.0)
            }
        }
    }
}
