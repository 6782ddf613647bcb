use burn::module::Module;
use tch::Tensor;

use crate::layer::{BatchNorm, Conv2d};
use crate::pass::Pass;
use crate::scope::Scope;

/// ResNet's basic block, with torchvision's names.
#[derive(Module, Debug)]
pub struct Residual {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    downsample: Option<(Conv2d, BatchNorm)>,
}

impl Residual {
    /// A block; `downsample` has a convolution 1×1 beside the two 3×3.
    pub fn new(scope: &Scope, [inputs, outputs]: [usize; 2], stride: usize, downsample: bool) -> Self {
        let shortcut = scope.at("downsample");
        Self {
            conv1: Conv2d::new(&scope.at("conv1"), [inputs, outputs], 3, stride, 1),
            bn1: BatchNorm::new(&scope.at("bn1"), outputs),
            conv2: Conv2d::new(&scope.at("conv2"), [outputs, outputs], 3, 1, 1),
            bn2: BatchNorm::new(&scope.at("bn2"), outputs),
            downsample: downsample.then(|| {
                let conv = Conv2d::new(&shortcut.at(0), [inputs, outputs], 1, stride, 0);
                (conv, BatchNorm::new(&shortcut.at(1), outputs))
            }),
        }
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, ⌈height/stride⌉, ⌈width/stride⌉]`.
    pub fn forward(&self, pass: &Pass, input: &Tensor) -> Tensor {
        let inner = self.bn1.forward(pass, &self.conv1.forward(pass, input)).relu_();
        let inner = self.bn2.forward(pass, &self.conv2.forward(pass, &inner));
        let shortcut = match &self.downsample {
            Some((conv, norm)) => norm.forward(pass, &conv.forward(pass, input)),
            None => input.shallow_clone(),
        };
        (inner + shortcut).relu_()
    }
}

/// `[batch, channels, height, width]` with the channels of a pixel side by side in memory: convolutions keep that, and
/// norms and maxima are faster there.
pub fn channels_last(image: &Tensor) -> Tensor {
    image.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}
