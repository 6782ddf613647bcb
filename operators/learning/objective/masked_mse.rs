use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aim, Bands, Needs, one};
use crate::range::{above_zero, within};

/// Prediction of the log-mel bands of masked frames, standardised over the clip, or of the frames themselves where clips
/// are features: the mean squared error of a linear layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskedMse {
    /// What it weighs in a sum, above 0 and at most 1000.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub weight: f64,
    /// Mel bands of a frame of audio, 1 to 1024; 80 by default. Frames of features are taken as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub n_mels: Option<usize>,
}

impl Aim for MaskedMse {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn check(&self) -> Result<(), Invalid> {
        above_zero("weight", self.weight, 1000.0)?;
        self.n_mels.map_or(Ok(()), |n_mels| within("n_mels", &n_mels, 1..=1024))
    }

    fn needs(&self) -> Needs {
        Needs { mask: true, ..Needs::default() }
    }

    fn bands(&self) -> Option<Bands> {
        Some(Bands(self.n_mels))
    }
}
