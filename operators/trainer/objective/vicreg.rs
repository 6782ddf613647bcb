use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting, diagonal, halves};
use crate::head::Quantizer;
use crate::pass::Pass;
use crate::scope::Scope;

/// Added to a variance before its root.
const EPSILON: f64 = 1e-4;

#[derive(Module, Debug)]
pub struct Vicreg {
    invariance: f64,
    variance: f64,
    covariance: f64,
}

impl Vicreg {
    pub fn new(parameters: &parameters::Vicreg, _: &Setting, _: &Scope) -> Self {
        let parameters::Vicreg { invariance, variance, covariance, .. } = *parameters;
        Self { invariance, variance, covariance }
    }
}

impl Criterion for Vicreg {
    fn loss(&self, _: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let [z1, z2] = halves(outputs.projections.as_ref()?);
        let [invariance, variance, covariance] = vicreg(&z1, &z2);
        let value = &invariance * self.invariance + &variance * self.variance + &covariance * self.covariance;
        let measures = vec![("invariance", invariance), ("variance", variance), ("covariance", covariance)];
        Some(Loss::with(value, measures))
    }
}

/// Invariance, variance and covariance of two views `[n, dim]`, not yet weighed (VICReg, Bardes et al. 2022, arXiv
/// 2105.04906, equations 1 to 5).
pub fn vicreg(z1: &Tensor, z2: &Tensor) -> [Tensor; 3] {
    let invariance = z1.mse_loss(z2, tch::Reduction::Mean);
    [invariance, variance(z1) + variance(z2), covariance(z1) + covariance(z2)]
}

/// Half the mean of how much each value's deviation lacks to 1.
fn variance(rows: &Tensor) -> Tensor {
    let deviation = (rows.var_dim(0i64, true, false) + EPSILON).sqrt();
    (deviation * -1.0 + 1.0).relu().mean(Kind::Float) / 2.0
}

/// The sum of the squared covariances of different values, over their number.
fn covariance(rows: &Tensor) -> Tensor {
    let (count, dim) = (rows.size()[0], rows.size()[1]);
    let centred = rows - rows.mean_dim(0i64, true, Kind::Float);
    let covariance = centred.transpose(0, 1).matmul(&centred) / (count - 1).max(1) as f64;
    covariance.masked_fill(&diagonal(dim, rows), 0.0).square().sum(Kind::Float) / dim as f64
}
