use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting, cosine, halves};
use crate::head::Quantizer;
use crate::pass::Pass;
use crate::scope::Scope;

#[derive(Module, Debug)]
pub struct Byol {}

impl Byol {
    pub fn new(_: &parameters::Byol, _: &Setting, _: &Scope) -> Self {
        Self {}
    }
}

impl Criterion for Byol {
    fn loss(&self, _: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let [p1, p2] = halves(outputs.predictions.as_ref()?);
        let [z1, z2] = halves(outputs.taught.as_ref()?);
        Some((byol(&p1, &z2) + byol(&p2, &z1)).into())
    }
}

/// The mean of 2 − 2 · cosine of predictions and a teacher's projections of the other view, both `[n, dim]`
/// (BYOL, Grill et al. 2020, arXiv 2006.07733, equation 2). No gradient reaches the teacher's.
pub fn byol(predictions: &Tensor, taught: &Tensor) -> Tensor {
    (cosine(predictions, &taught.detach()) * -2.0 + 2.0).mean(Kind::Float)
}
