use burn::module::Module;
use etude_learning::objective::{self as parameters, Bands};
use tch::{Kind, Tensor};

use super::target::Target;
use super::{Criterion, Loss, Outputs, Setting};
use crate::head::Quantizer;
use crate::layer::Linear;
use crate::pass::{Pass, f32};
use crate::scope::Scope;

#[derive(Module, Debug)]
pub struct MaskedMse {
    #[module(skip)]
    target: Target,
    head: Linear,
}

impl MaskedMse {
    pub fn new(parameters: &parameters::MaskedMse, setting: &Setting, scope: &Scope) -> Self {
        let width = setting.frames.map_or(1, |frames| frames.width);
        let target = Target::new(setting, Bands(parameters.n_mels), scope.device());
        Self { head: Linear::new(&scope.at("head"), width, target.width(), true), target }
    }
}

impl Criterion for MaskedMse {
    fn loss(&self, pass: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let (frames, masked) = (outputs.frames.as_ref()?, outputs.masked.as_ref()?);
        let guesses = f32(&self.head.forward(pass, &masked.pick(&frames.context)));
        Some(mean_square(&guesses, &masked.pick(&self.target.of(&outputs.whole))).into())
    }
}

/// The mean squared difference.
pub fn mean_square(left: &Tensor, right: &Tensor) -> Tensor {
    (left - right).square().mean(Kind::Float)
}
