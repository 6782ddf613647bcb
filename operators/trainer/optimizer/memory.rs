//! A tensor's memory as a slice.

use tch::{Device, Kind, Tensor};

/// The values of a tensor, to be changed; none where they are not f32, one after another, on the CPU.
///
/// The caller holds no other slice of the same tensor, and nothing computes with it meanwhile.
#[expect(unsafe_code, reason = "one pass over the values instead of libtorch's several")]
pub fn values(tensor: &mut Tensor) -> Option<&mut [f32]> {
    let plain = tensor.device() == Device::Cpu && tensor.kind() == Kind::Float && tensor.is_contiguous();
    if !plain || tensor.numel() == 0 {
        return None;
    }
    // SAFETY: a contiguous f32 tensor on the CPU has `numel` values at `data_ptr`, which live as long as it does, and
    // `tensor` is borrowed alone.
    Some(unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast::<f32>(), tensor.numel()) })
}
