//! Initial values, drawn on the host: the same seed gives the same values whatever libtorch does.

use etude_pipeline::random::Random;
use tch::{Device, Kind, Tensor};

use crate::torch::{Weight, weight};

/// Where in a model a module is built. Its path names its random numbers.
#[derive(Clone)]
pub struct Scope {
    seed: u64,
    path: String,
    device: Device,
    /// Whether tensors have their shape and no memory.
    hollow: bool,
}

impl Scope {
    /// The scope of a whole model.
    pub fn root(seed: u64, device: Device) -> Self {
        Self { seed, path: String::new(), device, hollow: false }
    }

    /// The scope of a model of which only names and shapes are asked: its tensors take no memory.
    pub fn hollow() -> Self {
        Self { hollow: true, ..Self::root(0, Device::Cpu) }
    }

    /// Changes what was drawn, without a gradient.
    pub fn settle(&self, change: impl FnOnce()) {
        if !self.hollow {
            tch::no_grad(change);
        }
    }

    /// The scope of a field, or of an element of a list.
    pub fn at(&self, name: impl std::fmt::Display) -> Self {
        let path = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        Self { path, ..self.clone() }
    }

    /// Where tensors live.
    pub fn device(&self) -> Device {
        self.device
    }

    /// A trained field, uniform in [−`bound`, `bound`).
    pub fn uniform<const D: usize>(&self, shape: [usize; D], bound: f64) -> Weight<D> {
        self.drawn(shape, |random| (2.0 * random.uniform() - 1.0) * bound)
    }

    /// A trained field, uniform in [0, 1).
    pub fn unit<const D: usize>(&self, shape: [usize; D]) -> Weight<D> {
        self.drawn(shape, Random::uniform)
    }

    /// A trained field, normal around 0.
    pub fn normal<const D: usize>(&self, shape: [usize; D], deviation: f64) -> Weight<D> {
        self.drawn(shape, |random| random.normal() * deviation)
    }

    /// A trained field with one value everywhere.
    pub fn constant<const D: usize>(&self, shape: [usize; D], value: f64) -> Weight<D> {
        self.drawn(shape, |_| value)
    }

    /// A field that is kept but not trained, with one value everywhere.
    pub fn buffer<const D: usize>(&self, shape: [usize; D], value: f64) -> Weight<D> {
        if self.hollow {
            return weight(nothing(&shape));
        }
        weight(Tensor::full(sizes(&shape), value, (Kind::Float, self.device)))
    }

    fn drawn<const D: usize>(&self, shape: [usize; D], draw: impl Fn(&mut Random) -> f64) -> Weight<D> {
        if self.hollow {
            return weight(nothing(&shape).set_requires_grad(true));
        }
        let mut random = Random::keyed(&[b"weights", &self.seed.to_le_bytes(), self.path.as_bytes()]);
        let values: Vec<f32> =
            (0..shape.iter().product::<usize>()).map(|_| draw(&mut random) as f32).collect();
        let tensor = Tensor::from_slice(&values).reshape(sizes(&shape)).to_device(self.device);
        weight(tensor.set_requires_grad(true))
    }
}

/// PyTorch's bound for the weights and biases of linear and convolutional layers, 1/√`inputs`: its kaiming_uniform_
/// with a = √5 (torch.nn.Linear.reset_parameters).
pub fn bound(inputs: usize) -> f64 {
    (1.0 / inputs.max(1) as f64).sqrt()
}

/// A tensor of which all values are one and the same.
fn nothing(shape: &[usize]) -> Tensor {
    Tensor::zeros([1], (Kind::Float, Device::Cpu)).expand(sizes(shape), false)
}

fn sizes(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|size| *size as i64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torch::tensor;

    fn values(scope: &Scope) -> Vec<f32> {
        Vec::try_from(tensor(&scope.uniform([10_000], 0.5))).unwrap()
    }

    #[test]
    fn seed_and_path_name_the_values() {
        let root = Scope::root(1, Device::Cpu);
        assert_eq!(values(&root.at("a")), values(&root.at("a")));
        assert_ne!(values(&root.at("a")), values(&root.at("b")));
        assert_ne!(values(&root.at("a")), values(&Scope::root(2, Device::Cpu).at("a")));
    }

    #[test]
    fn values_fill_the_bound_on_both_sides() {
        let values = values(&Scope::root(1, Device::Cpu));
        assert!(values.iter().all(|value| value.abs() <= 0.5));
        assert!(values.iter().any(|value| *value > 0.49) && values.iter().any(|value| *value < -0.49));
    }
}
