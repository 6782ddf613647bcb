use burn::module::Module;
use etude_learning::objective::{self as parameters, Bands};
use tch::{Kind, Tensor};

use super::target::Target;
use super::{Criterion, Loss, Outputs, Setting, cross_entropy, normalise};
use crate::head::Quantizer;
use crate::layer::Linear;
use crate::pass::{Pass, f32};
use crate::scope::Scope;
use crate::torch::{Weight, tensor};

#[derive(Module, Debug)]
pub struct MaskedCrossEntropy {
    #[module(skip)]
    target: Target,
    /// From a frame to what codebooks are searched by, `[codebooks, values, dim]`; frozen.
    projections: Weight<3>,
    /// Unit vectors, `[codebooks, size, dim]`; frozen.
    codebooks: Weight<3>,
    head: Linear,
}

impl MaskedCrossEntropy {
    pub fn new(parameters: &parameters::MaskedCrossEntropy, setting: &Setting, scope: &Scope) -> Self {
        let parameters::MaskedCrossEntropy { codebooks, size, dim, .. } = *parameters;
        let target = Target::new(setting, Bands(parameters.n_mels), scope.device());
        let values = target.width();
        let width = setting.frames.map_or(1, |frames| frames.width);
        // Xavier's uniform for the projection and normal vectors for the codebook (BEST-RQ, section 3.2).
        let limit = (6.0 / (values + dim) as f64).sqrt();
        let projections: Weight<3> = scope.at("projections").uniform([codebooks, values, dim], limit);
        let vectors: Weight<3> = scope.at("codebooks").normal([codebooks, size, dim], 1.0);
        scope.settle(|| tensor(&vectors).copy_(&normalise(&tensor(&vectors))));
        for frozen in [&projections, &vectors] {
            let _ = tensor(frozen).set_requires_grad(false);
        }
        Self {
            target,
            projections,
            codebooks: vectors,
            head: Linear::new(&scope.at("head"), width, codebooks * size, true),
        }
    }

    /// Frames `[batch, frames, values]` to codes `[batch, frames, codebooks]`.
    pub fn codes(&self, frames: &Tensor) -> Tensor {
        tch::no_grad(|| {
            let (projections, codebooks) = (tensor(&self.projections), tensor(&self.codebooks));
            // The nearest of unit vectors is that of the greatest product.
            let searched = frames.unsqueeze(1).matmul(&projections);
            searched.matmul(&codebooks.transpose(1, 2)).argmax(-1, false).transpose(1, 2)
        })
    }
}

impl Criterion for MaskedCrossEntropy {
    fn loss(&self, pass: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let (frames, masked) = (outputs.frames.as_ref()?, outputs.masked.as_ref()?);
        let codes = self.codes(&masked.pick(&self.target.of(&outputs.whole))).flatten(0, 2);
        let logits = f32(&self.head.forward(pass, &masked.pick(&frames.context)));
        let logits = logits.view([codes.size()[0], -1]);
        let right = logits.argmax(-1, false).eq_tensor(&codes).to_kind(Kind::Float).mean(Kind::Float);
        Some(Loss::with(cross_entropy(&logits, &codes), vec![("accuracy", right)]))
    }
}
