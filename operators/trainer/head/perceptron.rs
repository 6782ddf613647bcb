use burn::module::Module;
use etude_learning::train::{HIDDEN, Norm, Predictor, Projector};
use tch::Tensor;

use crate::layer::{BatchNorm, Linear};
use crate::pass::{Pass, f32};
use crate::scope::Scope;

/// Linear layers with ReLU between them, as projector (SimCLR, arXiv 2002.05709, section 4.2) or predictor.
#[derive(Module, Debug)]
pub struct Perceptron {
    layers: Vec<Linear>,
    norms: Vec<BatchNorm>,
}

impl Perceptron {
    /// From vectors of `inputs` values to what objectives compare.
    pub fn projector(parameters: &Projector, inputs: usize, scope: &Scope) -> Self {
        let Projector { layers, hidden, outputs, norm, bias } = *parameters;
        Self::new(scope, &widths(inputs, hidden.unwrap_or(HIDDEN), outputs, layers), norm, bias)
    }

    /// From projections of `outputs` values to guesses at others.
    pub fn predictor(parameters: &Predictor, outputs: usize, scope: &Scope) -> Self {
        let Predictor { layers, hidden, norm, bias } = *parameters;
        Self::new(scope, &widths(outputs, hidden.unwrap_or(HIDDEN), outputs, layers), norm, bias)
    }

    fn new(scope: &Scope, widths: &[usize], norm: Norm, bias: bool) -> Self {
        let (layers, norms) = (scope.at("layers"), scope.at("norms"));
        let linear =
            |(index, pair): (usize, &[usize])| Linear::new(&layers.at(index), pair[0], pair[1], bias);
        let inner = if norm == Norm::Batch { &widths[1..widths.len() - 1] } else { &[] };
        Self {
            layers: widths.windows(2).enumerate().map(linear).collect(),
            norms: inner
                .iter()
                .enumerate()
                .map(|(index, width)| BatchNorm::new(&norms.at(index), *width))
                .collect(),
        }
    }

    /// `[batch, inputs]` to `[batch, outputs]`.
    pub fn forward(&self, pass: &Pass, input: &Tensor) -> Tensor {
        let mut values = input.shallow_clone();
        for (index, layer) in self.layers.iter().enumerate() {
            values = layer.forward(pass, &values);
            if index + 1 < self.layers.len() {
                values = match self.norms.get(index) {
                    Some(norm) => norm.forward(pass, &values).relu(),
                    None => values.relu(),
                };
            }
        }
        f32(&values)
    }
}

/// The widths from one end of a perceptron to the other.
fn widths(inputs: usize, hidden: usize, outputs: usize, layers: usize) -> Vec<usize> {
    let mut widths = vec![hidden; layers + 1];
    widths[0] = inputs;
    widths[layers] = outputs;
    widths
}
