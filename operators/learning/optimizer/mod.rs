//! The optimisers and schedules, by name.

mod schedule;

use etude_pipeline::operator::Invalid;

use crate::choices::{below, choices, name_of};

pub use schedule::{Constant, Cosine, Plateau, Polynomial, Schedule};

/// What is known of an optimiser without its update.
pub trait Rule {
    /// The highest learning rate.
    fn learning_rate(&self) -> f64;

    /// Checks the ranges. The parameters' names are those below `optimizer.NAME.`.
    fn check(&self) -> Result<(), Invalid>;
}

choices! {
    /// How gradients become steps.
    Optimizer: Rule {
        /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
        AdamW in adam_w,
        /// Adam (Kingma and Ba 2015).
        Adam in adam,
        /// Stochastic gradient descent with momentum.
        Sgd in sgd,
        /// Momentum with a rate a layer (LARS, You et al. 2017).
        Lars in lars,
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::AdamW(AdamW::default())
    }
}

impl Optimizer {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        let prefix = format!("optimizer.{}", name_of(self));
        self.chosen().check().map_err(|invalid| below(&prefix, invalid))
    }
}
