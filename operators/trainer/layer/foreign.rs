//! What operations in C++ give.
#![expect(unsafe_code, reason = "takes what C++ has allocated")]

use std::ffi::{CStr, c_char, c_void};

use tch::Tensor;
use torch_sys::C_tensor;

unsafe extern "C" {
    fn free(memory: *mut c_void);
}

/// The tensor that an operation gave, unless it failed with a message; then it ends as tch does where libtorch throws.
#[expect(clippy::panic, reason = "libtorch's errors arrive as panics")]
pub fn given(output: *mut C_tensor, failed: *mut c_char) -> Tensor {
    if failed.is_null() {
        if output.is_null() {
            std::panic::panic_any("there is no memory for a tensor, nor to say so".to_owned());
        }
        // SAFETY: it was allocated for us, and nobody else has it.
        return unsafe { Tensor::from_ptr(output) };
    }
    // SAFETY: a text that was allocated for us.
    let message = unsafe {
        let message = CStr::from_ptr(failed).to_string_lossy().into_owned();
        free(failed.cast());
        message
    };
    std::panic::panic_any(message)
}
