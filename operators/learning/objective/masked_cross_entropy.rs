use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Bands, Needs, one};
use crate::range::{above_zero, within};

/// Prediction of the codes that a frozen random quantiser gives to masked frames (BEST-RQ, Chiu et al. 2022, arXiv
/// 2202.01855).
///
/// A frame's log-mel bands, standardised over the clip, or its features where clips are features, are projected at random and named after the nearest of
/// `size` random unit vectors; a linear layer predicts the name. The mean over `codebooks` is taken. The share of
/// codes that are predicted is measured as `accuracy`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskedCrossEntropy {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
    /// Quantisers, each of its own, 1 to 64.
    #[serde(default = "default_codebooks")]
    #[schemars(range(min = 1, max = 64))]
    pub codebooks: usize,
    /// Vectors of a codebook, 2 to 65536.
    #[serde(default = "default_size")]
    #[schemars(range(min = 2, max = 65536))]
    pub size: usize,
    /// Values of such a vector, 1 to 1024.
    #[serde(default = "default_dim")]
    #[schemars(range(min = 1, max = 1024))]
    pub dim: usize,
    /// Mel bands of a frame of audio, 1 to 1024; 80 by default. Frames of features are taken as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub n_mels: Option<usize>,
}

fn default_codebooks() -> usize {
    1
}

fn default_size() -> usize {
    1024
}

fn default_dim() -> usize {
    16
}

impl Aim for MaskedCrossEntropy {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)?;
        within("codebooks", &self.codebooks, 1..=64)?;
        within("size", &self.size, 2..=65536)?;
        within("dim", &self.dim, 1..=1024)?;
        self.n_mels.map_or(Ok(()), |n_mels| within("n_mels", &n_mels, 1..=1024))
    }

    fn needs(&self) -> Needs {
        Needs { mask: true, ..Needs::default() }
    }

    fn bands(&self) -> Option<Bands> {
        Some(Bands(self.n_mels))
    }
}
