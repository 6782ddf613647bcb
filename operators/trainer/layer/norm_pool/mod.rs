//! Batch norm, the maximum of neighbours and ReLU in one go: `norm_pool.cpp` says how, and why.
#![expect(unsafe_code, reason = "calls C++")]

use std::ffi::c_char;
use std::ptr::null_mut;

use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

use super::foreign;

unsafe extern "C" {
    fn etude_norm_pool(
        output: *mut *mut C_tensor,
        input: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        running_mean: *const C_tensor,
        running_variance: *const C_tensor,
        pool: i64,
        momentum: f64,
        epsilon: f64,
    ) -> *mut c_char;
}

/// The norm of a batch.
pub struct Norm<'a> {
    /// Gain, offset, and mean and variance of the batches so far, `[channels]` each.
    pub tensors: [&'a Tensor; 4],
    pub momentum: f64,
    pub epsilon: f64,
}

/// `[batch, channels, frames]` to `[batch, channels, ⌊frames / pool⌋]`, in training: as `batch_norm`, `max_pool1d` and
/// `relu`. Nothing where only those can do it.
pub fn norm_pool(norm: &Norm<'_>, input: &Tensor, pool: i64) -> Option<Tensor> {
    let own = input.device() == Device::Cpu && input.kind() == Kind::Float && input.dim() == 3;
    if !own || !matches!(pool, 1 | 3) || input.size()[2] < pool {
        return None;
    }
    let [weight, bias, mean, variance] = norm.tensors.map(Tensor::as_ptr);
    let mut output = null_mut();
    // SAFETY: the tensors live as long as the call, which keeps what it needs by references of its own.
    let failed = unsafe {
        let (momentum, epsilon) = (norm.momentum, norm.epsilon);
        etude_norm_pool(&mut output, input.as_ptr(), weight, bias, mean, variance, pool, momentum, epsilon)
    };
    Some(foreign::given(output, failed))
}

#[cfg(test)]
mod tests;
