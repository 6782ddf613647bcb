use burn::module::Module;
use etude_learning::objective as parameters;
use tch::Kind;

use super::{Criterion, Loss, Outputs, Setting};
use crate::head::Quantizer;
use crate::layer::Linear;
use crate::pass::{Pass, f32};
use crate::scope::Scope;

#[derive(Module, Debug)]
pub struct MaskedFeatures {
    head: Linear,
}

impl MaskedFeatures {
    pub fn new(_: &parameters::MaskedFeatures, setting: &Setting, scope: &Scope) -> Self {
        let width = setting.frames.map_or(1, |frames| frames.width);
        Self { head: Linear::new(&scope.at("head"), width, setting.sides[1], true) }
    }
}

impl Criterion for MaskedFeatures {
    fn loss(&self, pass: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let (frames, masked) = (outputs.frames.as_ref()?, outputs.masked.as_ref()?);
        let right = masked.pick(outputs.features.as_ref()?);
        let guess = f32(&self.head.forward(pass, &masked.pick(&frames.context)));
        // What is no number is not there, and gives no gradient.
        let there = right.isnan().logical_not();
        let error = (guess - right.nan_to_num(0.0, None, None)) * &there;
        let count = there.sum(Kind::Float).clamp_min(1.0);
        Some((error.square().sum(Kind::Float) / count).into())
    }
}
