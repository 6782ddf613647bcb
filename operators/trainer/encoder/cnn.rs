use burn::module::Module;
use etude_learning::encoder as parameters;
use tch::{Kind, Tensor};

use super::spectrogram::Mel;
use super::{Encoded, Network};
use crate::layer::{BatchNorm, Conv2d};
use crate::pass::Pass;
use crate::scope::Scope;

/// Blocks that each halve frequency and time, and the mean over what remains.
#[derive(Module, Debug)]
pub struct Cnn {
    #[module(skip)]
    mel: Mel,
    blocks: Vec<Block>,
}

/// Convolution with stride 2, batch normalisation, ReLU.
#[derive(Module, Debug)]
struct Block {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Cnn {
    pub fn new(parameters: &parameters::Cnn, rate: u32, scope: &Scope) -> Self {
        let channels = &parameters.channels;
        let blocks = std::iter::once(&1).chain(channels).zip(channels).enumerate();
        let blocks = blocks.map(|(index, (inputs, outputs))| {
            let scope = scope.at("blocks").at(index);
            Block {
                conv: Conv2d::new(&scope.at("conv"), [*inputs, *outputs], 3, 2, 1),
                norm: BatchNorm::new(&scope.at("norm"), *outputs),
            }
        });
        Self { mel: Mel::new(&parameters.mel, rate, scope.device()), blocks: blocks.collect() }
    }
}

impl Network for Cnn {
    fn encode(&self, pass: &Pass, audio: &Tensor, _: Option<&Tensor>) -> Encoded {
        let image = self.mel.forward(audio).unsqueeze(1);
        let features = self.blocks.iter().fold(image, |features, block| {
            block.norm.forward(pass, &block.conv.forward(pass, &features)).relu_()
        });
        features.mean_dim([2i64, 3].as_slice(), false, Kind::Float).into()
    }
}
