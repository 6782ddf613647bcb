use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting};
use crate::head::Quantizer;
use crate::pass::Pass;
use crate::scope::Scope;

#[derive(Module, Debug)]
pub struct FeaturePenalty {}

impl FeaturePenalty {
    pub fn new(_: &parameters::FeaturePenalty, _: &Setting, _: &Scope) -> Self {
        Self {}
    }
}

impl Criterion for FeaturePenalty {
    fn loss(&self, _: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        Some(feature_penalty(&outputs.frames.as_ref()?.raw).into())
    }
}

/// The mean square.
pub fn feature_penalty(frames: &Tensor) -> Tensor {
    frames.square().mean(Kind::Float)
}
