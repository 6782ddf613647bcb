use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting, cosine, halves};
use crate::head::Quantizer;
use crate::pass::Pass;
use crate::scope::Scope;

#[derive(Module, Debug)]
pub struct Simsiam {}

impl Simsiam {
    pub fn new(_: &parameters::Simsiam, _: &Setting, _: &Scope) -> Self {
        Self {}
    }
}

impl Criterion for Simsiam {
    fn loss(&self, _: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let predictions = halves(outputs.predictions.as_ref()?);
        let projections = halves(outputs.projections.as_ref()?);
        Some(simsiam(predictions, projections).into())
    }
}

/// The negative cosine of each view's predictions and the other view's projections, all `[n, dim]`, the mean of both
/// ways (SimSiam, Chen and He 2021, arXiv 2011.10566, equation 4). No gradient flows through the projections.
pub fn simsiam([p1, p2]: [Tensor; 2], [z1, z2]: [Tensor; 2]) -> Tensor {
    let similarity = |p: &Tensor, z: &Tensor| cosine(p, &z.detach()).mean(Kind::Float);
    (similarity(&p1, &z2) + similarity(&p2, &z1)) * -0.5
}
