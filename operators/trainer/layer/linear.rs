use burn::module::Module;
use tch::Tensor;

use crate::pass::Pass;
use crate::scope::{Scope, bound};
use crate::torch::{Weight, tensor};

/// torch.nn.Linear.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[outputs, inputs]`.
    weight: Weight<2>,
    /// `[outputs]`.
    bias: Option<Weight<1>>,
}

impl Linear {
    /// With PyTorch's initial values.
    pub fn new(scope: &Scope, inputs: usize, outputs: usize, bias: bool) -> Self {
        let limit = bound(inputs);
        Self {
            weight: scope.at("weight").uniform([outputs, inputs], limit),
            bias: bias.then(|| scope.at("bias").uniform([outputs], limit)),
        }
    }

    /// With weights normal around 0 and a bias of 0.
    pub fn normal(scope: &Scope, inputs: usize, outputs: usize, deviation: f64) -> Self {
        Self {
            weight: scope.at("weight").normal([outputs, inputs], deviation),
            bias: Some(scope.at("bias").constant([outputs], 0.0)),
        }
    }

    /// `[…, inputs]` to `[…, outputs]`.
    pub fn forward(&self, pass: &Pass, input: &Tensor) -> Tensor {
        let bias = self.bias.as_ref().map(|bias| pass.cast(&tensor(bias)));
        pass.cast(input).linear(&pass.cast(&tensor(&self.weight)), bias.as_ref())
    }
}
