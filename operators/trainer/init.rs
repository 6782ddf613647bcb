//! Initial weights, drawn on the host: the same seed gives the same weights whatever libtorch does.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use etude_pipeline::random::Random;

/// `count` values, uniform in [−`bound`, `bound`), of the stream that (`seed`, `path`) names.
pub fn uniform(seed: u64, path: &str, count: usize, bound: f32) -> Vec<f32> {
    let seed = seed.to_le_bytes();
    let mut random = Random::keyed(&[b"weights".as_slice(), seed.as_slice(), path.as_bytes()]);
    let bound = f64::from(bound);
    (0..count).map(|_| ((2.0 * random.uniform() - 1.0) * bound) as f32).collect()
}

/// PyTorch's bound for the weights and biases of linear and convolutional layers, 1/√`inputs`:
/// its kaiming_uniform_ with a = √5 (torch.nn.Linear.reset_parameters).
pub fn bound(inputs: usize) -> f32 {
    (1.0 / inputs as f64).sqrt() as f32
}

/// A trained tensor of that shape from row-major values.
pub fn parameter<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_and_path_name_the_values() {
        assert_eq!(uniform(1, "a", 100, 0.5), uniform(1, "a", 100, 0.5));
        assert_ne!(uniform(1, "a", 100, 0.5), uniform(2, "a", 100, 0.5));
        assert_ne!(uniform(1, "a", 100, 0.5), uniform(1, "b", 100, 0.5));
    }

    #[test]
    fn values_fill_the_bound_on_both_sides() {
        let values = uniform(1, "a", 10_000, 0.5);
        assert!(values.iter().all(|value| value.abs() <= 0.5));
        assert!(values.iter().any(|value| *value > 0.49) && values.iter().any(|value| *value < -0.49));
    }
}
