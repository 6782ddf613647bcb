use burn::module::Module;
use etude_learning::objective as parameters;
use tch::Kind;

use super::{Criterion, Loss, Outputs, Setting, cross_entropy};
use crate::head::Quantizer;
use crate::layer::Linear;
use crate::pass::{Pass, f32};
use crate::scope::Scope;

#[derive(Module, Debug)]
pub struct MaskedCodes {
    head: Linear,
}

impl MaskedCodes {
    pub fn new(parameters: &parameters::MaskedCodes, setting: &Setting, scope: &Scope) -> Self {
        let width = setting.frames.map_or(1, |frames| frames.width);
        Self { head: Linear::new(&scope.at("head"), width, setting.targets * parameters.codes, true) }
    }
}

impl Criterion for MaskedCodes {
    fn loss(&self, pass: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let (frames, masked) = (outputs.frames.as_ref()?, outputs.masked.as_ref()?);
        let codes = masked.pick(outputs.targets.as_ref()?).flatten(0, 2);
        let logits = f32(&self.head.forward(pass, &masked.pick(&frames.context)));
        let logits = logits.view([codes.size()[0], -1]);
        let right = logits.argmax(-1, false).eq_tensor(&codes).to_kind(Kind::Float).mean(Kind::Float);
        Some(Loss::with(cross_entropy(&logits, &codes), vec![("accuracy", right)]))
    }
}
