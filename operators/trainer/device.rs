//! Where tensors live.

use burn::tensor::Device;

/// The CPU, through libtorch and without gradients; `.autodiff()` turns them on.
#[expect(deprecated, reason = "Burn 0.22 announces the end of its libtorch backend but still ships it")]
pub fn cpu() -> Device {
    Device::libtorch()
}

/// How many threads libtorch's operations use; to be set before the first of them.
pub fn set_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}
