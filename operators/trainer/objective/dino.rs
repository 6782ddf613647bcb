use burn::module::Module;
use etude_learning::objective as parameters;
use tch::{Kind, Tensor};

use super::{Criterion, Loss, Outputs, Setting, halves};
use crate::head::Quantizer;
use crate::pass::Pass;
use crate::scope::Scope;
use crate::torch::{Weight, tensor};

#[derive(Module, Debug)]
pub struct Dino {
    /// The mean of the teacher's projections so far, `[outputs]`.
    centre: Weight<1>,
    student_temperature: f64,
    teacher_temperature: f64,
    momentum: f64,
}

impl Dino {
    pub fn new(parameters: &parameters::Dino, setting: &Setting, scope: &Scope) -> Self {
        let parameters::Dino { student_temperature, teacher_temperature, momentum, .. } = *parameters;
        let centre = scope.buffer([setting.outputs], 0.0);
        Self { centre, student_temperature, teacher_temperature, momentum }
    }
}

impl Criterion for Dino {
    fn loss(&self, _: &Pass, outputs: &Outputs, _: Option<&Quantizer>) -> Option<Loss> {
        let (student, taught) = (outputs.projections.as_ref()?, outputs.taught.as_ref()?);
        let mut centre = tensor(&self.centre);
        let loss = dino(student, taught, &centre, self.student_temperature, self.teacher_temperature);
        let _ = tch::no_grad(|| {
            let mean = taught.mean_dim(0i64, false, Kind::Float);
            centre.lerp_(&mean, 1.0 - self.momentum)
        });
        Some(loss.into())
    }
}

/// Cross-entropy of a teacher's softmax over prototypes and the student's of the other view, one value (DINO, Caron
/// et al. 2021, arXiv 2104.14294, algorithm 1). Rows are the first views of n clips, then the second; `[2·n, dim]`.
pub fn dino(student: &Tensor, taught: &Tensor, centre: &Tensor, sharp: f64, sharper: f64) -> Tensor {
    let [s1, s2] = halves(&(student / sharp).log_softmax(-1, Kind::Float));
    let [t1, t2] = halves(&((taught.detach() - centre) / sharper).softmax(-1, Kind::Float));
    let entropy = |t: &Tensor, s: &Tensor| -(t * s).sum_dim_intlist(-1, false, Kind::Float).mean(Kind::Float);
    (entropy(&t1, &s2) + entropy(&t2, &s1)) / 2.0
}
