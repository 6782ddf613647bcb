use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting, cross_entropy, normalise};
use crate::head::Quantizer;
use crate::pass::Pass;
use crate::scope::Scope;

#[derive(Module, Debug)]
pub struct InfoNce {
    negatives: usize,
    temperature: f64,
}

impl InfoNce {
    pub fn new(parameters: &parameters::InfoNce, _: &Setting, _: &Scope) -> Self {
        Self { negatives: parameters.negatives, temperature: parameters.temperature }
    }
}

impl Criterion for InfoNce {
    fn loss(&self, pass: &Pass, outputs: &Outputs, quantizer: Option<&Quantizer>) -> Option<Loss> {
        let (frames, masked) = (outputs.frames.as_ref()?, outputs.masked.as_ref()?);
        let quantised = outputs.quantised.as_ref()?;
        let context = quantizer?.compare(pass, &masked.pick(&frames.context));
        let (batch, count) = (context.size()[0], context.size()[1]);
        let negatives = pass.draw(|random| {
            let other = |own: i64| match random.below((count - 1).max(1) as u64) as i64 {
                drawn if drawn >= own && count > 1 => drawn + 1,
                drawn => drawn,
            };
            let mut other = other;
            let frames = (0..batch).flat_map(|_| 0..count);
            frames.flat_map(|own| vec![own; self.negatives]).map(&mut other).collect::<Vec<i64>>()
        });
        let negatives =
            Tensor::from_slice(&negatives).reshape([batch, count, -1]).to_device(context.device());
        let codes = &quantised.codes;
        let same = codes.unsqueeze(1).eq_tensor(&codes.unsqueeze(2)).all_dim(-1, false);
        let logits = logits(&context, &quantised.targets, &negatives, &same, self.temperature);
        Some(Loss::with(first(&logits), measured(&logits)))
    }
}

/// Logits of a frame's own target, then of its negatives, `[batch · frames, 1 + negatives]`: cosines over the
/// temperature, −∞ where a negative is the target itself.
///
/// `context` and `targets` are `[batch, frames, dim]`, `negatives` `[batch, frames, negatives]` with places among the
/// frames, `same` `[batch, frames, frames]` tells whose targets are equal.
pub fn logits(
    context: &Tensor,
    targets: &Tensor,
    negatives: &Tensor,
    same: &Tensor,
    temperature: f64,
) -> Tensor {
    // All cosines of a clip at once are less work than picking a vector for each negative.
    let cosines = normalise(context).bmm(&normalise(targets).transpose(1, 2)) / temperature;
    let own = cosines.diagonal(0, 1, 2).unsqueeze(-1);
    let others = cosines.masked_fill(same, f64::NEG_INFINITY).gather(2, negatives, false);
    Tensor::cat(&[own, others], 2).flatten(0, 1)
}

/// The share of frames whose target is told from all others, and what guessing would come to. Where all negatives are the
/// target itself there is nothing to tell, and nothing is right.
fn measured(logits: &Tensor) -> Vec<(&'static str, Tensor)> {
    tch::no_grad(|| {
        let others =
            logits.narrow(1, 1, logits.size()[1] - 1).isfinite().sum_dim_intlist(1, false, Kind::Float);
        let told = logits.argmax(-1, false).eq(0).logical_and(&others.greater(0.0)).to_kind(Kind::Float);
        let guessed = (&others + 1.0).reciprocal() * others.greater(0.0).to_kind(Kind::Float);
        vec![("accuracy", told.mean(Kind::Float)), ("chance", guessed.mean(Kind::Float))]
    })
}

/// The cross-entropy of logits whose first is right.
pub fn first(logits: &Tensor) -> Tensor {
    cross_entropy(logits, &Tensor::zeros(logits.size()[0], (Kind::Int64, logits.device())))
}
