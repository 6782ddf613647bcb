use burn::module::Module;
use etude_learning::encoder as parameters;
use etude_pipeline::flow::Sampling;
use tch::Kind;

use super::front_end::FrontEnd;
use super::{Clips, Encoded, Network};
use crate::layer::{BatchNorm, Conv2d};
use crate::pass::Pass;
use crate::scope::Scope;

/// Blocks that each halve frequency and time, and the mean over what remains.
#[derive(Module, Debug)]
pub struct Cnn {
    #[module(skip)]
    front_end: FrontEnd,
    blocks: Vec<Block>,
}

/// Convolution with stride 2, batch normalisation, ReLU.
#[derive(Module, Debug)]
struct Block {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Cnn {
    pub fn new(parameters: &parameters::Cnn, sampling: Sampling, scope: &Scope) -> Self {
        let front_end = FrontEnd::new(parameters.mel.as_ref(), sampling, scope.device());
        let (planes, channels) = (front_end.planes(), &parameters.channels);
        let blocks = std::iter::once(&planes).chain(channels).zip(channels).enumerate();
        let blocks = blocks.map(|(index, (inputs, outputs))| {
            let scope = scope.at("blocks").at(index);
            Block {
                conv: Conv2d::new(&scope.at("conv"), [*inputs, *outputs], 3, 2, 1),
                norm: BatchNorm::new(&scope.at("norm"), *outputs),
            }
        });
        let blocks = blocks.collect();
        Self { front_end, blocks }
    }
}

impl Network for Cnn {
    fn encode(&self, pass: &Pass, clips: &Clips<'_>) -> Encoded {
        let image = self.front_end.image(clips.values);
        let features = self.blocks.iter().fold(image, |features, block| {
            block.norm.forward(pass, &block.conv.forward(pass, &features)).relu_()
        });
        features.mean_dim([2i64, 3].as_slice(), false, Kind::Float).into()
    }
}
