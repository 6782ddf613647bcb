//! Batch normalisation as PyTorch does it.

use burn::module::{Module, Param, RunningState};
use burn::tensor::module::{batch_norm, batch_norm_train};
use burn::tensor::{Device, Tensor};

/// What a batch weighs in the running statistics.
const MOMENTUM: f64 = 0.1;
/// Added to the variance before the square root.
const EPSILON: f64 = 1e-5;

/// torch.nn.BatchNorm2d. Burn's own layer keeps the biased variance of a batch as its running variance,
/// PyTorch the unbiased one, and a checkpoint has to mean the same to both.
#[derive(Module, Debug)]
pub struct Norm {
    /// Gain, `[channels]`.
    weight: Param<Tensor<1>>,
    /// Offset, `[channels]`.
    bias: Param<Tensor<1>>,
    /// Mean of the batches so far, `[channels]`.
    running_mean: RunningState<Tensor<1>>,
    /// Unbiased variance of the batches so far, `[channels]`.
    running_var: RunningState<Tensor<1>>,
}

impl Norm {
    /// Gain 1, offset 0, mean 0, variance 1.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::ones([channels], device)),
            bias: Param::from_tensor(Tensor::zeros([channels], device)),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
        }
    }

    /// Values a frame of the output.
    pub fn channels(&self) -> usize {
        let [channels] = self.weight.dims();
        channels
    }

    /// `[batch, channels, height, width]` to the same shape: by the batch's statistics where gradients are on,
    /// by the running ones elsewhere.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        if !input.is_autodiff() {
            let (mean, variance) = (self.running_mean.value(), self.running_var.value());
            return batch_norm(input, weight, bias, mean, variance, EPSILON);
        }
        let [batch, _, height, width] = input.dims();
        let count = (batch * height * width) as f64;
        let normalised = batch_norm_train(input, weight, bias, EPSILON);
        follow(&self.running_mean, normalised.mean);
        follow(&self.running_var, normalised.variance.mul_scalar(count / (count - 1.0).max(1.0)));
        normalised.output
    }
}

/// Moves a running statistic towards that of one batch.
fn follow(statistic: &RunningState<Tensor<1>>, batch: Tensor<1>) {
    let kept = statistic.value_sync().mul_scalar(1.0 - MOMENTUM);
    statistic.update(kept.add(batch.detach().mul_scalar(MOMENTUM)).detach());
}
