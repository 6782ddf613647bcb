//! GELU in one go: `gelu.cpp` says how, and why.
#![expect(unsafe_code, reason = "calls C++")]

use std::ffi::c_char;
use std::ptr::null_mut;

use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

use super::foreign;

unsafe extern "C" {
    fn etude_gelu(output: *mut *mut C_tensor, input: *const C_tensor) -> *mut c_char;
}

/// torch.nn.GELU, of what a layer gave. In a training its memory is used again: neither the caller nor the layer's own
/// gradient may look at it any more.
pub fn gelu(input: Tensor) -> Tensor {
    let own = input.device() == Device::Cpu && input.kind() == Kind::Float;
    // A leaf is somebody's.
    if !own || !input.requires_grad() || input.is_leaf() {
        return input.gelu("none");
    }
    let mut output = null_mut();
    // SAFETY: the tensor lives as long as the call, which keeps what it needs by references of its own.
    let failed = unsafe { etude_gelu(&mut output, input.as_ptr()) };
    foreign::given(output, failed)
}

#[cfg(test)]
mod tests;
