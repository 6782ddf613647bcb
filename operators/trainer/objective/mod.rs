//! What training minimises: a file each, and a line each in the table.

mod barlow;
mod byol;
mod clip;
mod dino;
mod diversity;
mod feature_penalty;
mod info_nce;
mod masked_codes;
mod masked_cross_entropy;
mod masked_features;
mod masked_mse;
mod multi_positive;
mod nt_xent;
mod simsiam;
mod sogclr;
mod target;
mod vicreg;

use burn::module::Module;
use etude_learning::objective as parameters;
use etude_pipeline::flow::Sampling;
use tch::{Kind, Tensor};

use crate::encoder::Frames;
use crate::head::{Masked, Quantised, Quantizer};
use crate::pass::Pass;
use crate::scope::Scope;

/// What an objective may need to know when it is built.
pub struct Setting {
    /// Clips of the data.
    pub clips: usize,
    /// Values of a projection.
    pub outputs: usize,
    /// The clips.
    pub sampling: Sampling,
    /// The encoder's frames.
    pub frames: Option<etude_learning::encoder::Frames>,
    /// How many codes and how many features other stages give to each of them.
    pub sides: [usize; 2],
}

/// The names of what objectives count from step to step: part of a training's state, not of its checkpoint.
pub const COUNTED: [&str; 2] = [".means", ".centre"];

/// What became of a batch. Rows are views: all first views, then all second views, and so on.
#[derive(Default)]
pub struct Outputs {
    pub views: usize,
    /// The number of each clip in the data, `[batch]`.
    pub clips: Vec<i64>,
    /// The number of each clip's recording, `[batch]`.
    pub items: Vec<i64>,
    /// `[views · batch, outputs]`.
    pub projections: Option<Tensor>,
    /// `[views · batch, outputs]`.
    pub predictions: Option<Tensor>,
    /// The teacher's projections, `[views · batch, outputs]`.
    pub taught: Option<Tensor>,
    pub frames: Option<Frames>,
    pub masked: Option<Masked>,
    /// The masked frames before the transformer, quantised.
    pub quantised: Option<Quantised>,
    /// What other stages give to the encoder's frames, `[batch, frames, values]`: codes, and features. What is no number is
    /// not there.
    pub targets: Option<Tensor>,
    pub features: Option<Tensor>,
    /// The clips as they are without a mask, `[batch, samples]` or `[batch, planes, bins, frames]`.
    pub whole: Tensor,
}

/// A loss, and what is measured beside it: tensors of one value.
pub struct Loss {
    pub value: Tensor,
    pub measures: Vec<(String, Tensor)>,
}

impl From<Tensor> for Loss {
    fn from(value: Tensor) -> Self {
        Self { value, measures: Vec::new() }
    }
}

impl Loss {
    /// A loss with what is measured beside it.
    fn with(value: Tensor, measures: Vec<(&str, Tensor)>) -> Self {
        Self {
            value,
            measures: measures.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect(),
        }
    }
}

/// A formula over what became of a batch. What it keeps from step to step is a field: part of the state.
trait Criterion {
    /// One value, the mean over the batch. None when the outputs lack what the parameters said that it needs.
    fn loss(&self, pass: &Pass, outputs: &Outputs, quantizer: Option<&Quantizer>) -> Option<Loss>;
}

macro_rules! criteria {
    ($($variant:ident in $module:ident,)*) => {
        /// An objective.
        #[derive(Module, Debug)]
        pub enum Objective {
            $($variant($module::$variant),)*
        }

        impl Objective {
            /// The objective that `parameters` describe; none for a sum, whose terms are objectives of their own.
            pub fn new(parameters: &parameters::Objective, setting: &Setting, scope: &Scope) -> Option<Self> {
                match parameters {
                    $(parameters::Objective::$variant(parameters) => {
                        Some(Self::$variant($module::$variant::new(parameters, setting, scope)))
                    })*
                    parameters::Objective::Sum(_) => None,
                }
            }

            /// The loss of a batch.
            pub fn loss(&self, pass: &Pass, outputs: &Outputs, quantizer: Option<&Quantizer>) -> Option<Loss> {
                match self {
                    $(Self::$variant(criterion) => criterion.loss(pass, outputs, quantizer),)*
                }
            }
        }
    };
}

criteria! {
    NtXent in nt_xent,
    Clip in clip,
    Sogclr in sogclr,
    MultiPositive in multi_positive,
    Byol in byol,
    Simsiam in simsiam,
    Barlow in barlow,
    Vicreg in vicreg,
    Dino in dino,
    InfoNce in info_nce,
    MaskedCrossEntropy in masked_cross_entropy,
    MaskedCodes in masked_codes,
    MaskedMse in masked_mse,
    MaskedFeatures in masked_features,
    Diversity in diversity,
    FeaturePenalty in feature_penalty,
}

/// Rows of length 1, as torch.nn.functional.normalize. The square is bounded, not the length: at 0 a length has no
/// gradient.
fn normalise(rows: &Tensor) -> Tensor {
    let square = rows.square().sum_dim_intlist(-1, true, Kind::Float);
    rows / square.clamp_min(1e-24).sqrt()
}

/// The cosine of rows, `[rows]`.
fn cosine(left: &Tensor, right: &Tensor) -> Tensor {
    (normalise(left) * normalise(right)).sum_dim_intlist(-1, false, Kind::Float)
}

/// Two halves of rows: those of the first views, and those of the second.
fn halves(rows: &Tensor) -> [Tensor; 2] {
    let half = rows.size()[0] / 2;
    [rows.narrow(0, 0, half), rows.narrow(0, half, half)]
}

/// A mask of the diagonal of a square, `[rows, rows]`.
fn diagonal(rows: i64, like: &Tensor) -> Tensor {
    Tensor::eye(rows, (Kind::Float, like.device())).to_kind(Kind::Bool)
}

/// The mean over rows of the cross-entropy of logits `[rows, classes]` with the classes `[rows]`.
fn cross_entropy(logits: &Tensor, classes: &Tensor) -> Tensor {
    logits.cross_entropy_loss(classes, None::<&Tensor>, tch::Reduction::Mean, -100, 0.0)
}

#[cfg(test)]
mod tests;
