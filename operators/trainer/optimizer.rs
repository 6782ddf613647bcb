//! The update of the weights.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;

use crate::model::Model;

/// AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) with β 0.9 and 0.999 and ε 1e-8, in PyTorch's form:
/// p ← p·(1 − lr·decay), then p ← p − lr·m̂/(√v̂ + ε). Biases and the gains of normalisation do not decay.
///
/// Burn computes the bias corrections in f32: a step differs from PyTorch's by up to 1.4e-5 of itself.
pub struct AdamW(ModuleOptimizer);

impl AdamW {
    /// The optimiser of `model`; `weight_decay` is what torch.optim.AdamW calls so.
    pub fn new(model: &Model, weight_decay: f64) -> Self {
        let config = AdamWConfig::new().with_beta_1(0.9).with_beta_2(0.999).with_epsilon(1e-8);
        let decaying = config.clone().with_weight_decay(weight_decay as f32).build();
        let lasting = config.with_weight_decay(0.0).build();
        let mut vectors = Vectors::default();
        model.visit(&mut vectors);
        let vectors = ParamGroup::from_ids(vectors.0);
        Self(ModuleOptimizer::from(decaying).with_group(vectors, lasting, None))
    }

    /// The model after one step.
    pub fn step(&mut self, model: Model, gradients: GradientsParams, learning_rate: f64) -> Model {
        self.0.step(learning_rate, model, gradients)
    }
}

/// The tensors of rank 1: all biases, and the gains of normalisation.
#[derive(Default)]
struct Vectors(Vec<ParamId>);

impl ModuleVisitor for Vectors {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D == 1 {
            self.0.push(param.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::device::cpu;

    const RATE: f64 = 0.01;
    const DECAY: f64 = 0.5;
    const STEPS: i32 = 3;

    fn gradient(index: usize, step: i32) -> f64 {
        (index as f64 + 2.0 * f64::from(step)).sin()
    }

    fn gradients(model: &Model, step: i32) -> GradientsParams {
        let mut gradients = GradientsParams::new();
        let values = |count: usize| (0..count).map(|index| gradient(index, step) as f32).collect::<Vec<_>>();
        let weight = TensorData::new(values(30), [6, 5]);
        let bias = TensorData::new(values(5), [5]);
        let input = &model.projector.input;
        gradients.register(input.weight.id, Tensor::<2>::from_data(weight, &cpu()));
        gradients.register(input.bias.as_ref().unwrap().id, Tensor::<1>::from_data(bias, &cpu()));
        gradients
    }

    /// torch.optim.AdamW in f64 over `STEPS` steps.
    fn reference(start: &[f32], decay: f64) -> Vec<f64> {
        let follow = |(index, start): (usize, &f32)| {
            let (mut value, mut first, mut second) = (f64::from(*start), 0.0, 0.0);
            for step in 1..=STEPS {
                let gradient = gradient(index, step);
                first = 0.9 * first + 0.1 * gradient;
                second = 0.999 * second + 0.001 * gradient * gradient;
                value *= 1.0 - RATE * decay;
                let (mean, square) =
                    (first / (1.0 - 0.9f64.powi(step)), second / (1.0 - 0.999f64.powi(step)));
                value -= RATE * mean / (square.sqrt() + 1e-8);
            }
            value
        };
        start.iter().enumerate().map(follow).collect()
    }

    fn assert_close(ours: &[f32], theirs: &[f64]) {
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!((f64::from(*ours) - theirs).abs() < 2e-6, "{ours} {theirs}");
        }
    }

    #[test]
    fn steps_are_pytorchs_and_biases_do_not_decay() {
        let weight = |model: &Model| model.projector.input.weight.val().try_into_vec_as::<f32>().unwrap();
        let bias = |model: &Model| {
            model.projector.input.bias.as_ref().unwrap().val().try_into_vec_as::<f32>().unwrap()
        };
        let mut model = Model::small(1, &cpu().autodiff());
        let start = (weight(&model), bias(&model));
        let mut optimizer = AdamW::new(&model, DECAY);

        for step in 1..=STEPS {
            let gradients = gradients(&model, step);
            model = optimizer.step(model, gradients, RATE);
        }

        assert_close(&weight(&model), &reference(&start.0, DECAY));
        assert_close(&bias(&model), &reference(&start.1, 0.0));
    }

    #[test]
    fn gains_of_normalisation_are_vectors() {
        let model = Model::small(1, &cpu().autodiff());
        let mut vectors = Vectors::default();
        model.visit(&mut vectors);
        // Two blocks with gain, offset, mean and variance each, and two linear biases.
        assert_eq!(vectors.0.len(), 10);
    }
}
