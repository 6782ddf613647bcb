use std::f64::consts::PI;

use burn::module::Module;
use tch::Tensor;

use crate::encoder::{Clips, Encoder};
use crate::head::Perceptron;
use crate::pass::Pass;
use crate::torch::{Named, named, trained};

/// A copy of encoder and projector that follows them.
#[derive(Module, Debug)]
pub struct Teacher {
    encoder: Encoder,
    projector: Perceptron,
}

impl Teacher {
    /// Takes modules that are its own, and gives them the values of the student's.
    pub fn new(encoder: Encoder, projector: Perceptron, student: &Named) -> Self {
        let teacher = Self { encoder, projector };
        tch::no_grad(|| {
            for (name, mut value) in named(&teacher) {
                if let Some((_, source)) = student.iter().find(|(known, _)| *known == name) {
                    value.copy_(source);
                }
                let _ = value.set_requires_grad(false);
            }
        });
        teacher
    }

    /// Clips to projections, without a gradient.
    pub fn project(&self, pass: &Pass, clips: &Clips<'_>) -> Tensor {
        tch::no_grad(|| self.projector.forward(pass, &self.encoder.encode(pass, clips).vector))
    }

    /// Follows the student: its trained values move by 1 − `decay` of the way to the student's.
    pub fn follow(&self, student: &Named, decay: f64) {
        let own = named(self);
        tch::no_grad(|| {
            for (name, source) in trained(student) {
                if let Ok(at) = own.binary_search_by(|(known, _)| known.cmp(name)) {
                    let _ = own[at].1.shallow_clone().lerp_(source, 1.0 - decay);
                }
            }
        });
    }
}

/// The decay at a step of `total`: half a cosine from `begin` to `end` (BYOL, arXiv 2006.07733, section 3.2).
pub fn decay(begin: f64, end: f64, step: u64, total: u64) -> f64 {
    let progress = step as f64 / total.max(1) as f64;
    end - (end - begin) * (1.0 + (PI * progress).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decay_rises_along_half_a_cosine() {
        assert!((decay(0.996, 1.0, 0, 100) - 0.996).abs() < 1e-12);
        assert!((decay(0.996, 1.0, 50, 100) - 0.998).abs() < 1e-12);
        assert!((decay(0.996, 1.0, 100, 100) - 1.0).abs() < 1e-12);
        assert_eq!(decay(0.9, 0.9, 7, 100), 0.9);
    }
}
