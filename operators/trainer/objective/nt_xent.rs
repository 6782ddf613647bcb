use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting, cross_entropy, diagonal, normalise};
use crate::head::Quantizer;
use crate::pass::Pass;
use crate::scope::Scope;

#[derive(Module, Debug)]
pub struct NtXent {
    temperature: f64,
}

impl NtXent {
    pub fn new(parameters: &parameters::NtXent, _: &Setting, _: &Scope) -> Self {
        Self { temperature: parameters.temperature }
    }
}

impl Criterion for NtXent {
    fn loss(&self, _: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        Some(nt_xent(outputs.projections.as_ref()?, self.temperature).into())
    }
}

/// NT-Xent (SimCLR, Chen et al. 2020, arXiv 2002.05709, equation 1), one value: each row has to find its
/// partner among all other rows, the partner included in the denominator; the mean over all rows.
///
/// `z` is `[2·n, dim]`: the first views of n clips, then the second views in the same order.
pub fn nt_xent(z: &Tensor, temperature: f64) -> Tensor {
    let rows = z.size()[0];
    let z = normalise(z);
    let similarity = z.matmul(&z.transpose(0, 1)) / temperature;
    let similarity = similarity.masked_fill(&diagonal(rows, &z), f64::NEG_INFINITY);
    let partners = Tensor::arange(rows, (Kind::Int64, z.device())).roll(-(rows / 2), 0);
    cross_entropy(&similarity, &partners)
}
