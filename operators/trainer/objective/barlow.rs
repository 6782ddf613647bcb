use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting, diagonal, halves};
use crate::head::Quantizer;
use crate::pass::Pass;
use crate::scope::Scope;

/// Added to a variance, as torch.nn.BatchNorm1d does.
const EPSILON: f64 = 1e-5;

#[derive(Module, Debug)]
pub struct Barlow {
    off_diagonal: f64,
}

impl Barlow {
    pub fn new(parameters: &parameters::Barlow, _: &Setting, _: &Scope) -> Self {
        Self { off_diagonal: parameters.off_diagonal }
    }
}

impl Criterion for Barlow {
    fn loss(&self, _: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let [z1, z2] = halves(outputs.projections.as_ref()?);
        Some(barlow(&z1, &z2, self.off_diagonal).into())
    }
}

/// How far the cross-correlation of two views `[n, dim]` is from the identity, one value (Barlow Twins, Zbontar et
/// al. 2021, arXiv 2103.03230, equation 1).
pub fn barlow(z1: &Tensor, z2: &Tensor, off_diagonal: f64) -> Tensor {
    let (rows, dim) = (z1.size()[0], z1.size()[1]);
    let correlation = standardised(z1).transpose(0, 1).matmul(&standardised(z2)) / rows as f64;
    let identity = Tensor::eye(dim, (Kind::Float, z1.device()));
    let squares = (correlation - &identity).square();
    let on = squares.masked_fill(&diagonal(dim, z1).logical_not(), 0.0).sum(Kind::Float);
    let off = squares.masked_fill(&diagonal(dim, z1), 0.0).sum(Kind::Float);
    on + off * off_diagonal
}

fn standardised(rows: &Tensor) -> Tensor {
    let mean = rows.mean_dim(0i64, true, Kind::Float);
    let variance = rows.var_dim(0i64, false, true);
    (rows - mean) / (variance + EPSILON).sqrt()
}
