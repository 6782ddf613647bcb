use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting, diagonal, normalise};
use crate::head::Quantizer;
use crate::pass::Pass;
use crate::scope::Scope;
use crate::torch::{Weight, tensor};

/// Added to a running mean before it divides.
const EPSILON: f64 = 1e-8;

#[derive(Module, Debug)]
pub struct Sogclr {
    /// The running mean of each clip's denominator, by view: `[2, clips]`; 0 where it was not seen yet.
    means: Weight<2>,
    temperature: f64,
    gamma: f64,
}

impl Sogclr {
    pub fn new(parameters: &parameters::Sogclr, setting: &Setting, scope: &Scope) -> Self {
        Self {
            means: scope.buffer([2, setting.clips], 0.0),
            temperature: parameters.temperature,
            gamma: parameters.gamma,
        }
    }
}

impl Criterion for Sogclr {
    fn loss(&self, _: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let z = outputs.projections.as_ref()?;
        let clips = Tensor::from_slice(&outputs.clips).to_device(z.device());
        let means = tensor(&self.means);
        let (loss, new) = sogclr(z, &means.index_select(1, &clips), self.gamma, self.temperature);
        let _ = tch::no_grad(|| means.shallow_clone().index_copy_(1, &clips, &new));
        Some(loss.into())
    }
}

/// The loss of SogCLR (Yuan et al. 2022, arXiv 2202.12387), one value, and the new running means `[2, n]`.
///
/// `z` is `[2·n, dim]`, first views before second views; `means` is `[2, n]`. The denominators are those of the
/// 2·(n − 1) rows that are neither the row itself nor its partner.
pub fn sogclr(z: &Tensor, means: &Tensor, gamma: f64, temperature: f64) -> (Tensor, Tensor) {
    let rows = z.size()[0];
    let half = rows / 2;
    let z = normalise(z);
    let similarity = z.matmul(&z.transpose(0, 1));
    let itself = diagonal(rows, &z);
    let partner = itself.roll(half, 1);
    let none = itself.logical_or(&partner);
    let negatives = (rows - 2).max(1) as f64;
    let (weights, new) = tch::no_grad(|| {
        let exponential = (&similarity / temperature).exp().masked_fill(&none, 0.0);
        let mean = exponential.sum_dim_intlist(1, false, Kind::Float) / negatives;
        let old = means.reshape([rows]);
        let new = (&old * (1.0 - gamma) + &mean * gamma).where_self(&old.not_equal(0.0), &mean);
        (&exponential / (&new + EPSILON).unsqueeze(1) / negatives, new)
    });
    let attraction =
        similarity.masked_fill(&partner.logical_not(), 0.0).sum_dim_intlist(1, false, Kind::Float);
    let repulsion = (weights * similarity).sum_dim_intlist(1, false, Kind::Float);
    ((repulsion - attraction).mean(Kind::Float), new.reshape([2, half]))
}
