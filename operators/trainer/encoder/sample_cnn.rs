use burn::module::Module;
use etude_learning::encoder as parameters;
use etude_pipeline::flow::Sampling;
use tch::Kind;

use super::{Clips, Encoded, Network};
use crate::layer::{BatchNorm, Conv1d};
use crate::pass::Pass;
use crate::scope::Scope;

/// Convolutions of 3 samples: the first with stride 3, the others but the last with the maximum of 3.
#[derive(Module, Debug)]
pub struct SampleCnn {
    layers: Vec<Layer>,
}

#[derive(Module, Debug)]
struct Layer {
    conv: Conv1d,
    norm: BatchNorm,
}

impl SampleCnn {
    pub fn new(parameters: &parameters::SampleCnn, _: Sampling, scope: &Scope) -> Self {
        let outputs = parameters.channels.iter().chain(std::iter::once(&parameters.output));
        let inputs = std::iter::once(&1).chain(&parameters.channels);
        let layers = inputs.zip(outputs).enumerate().map(|(index, (inputs, outputs))| {
            let scope = scope.at("layers").at(index);
            let (stride, padding) = if index == 0 { (3, 0) } else { (1, 1) };
            Layer {
                conv: Conv1d::new(&scope.at("conv"), [*inputs, *outputs], 3, stride, padding, true),
                norm: BatchNorm::new(&scope.at("norm"), *outputs),
            }
        });
        Self { layers: layers.collect() }
    }
}

impl Network for SampleCnn {
    fn encode(&self, pass: &Pass, clips: &Clips<'_>) -> Encoded {
        let last = self.layers.len() - 1;
        let features =
            self.layers.iter().enumerate().fold(clips.values.unsqueeze(1), |features, (index, layer)| {
                let pool = if index == 0 || index == last { 1 } else { 3 };
                layer.norm.pooled(pass, &layer.conv.forward(pass, &features), pool)
            });
        features.mean_dim(2i64, false, Kind::Float).into()
    }
}
