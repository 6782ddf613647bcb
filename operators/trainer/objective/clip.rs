use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting, cross_entropy, halves, normalise};
use crate::head::Quantizer;
use crate::pass::Pass;
use crate::scope::Scope;
use crate::torch::{Weight, tensor};

/// What the scale of the logits cannot exceed (CLIP, arXiv 2103.00020, section 2.5).
const LARGEST_SCALE: f64 = 100.0;

#[derive(Module, Debug)]
pub struct Clip {
    /// The logarithm of 1 over the temperature, `[1]`.
    logit_scale: Weight<1>,
}

impl Clip {
    pub fn new(parameters: &parameters::Clip, _: &Setting, scope: &Scope) -> Self {
        let logarithm = (1.0 / parameters.temperature).ln();
        Self { logit_scale: scope.at("logit_scale").constant([1], logarithm) }
    }
}

impl Criterion for Clip {
    fn loss(&self, _: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let [left, right] = halves(outputs.projections.as_ref()?);
        let logarithm = tensor(&self.logit_scale).clamp_max(LARGEST_SCALE.ln());
        let value = clip(&left, &right, &logarithm);
        Some(Loss::with(value, vec![("temperature", (-logarithm).exp())]))
    }
}

/// Symmetric cross-entropy: each row of `a` has to find its row of `b`, both `[n, dim]`, and the other way round.
/// `logarithm` is that of the scale of the cosines.
pub fn clip(a: &Tensor, b: &Tensor, logarithm: &Tensor) -> Tensor {
    let logits = normalise(a).matmul(&normalise(b).transpose(0, 1)) * logarithm.exp();
    let own = Tensor::arange(a.size()[0], (Kind::Int64, a.device()));
    (cross_entropy(&logits, &own) + cross_entropy(&logits.transpose(0, 1), &own)) / 2.0
}
