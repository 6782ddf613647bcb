//! Where tensors live.

mod deterministic;

use etude_learning::device::Device as Wanted;
use tch::{Cuda, Device, Kind, Tensor};

use crate::error::Error;

pub use deterministic::deterministic;

/// The device that is asked for.
pub fn find(wanted: Wanted) -> Result<Device, Error> {
    let count = usize::try_from(Cuda::device_count()).unwrap_or(0);
    match wanted {
        Wanted::Auto if count > 0 => Ok(Device::Cuda(0)),
        Wanted::Auto | Wanted::Cpu => Ok(Device::Cpu),
        Wanted::Cuda(index) if index < count => Ok(Device::Cuda(index)),
        Wanted::Cuda(index) => Err(Error::Input(format!(
            "there is no device cuda:{index}: libtorch finds {count} GPUs (`device: auto` takes what is there; a \
             PyTorch with CUDA is used where LIBTORCH names its folder)"
        ))),
    }
}

/// Values of the host, on a device. To a GPU they go from pinned memory, and the host does not wait for them: they are
/// copied when the GPU is done with what it was given before.
pub fn bring(values: &[f32], shape: &[i64], device: Device) -> Tensor {
    let values = Tensor::from_slice(values).reshape(shape);
    match device {
        Device::Cuda(_) => values.pin_memory(device).to_device_(device, Kind::Float, true, false),
        _ => values.to_device(device),
    }
}

/// How many threads libtorch's operations use; to be set before the first of them.
pub fn set_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    warm_up();
}

/// Calls each part of MKL once, from one thread. It chooses its kernels at the first call, and of threads that make that call
/// together one may be given others: once in some dozens of runs half of a first batch differed in its last bits.
fn warm_up() {
    tch::no_grad(|| {
        // So small that no other thread takes part.
        let few = Tensor::ones([4, 4], (Kind::Float, Device::Cpu));
        let functions =
            [few.exp(), few.log(), few.log1p(), few.sqrt(), few.tanh(), few.erf(), few.sin(), few.cos()];
        let wave = few.fft_rfft(None, -1, "backward").fft_irfft(4, -1, "backward");
        drop((functions, wave, few.matmul(&few)));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_named() {
        assert_eq!(find(Wanted::Cpu).unwrap(), Device::Cpu);
        let error = find(Wanted::Cuda(1000)).unwrap_err().to_string();
        assert!(error.contains("cuda:1000"), "{error}");
    }
}
