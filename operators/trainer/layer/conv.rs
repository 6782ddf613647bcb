use burn::module::Module;
use tch::Tensor;

use crate::pass::Pass;
use crate::scope::{Scope, bound};
use crate::torch::{Weight, tensor};

/// torch.nn.Conv1d.
#[derive(Module, Debug)]
pub struct Conv1d {
    /// `[outputs, inputs, kernel]`.
    weight: Weight<3>,
    /// `[outputs]`.
    bias: Option<Weight<1>>,
    stride: usize,
    padding: usize,
}

impl Conv1d {
    /// With PyTorch's initial values.
    pub fn new(
        scope: &Scope,
        [inputs, outputs]: [usize; 2],
        kernel: usize,
        stride: usize,
        padding: usize,
        bias: bool,
    ) -> Self {
        let limit = bound(inputs * kernel);
        Self {
            weight: scope.at("weight").uniform([outputs, inputs, kernel], limit),
            bias: bias.then(|| scope.at("bias").uniform([outputs], limit)),
            stride,
            padding,
        }
    }

    /// With He's initial values (kaiming_normal_) and no bias or padding, as wav2vec 2.0's convolutions.
    pub fn he(scope: &Scope, [inputs, outputs]: [usize; 2], kernel: usize, stride: usize) -> Self {
        let deviation = (2.0 / (inputs * kernel) as f64).sqrt();
        let weight = scope.at("weight").normal([outputs, inputs, kernel], deviation);
        Self { weight, bias: None, stride, padding: 0 }
    }

    /// `[batch, inputs, frames]` to `[batch, outputs, frames']`.
    pub fn forward(&self, pass: &Pass, input: &Tensor) -> Tensor {
        let bias = self.bias.as_ref().map(|bias| pass.cast(&tensor(bias)));
        let (stride, padding) = (self.stride as i64, self.padding as i64);
        pass.cast(input).conv1d(&pass.cast(&tensor(&self.weight)), bias.as_ref(), stride, padding, 1, 1)
    }
}

/// torch.nn.Conv2d without a bias.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[outputs, inputs, kernel, kernel]`.
    weight: Weight<4>,
    stride: usize,
    padding: usize,
}

impl Conv2d {
    /// With PyTorch's initial values.
    pub fn new(
        scope: &Scope,
        [inputs, outputs]: [usize; 2],
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Self {
        let limit = bound(inputs * kernel * kernel);
        let weight = scope.at("weight").uniform([outputs, inputs, kernel, kernel], limit);
        Self { weight, stride, padding }
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, height', width']`.
    pub fn forward(&self, pass: &Pass, input: &Tensor) -> Tensor {
        let (stride, padding) = (self.stride as i64, self.padding as i64);
        let weight = pass.cast(&tensor(&self.weight));
        pass.cast(input).conv2d(&weight, None::<&Tensor>, [stride; 2], [padding; 2], [1; 2], 1)
    }
}
