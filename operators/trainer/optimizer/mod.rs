//! How gradients become steps: a file each.

mod adam;
mod clip;
mod lars;
mod memory;
mod sgd;

use etude_learning::optimizer as parameters;
use tch::{Device, Kind, Tensor};

use crate::torch::{Named, trained};

pub use clip::clip_norm;

/// The update of one tensor. What it keeps from step to step is in `state`, which begins at 0.
trait Update {
    /// The names of what it keeps.
    const STATE: &'static [&'static str];

    /// Changes the tensor in place. `step` counts from 1.
    fn update(&self, slot: &mut Slot, gradient: &Tensor, learning_rate: f64, step: u64);
}

/// A tensor that is trained, and what is kept for it.
pub struct Slot {
    name: String,
    tensor: Tensor,
    /// Whether weight decay applies: not to norms and biases, which have one dimension.
    decays: bool,
    state: Vec<Tensor>,
    /// Its steps, `[1]`, on the host: those in which it had a gradient, as PyTorch counts.
    steps: Tensor,
}

/// An optimiser at work. Its state is known by the tensors' paths.
pub struct Optimizer {
    parameters: parameters::Optimizer,
    slots: Vec<Slot>,
}

impl Optimizer {
    /// The optimiser of a model's trained tensors.
    pub fn new(parameters: &parameters::Optimizer, tensors: &Named) -> Self {
        let names = state_names(parameters);
        let slot = |(name, tensor): &(String, Tensor)| Slot {
            name: name.clone(),
            decays: tensor.dim() > 1,
            state: names.iter().map(|_| tensor.detach().zeros_like()).collect(),
            tensor: tensor.shallow_clone(),
            steps: Tensor::zeros([1], (Kind::Float, Device::Cpu)),
        };
        Self { parameters: parameters.clone(), slots: trained(tensors).map(slot).collect() }
    }

    /// The tensors that it trains, in the order of their gradients.
    pub fn tensors(&self) -> Vec<Tensor> {
        self.slots.iter().map(|slot| slot.tensor.shallow_clone()).collect()
    }

    /// Takes a step. A gradient that is not defined leaves its tensor alone.
    pub fn step(&mut self, gradients: &[Tensor], learning_rate: f64) {
        tch::no_grad(|| {
            for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
                if !gradient.defined() {
                    continue;
                }
                let _ = slot.steps.g_add_scalar_(1.0);
                let step = slot.steps.double_value(&[0]) as u64;
                match &self.parameters {
                    parameters::Optimizer::AdamW(rule) => rule.update(slot, gradient, learning_rate, step),
                    parameters::Optimizer::Adam(rule) => rule.update(slot, gradient, learning_rate, step),
                    parameters::Optimizer::Sgd(rule) => rule.update(slot, gradient, learning_rate, step),
                    parameters::Optimizer::Lars(rule) => rule.update(slot, gradient, learning_rate, step),
                }
            }
        });
    }

    /// What is kept from step to step, by `optimizer.NAME.PATH`.
    pub fn state(&self) -> Named {
        let names = state_names(&self.parameters);
        let mut state = Named::new();
        for slot in &self.slots {
            for (name, tensor) in names.iter().zip(&slot.state) {
                state.push((format!("optimizer.{name}.{}", slot.name), tensor.shallow_clone()));
            }
            state.push((format!("optimizer.steps.{}", slot.name), slot.steps.shallow_clone()));
        }
        state
    }
}

fn state_names(parameters: &parameters::Optimizer) -> &'static [&'static str] {
    match parameters {
        parameters::Optimizer::AdamW(_) => parameters::AdamW::STATE,
        parameters::Optimizer::Adam(_) => parameters::Adam::STATE,
        parameters::Optimizer::Sgd(_) => parameters::Sgd::STATE,
        parameters::Optimizer::Lars(_) => parameters::Lars::STATE,
    }
}

#[cfg(test)]
mod tests;
