//! What the objective sees of an embedding.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::init;
use crate::layout::transpose;

/// Two linear layers with a ReLU between them (SimCLR's projection head, arXiv 2002.05709, section 4.2).
#[derive(Module, Debug)]
pub struct Projector {
    pub input: Linear,
    pub output: Linear,
}

impl Projector {
    /// From `inputs` over `hidden` to `outputs` values; `seed` names the weights.
    pub fn new(inputs: usize, hidden: usize, outputs: usize, seed: u64, device: &Device) -> Self {
        Self {
            input: linear(inputs, hidden, seed, "projector.input", device),
            output: linear(hidden, outputs, seed, "projector.output", device),
        }
    }

    /// `[batch, inputs]` to `[batch, outputs]`.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.output.forward(relu(self.input.forward(input)))
    }
}

/// A linear layer with PyTorch's initial weights, drawn in PyTorch's order.
fn linear(inputs: usize, outputs: usize, seed: u64, path: &str, device: &Device) -> Linear {
    let bound = init::bound(inputs);
    let weight = init::uniform(seed, &format!("{path}.weight"), outputs * inputs, bound);
    let bias = init::uniform(seed, &format!("{path}.bias"), outputs, bound);
    Linear {
        weight: init::parameter(transpose(&weight, outputs, inputs), [inputs, outputs], device),
        bias: Some(init::parameter(bias, [outputs], device)),
    }
}
