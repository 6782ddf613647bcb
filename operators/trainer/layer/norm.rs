use burn::module::Module;
use tch::Tensor;

use super::norm_pool::{Norm, norm_pool};
use crate::pass::{Pass, f32};
use crate::scope::Scope;
use crate::torch::{Weight, tensor};

/// What a batch weighs in the running statistics.
const MOMENTUM: f64 = 0.1;
/// Added to the variance before the square root.
const EPSILON: f64 = 1e-5;

/// torch.nn.BatchNorm1d and BatchNorm2d.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Gain, `[channels]`.
    weight: Weight<1>,
    /// Offset, `[channels]`.
    bias: Weight<1>,
    /// Mean of the batches so far, `[channels]`.
    running_mean: Weight<1>,
    /// Unbiased variance of the batches so far, `[channels]`.
    running_var: Weight<1>,
}

impl BatchNorm {
    /// Gain 1, offset 0, mean 0, variance 1.
    pub fn new(scope: &Scope, channels: usize) -> Self {
        Self {
            weight: scope.at("weight").constant([channels], 1.0),
            bias: scope.at("bias").constant([channels], 0.0),
            running_mean: scope.buffer([channels], 0.0),
            running_var: scope.buffer([channels], 1.0),
        }
    }

    /// `[batch, channels, …]` to the same shape: by the batch's statistics in training, by the running ones elsewhere.
    pub fn forward(&self, pass: &Pass, input: &Tensor) -> Tensor {
        let [weight, bias, mean, variance] =
            [&self.weight, &self.bias, &self.running_mean, &self.running_var].map(tensor);
        f32(input).batch_norm(
            Some(&weight),
            Some(&bias),
            Some(&mean),
            Some(&variance),
            pass.training,
            MOMENTUM,
            EPSILON,
            true,
        )
    }
}

impl BatchNorm {
    /// `[batch, channels, frames]` to `[batch, channels, ⌊frames / pool⌋]`: the norm, the maximum of each `pool` frames, and
    /// ReLU.
    pub fn pooled(&self, pass: &Pass, input: &Tensor, pool: i64) -> Tensor {
        if pass.training {
            let tensors = [&self.weight, &self.bias, &self.running_mean, &self.running_var].map(tensor);
            let norm = Norm { tensors: tensors.each_ref(), momentum: MOMENTUM, epsilon: EPSILON };
            if let Some(output) = norm_pool(&norm, &f32(input), pool) {
                return output;
            }
        }
        let norm = self.forward(pass, input);
        // The maximum of what ReLU leaves is what it leaves of the maximum, which is less work.
        let mut highest = if pool > 1 { norm.max_pool1d(pool, pool, 0, 1, false) } else { norm };
        highest.relu_()
    }
}

/// torch.nn.LayerNorm over the last dimension.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Gain, `[width]`.
    weight: Weight<1>,
    /// Offset, `[width]`.
    bias: Weight<1>,
}

impl LayerNorm {
    /// Gain 1, offset 0.
    pub fn new(scope: &Scope, width: usize) -> Self {
        Self {
            weight: scope.at("weight").constant([width], 1.0),
            bias: scope.at("bias").constant([width], 0.0),
        }
    }

    /// `[…, width]` to the same shape.
    pub fn forward(&self, input: &Tensor) -> Tensor {
        let [weight, bias] = [&self.weight, &self.bias].map(tensor);
        f32(input).layer_norm(weight.size(), Some(&weight), Some(&bias), EPSILON, true)
    }
}

/// torch.nn.GroupNorm with one group a channel.
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// Gain, `[channels]`.
    weight: Weight<1>,
    /// Offset, `[channels]`.
    bias: Weight<1>,
}

impl GroupNorm {
    /// Gain 1, offset 0.
    pub fn new(scope: &Scope, channels: usize) -> Self {
        Self {
            weight: scope.at("weight").constant([channels], 1.0),
            bias: scope.at("bias").constant([channels], 0.0),
        }
    }

    /// `[batch, channels, frames]` to the same shape.
    pub fn forward(&self, input: &Tensor) -> Tensor {
        let [weight, bias] = [&self.weight, &self.bias].map(tensor);
        f32(input).group_norm(weight.size()[0], Some(&weight), Some(&bias), EPSILON, true)
    }
}
