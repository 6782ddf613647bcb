use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Reduction, Tensor};

use super::{Criterion, Loss, Outputs, Setting};
use crate::head::Quantizer;
use crate::layer::Linear;
use crate::pass::{Pass, f32};
use crate::scope::Scope;

/// Stands where a frame has no code: nothing is predicted there.
const NONE: i64 = -100;

#[derive(Module, Debug)]
pub struct MaskedCodes {
    head: Linear,
}

impl MaskedCodes {
    pub fn new(parameters: &parameters::MaskedCodes, setting: &Setting, scope: &Scope) -> Self {
        let width = setting.frames.map_or(1, |frames| frames.width);
        Self { head: Linear::new(&scope.at("head"), width, setting.sides[0] * parameters.codes, true) }
    }
}

impl Criterion for MaskedCodes {
    fn loss(&self, pass: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let (frames, masked) = (outputs.frames.as_ref()?, outputs.masked.as_ref()?);
        let codes = masked.pick(outputs.targets.as_ref()?).flatten(0, 2);
        let codes = codes.nan_to_num(NONE as f64, None, None).to_kind(Kind::Int64);
        let logits = f32(&self.head.forward(pass, &masked.pick(&frames.context)));
        let logits = logits.view([codes.size()[0], -1]);
        let count = codes.ne(NONE).sum(Kind::Float).clamp_min(1.0);
        let right = logits.argmax(-1, false).eq_tensor(&codes).sum(Kind::Float) / &count;
        let sum = logits.cross_entropy_loss(&codes, None::<&Tensor>, Reduction::Sum, NONE, 0.0);
        Some(Loss::with(sum / count, vec![("accuracy", right)]))
    }
}
