//! Burn's parameters as libtorch's tensors.
//!
//! Modules are Burn modules: their fields are parameters, and Burn finds them by their paths. What a module computes
//! is written with libtorch's own operations, and libtorch differentiates it: a parameter that is trained is a leaf of
//! its tape. So convolution, norms and attention have PyTorch's own backward passes, and its speed.
#![expect(deprecated, reason = "Burn 0.22 announces the end of its libtorch backend but still ships it")]

use burn::backend::LibTorch;
use burn::backend::libtorch::TchTensor;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor as BurnTensor;
use tch::Tensor;

/// A parameter or buffer of a module.
pub type Weight<const D: usize> = Param<BurnTensor<D>>;

/// Tensors by their dotted paths.
pub type Named = Vec<(String, Tensor)>;

/// A module's field that shares the tensor's memory.
pub fn weight<const D: usize>(tensor: Tensor) -> Weight<D> {
    Param::initialized(ParamId::new(), BurnTensor::from_primitive::<LibTorch>(TchTensor::new(tensor)))
}

/// The tensor of a field: not a copy, but the same.
pub fn tensor<const D: usize>(weight: &Weight<D>) -> Tensor {
    // All fields come from `weight`, so there is no other backend; libtorch refuses an undefined tensor.
    weight
        .val()
        .try_into_primitive::<LibTorch>()
        .map_or_else(|_| Tensor::new(), |primitive| primitive.tensor.shallow_clone())
}

/// All tensors of a module, sorted by path. The names of enum variants are no part of a path.
pub fn named(module: &impl Module) -> Named {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.found.sort_by(|left, right| left.0.cmp(&right.0));
    collector.found
}

/// Those that are trained.
pub fn trained(tensors: &Named) -> impl Iterator<Item = &(String, Tensor)> {
    tensors.iter().filter(|(_, tensor)| tensor.requires_grad())
}

#[derive(Default)]
struct Collector {
    path: Vec<(String, bool)>,
    found: Named,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push((name.to_owned(), !container.starts_with("Enum:")));
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<BurnTensor<D>>) {
        let names: Vec<&str> =
            self.path.iter().filter(|(_, named)| *named).map(|(name, _)| name.as_str()).collect();
        self.found.push((names.join("."), tensor(param)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn a_field_is_the_tensor_and_no_copy() {
        let leaf = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let field: Weight<2> = weight(leaf.shallow_clone());
        let loss = (tensor(&field) * 2.0).sum(Kind::Float);
        loss.backward();
        assert_eq!(Vec::<f32>::try_from(leaf.grad().flatten(0, -1)).unwrap(), [2.0; 6]);
        let _ = tch::no_grad(|| tensor(&field).fill_(1.5));
        assert_eq!(leaf.double_value(&[1, 2]), 1.5);
        assert_eq!(tensor(&field.clone()).data_ptr(), leaf.data_ptr());
    }
}
