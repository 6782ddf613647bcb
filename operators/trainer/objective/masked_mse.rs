use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::masked_cross_entropy::bands;
use super::{Criterion, Loss, Outputs, Setting};
use crate::encoder::spectrogram::Mel;
use crate::head::Quantizer;
use crate::layer::Linear;
use crate::pass::{Pass, f32};
use crate::scope::Scope;

#[derive(Module, Debug)]
pub struct MaskedMse {
    #[module(skip)]
    mel: Mel,
    head: Linear,
}

impl MaskedMse {
    pub fn new(parameters: &parameters::MaskedMse, setting: &Setting, scope: &Scope) -> Self {
        let width = setting.frames.map_or(1, |frames| frames.width);
        Self {
            mel: bands(setting, parameters.n_mels, scope),
            head: Linear::new(&scope.at("head"), width, parameters.n_mels, true),
        }
    }
}

impl Criterion for MaskedMse {
    fn loss(&self, pass: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let (frames, masked) = (outputs.frames.as_ref()?, outputs.masked.as_ref()?);
        let bands = self.mel.forward(&outputs.audio).transpose(1, 2);
        let guesses = f32(&self.head.forward(pass, &masked.pick(&frames.context)));
        Some(mean_square(&guesses, &masked.pick(&bands)).into())
    }
}

/// The mean squared difference.
pub fn mean_square(left: &Tensor, right: &Tensor) -> Tensor {
    (left - right).square().mean(Kind::Float)
}
