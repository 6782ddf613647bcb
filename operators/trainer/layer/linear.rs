use burn::module::Module;
use tch::{Device, Kind, Tensor};

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
        linear(&pass.cast(input), &pass.cast(&tensor(&self.weight)), bias.as_ref())
    }
}

/// Rows from which on a product is worth being called a convolution.
const MANY: i64 = 128;

/// `[…, inputs]` to `[…, outputs]`.
///
/// On an x86 CPU libtorch takes the product from MKL, which leaves half of the vector units of a processor idle that is
/// not Intel's, and a convolution from oneDNN, which does not. A row is a pixel, and a linear layer a convolution of
/// 1×1: the same sums, in less time. On Intel's processors the weights' gradient takes longer that way.
fn linear(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let rows = input.numel() as i64 / weight.size()[1].max(1);
    let plain = input.device() == Device::Cpu && input.kind() == Kind::Float;
    if plain && rows >= MANY && mkl_is_abroad() {
        pixels(input, weight, bias)
    } else {
        input.linear(weight, bias)
    }
}

/// Whether MKL meets an x86 processor that is not Intel's.
fn mkl_is_abroad() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::__cpuid;
        static ABROAD: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        // The vendor's name comes in this order.
        *ABROAD.get_or_init(|| {
            let leaf = __cpuid(0);
            [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).as_flattened() != b"GenuineIntel"
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The layer as a convolution of 1×1.
fn pixels(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let size = input.size();
    let (inputs, outputs) = (weight.size()[1], weight.size()[0]);
    let rows = input.numel() as i64 / inputs.max(1);
    let pixels = input.reshape([1, rows, 1, inputs]).permute([0, 3, 1, 2]);
    let kernel = weight.view([outputs, inputs, 1, 1]);
    let pixels = pixels.conv2d(&kernel, bias, [1, 1], [0, 0], [1, 1], 1).permute([0, 2, 3, 1]);
    pixels.reshape(size[..size.len() - 1].iter().copied().chain([outputs]).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{assert_close, u, values};

    #[test]
    fn a_convolution_gives_what_the_product_gives() {
        let made = |shape: &[usize], seed: usize| {
            let list: Vec<f64> = (0..shape.iter().product()).map(|index| u(index, seed)).collect();
            crate::golden::tensor(&list, shape).set_requires_grad(true)
        };
        let rows = 3 * MANY as usize;
        let leaves = [made(&[3, rows / 3, 24], 1), made(&[40, 24], 2), made(&[40], 3)];
        let both = [
            pixels(&leaves[0], &leaves[1], Some(&leaves[2])),
            leaves[0].linear(&leaves[1], Some(&leaves[2])),
        ];
        assert_eq!(both[0].size(), [3, MANY, 40]);
        let gradients = |output: &Tensor| {
            let weights = made(&[3, rows / 3, 40], 4).detach();
            Tensor::run_backward(&[(output * weights).sum(Kind::Float)], &leaves, false, false)
        };
        assert_close("values", &values(&both[0]), &values(&both[1]), 1e-5);
        for (ours, theirs) in gradients(&both[0]).iter().zip(&gradients(&both[1])) {
            assert_close("gradients", &values(ours), &values(theirs), 1e-5);
        }
    }
}
