use burn::module::Module;
use etude_learning::encoder as parameters;
use tch::{Kind, Tensor};

use super::residual::Residual;
use super::spectrogram::Mel;
use super::{Encoded, Network};
use crate::pass::Pass;
use crate::scope::Scope;

/// Residual blocks that are each halved by their maxima, and the mean over what remains.
#[derive(Module, Debug)]
pub struct Vggish {
    #[module(skip)]
    mel: Mel,
    blocks: Vec<Residual>,
}

impl Vggish {
    pub fn new(parameters: &parameters::Vggish, rate: u32, scope: &Scope) -> Self {
        let channels = &parameters.channels;
        let blocks = std::iter::once(&1).chain(channels).zip(channels).enumerate();
        let blocks = blocks.map(|(index, (inputs, outputs))| {
            Residual::new(&scope.at("blocks").at(index), [*inputs, *outputs], 1, true)
        });
        Self { mel: Mel::new(&parameters.mel, rate, scope.device()), blocks: blocks.collect() }
    }
}

impl Network for Vggish {
    fn encode(&self, pass: &Pass, audio: &Tensor, _: Option<&Tensor>) -> Encoded {
        let image = self.mel.forward(audio).unsqueeze(1);
        let features = self.blocks.iter().fold(image, |features, block| {
            block.forward(pass, &features).max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)
        });
        features.mean_dim([2i64, 3].as_slice(), false, Kind::Float).into()
    }
}
