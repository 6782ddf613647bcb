//! What a forward pass is told.

use std::cell::RefCell;

use etude_learning::train::Precision;
use etude_pipeline::random::Random;
use tch::{Kind, Tensor};

/// What a forward pass is told: whether it trains, what it computes with, and where its random numbers come from.
pub struct Pass {
    /// Whether norms look at the batch, and dropout, masks and layer drop are on.
    pub training: bool,
    /// The step of the training, from 0.
    pub step: u64,
    precision: Precision,
    random: RefCell<Random>,
}

impl Pass {
    /// A pass of a training. `key` names its random numbers: those that libtorch draws (dropout) as well.
    pub fn training(precision: Precision, step: u64, key: &[&[u8]]) -> Self {
        let mut random = Random::keyed(key);
        // libtorch's generator can be neither read nor set: it begins anew with each pass.
        tch::manual_seed(random.bits() as i64);
        Self { training: true, step, precision, random: RefCell::new(random) }
    }

    /// A pass that draws nothing, in 32 bits.
    pub fn evaluation() -> Self {
        Self { training: false, step: 0, precision: Precision::F32, random: RefCell::new(Random::keyed(&[])) }
    }

    /// Draws on the host.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.random.borrow_mut())
    }

    /// A tensor as a layer computes with it.
    pub fn cast(&self, tensor: &Tensor) -> Tensor {
        match self.precision {
            Precision::F32 => tensor.shallow_clone(),
            Precision::Bf16 => tensor.to_kind(Kind::BFloat16),
        }
    }

    /// As PyTorch's dropout: zeros with probability `p`, the rest over 1 − p.
    pub fn dropout(&self, tensor: Tensor, p: f64) -> Tensor {
        if self.training && p > 0.0 { tensor.dropout(p, true) } else { tensor }
    }
}

/// A tensor in 32 bits.
pub fn f32(tensor: &Tensor) -> Tensor {
    tensor.to_kind(Kind::Float)
}
