use burn::module::Module;
use etude_learning::encoder as parameters;
use etude_pipeline::flow::Sampling;
use tch::Kind;

use super::front_end::FrontEnd;
use super::residual::Residual;
use super::{Clips, Encoded, Network};
use crate::pass::Pass;
use crate::scope::Scope;

/// Residual blocks that are each halved by their maxima, and the mean over what remains.
#[derive(Module, Debug)]
pub struct Vggish {
    #[module(skip)]
    front_end: FrontEnd,
    blocks: Vec<Residual>,
}

impl Vggish {
    pub fn new(parameters: &parameters::Vggish, sampling: Sampling, scope: &Scope) -> Self {
        let front_end = FrontEnd::new(parameters.mel.as_ref(), sampling, scope.device());
        let (planes, channels) = (front_end.planes(), &parameters.channels);
        let blocks = std::iter::once(&planes).chain(channels).zip(channels).enumerate();
        let blocks = blocks.map(|(index, (inputs, outputs))| {
            Residual::new(&scope.at("blocks").at(index), [*inputs, *outputs], 1, true)
        });
        let blocks = blocks.collect();
        Self { front_end, blocks }
    }
}

impl Network for Vggish {
    fn encode(&self, pass: &Pass, clips: &Clips<'_>) -> Encoded {
        let image = self.front_end.image(clips.values);
        let features = self.blocks.iter().fold(image, |features, block| {
            block.forward(pass, &features).max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)
        });
        features.mean_dim([2i64, 3].as_slice(), false, Kind::Float).into()
    }
}
