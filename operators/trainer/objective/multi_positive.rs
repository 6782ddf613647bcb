use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting, diagonal, normalise};
use crate::head::Quantizer;
use crate::pass::Pass;
use crate::scope::Scope;

#[derive(Module, Debug)]
pub struct MultiPositive {
    temperature: f64,
}

impl MultiPositive {
    pub fn new(parameters: &parameters::MultiPositive, _: &Setting, _: &Scope) -> Self {
        Self { temperature: parameters.temperature }
    }
}

impl Criterion for MultiPositive {
    fn loss(&self, _: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let z = outputs.projections.as_ref()?;
        let labels = Tensor::from_slice(&outputs.items.repeat(outputs.views)).to_device(z.device());
        let same = labels.unsqueeze(0).eq_tensor(&labels.unsqueeze(1)).sum_dim_intlist(1, false, Kind::Float);
        let have = same.greater(1.0).to_kind(Kind::Float).mean(Kind::Float);
        Some(Loss::with(multi_positive(z, &labels, self.temperature), vec![("with_positives", have)]))
    }
}

/// Contrast with several positives (Khosla et al. 2020, arXiv 2004.11362, equation 2), one value: rows `[n, dim]`
/// with equal labels `[n]` are positives of each other. The mean over the rows that have one.
pub fn multi_positive(z: &Tensor, labels: &Tensor, temperature: f64) -> Tensor {
    let rows = z.size()[0];
    let z = normalise(z);
    let itself = diagonal(rows, &z);
    let similarity = z.matmul(&z.transpose(0, 1)) / temperature;
    let logarithm = similarity.masked_fill(&itself, f64::NEG_INFINITY).log_softmax(1, Kind::Float);
    let same = labels.unsqueeze(0).eq_tensor(&labels.unsqueeze(1)).logical_and(&itself.logical_not());
    let positives = same.sum_dim_intlist(1, false, Kind::Float);
    let sum = logarithm.masked_fill(&same.logical_not(), 0.0).sum_dim_intlist(1, false, Kind::Float);
    let have = positives.greater(0.0).to_kind(Kind::Float);
    let mean = sum / positives.clamp_min(1.0);
    -(mean * &have).sum(Kind::Float) / have.sum(Kind::Float).clamp_min(1.0)
}
