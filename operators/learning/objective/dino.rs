use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Needs, Views, one};
use crate::range::{above_zero, within};

/// Cross-entropy between a teacher's and the student's softmax over prototypes, across views (DINO, Caron et al. 2021,
/// arXiv 2104.14294).
///
/// The projector's outputs are the prototypes. The teacher's mean is subtracted before its softmax; it is part of
/// the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dino {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
    /// The student's temperature, above 0 and at most 10.
    #[serde(default = "default_student_temperature")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 10))]
    pub student_temperature: f64,
    /// The teacher's temperature, above 0 and at most 10.
    #[serde(default = "default_teacher_temperature")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 10))]
    pub teacher_temperature: f64,
    /// What the teacher's mean so far weighs at each batch, 0 to 1.
    #[serde(default = "default_momentum")]
    #[schemars(range(min = 0, max = 1))]
    pub momentum: f64,
}

fn default_student_temperature() -> f64 {
    0.1
}

fn default_teacher_temperature() -> f64 {
    0.04
}

fn default_momentum() -> f64 {
    0.9
}

impl Aim for Dino {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)?;
        above_zero("student_temperature", self.student_temperature, 10.0)?;
        above_zero("teacher_temperature", self.teacher_temperature, 10.0)?;
        within("momentum", &self.momentum, 0.0..=1.0)
    }

    fn needs(&self) -> Needs {
        Needs { views: Views::Two, projector: true, teacher: true, ..Needs::default() }
    }
}
