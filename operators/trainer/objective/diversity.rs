use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting};
use crate::head::Quantizer;
use crate::pass::Pass;
use crate::scope::Scope;

#[derive(Module, Debug)]
pub struct Diversity {}

impl Diversity {
    pub fn new(_: &parameters::Diversity, _: &Setting, _: &Scope) -> Self {
        Self {}
    }
}

impl Criterion for Diversity {
    fn loss(&self, _: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let (value, perplexity) = diversity(&outputs.quantised.as_ref()?.logits);
        Some(Loss::with(value, vec![("perplexity", perplexity)]))
    }
}

/// The share of entries that the perplexity of their mean probabilities leaves unused, and that perplexity, summed
/// over the groups (wav2vec 2.0, arXiv 2006.11477, equation 4). Logits are `[frames, groups, entries]`.
pub fn diversity(logits: &Tensor) -> (Tensor, Tensor) {
    let all = (logits.size()[1] * logits.size()[2]) as f64;
    let mean = logits.softmax(-1, Kind::Float).mean_dim(0i64, false, Kind::Float);
    let entropy = -(&mean * mean.clamp_min(1e-30).log()).sum_dim_intlist(-1, false, Kind::Float);
    let perplexity = entropy.exp().sum(Kind::Float);
    ((&perplexity * -1.0 + all) / all, perplexity)
}
