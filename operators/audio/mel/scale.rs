//! Scales of pitch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scale of pitch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// 2595 · log10(1 + f / 700).
    #[default]
    Htk,
    /// Slaney's Auditory Toolbox: 3 · f / 200 up to 1000 Hz, above it 27 steps for each factor of 6.4.
    Slaney,
}

/// The frequency above which Slaney's scale is logarithmic, and its place on the scale.
const KNEE: (f64, f64) = (1000.0, 15.0);

impl Scale {
    pub fn mel(self, hz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
            Self::Slaney if hz < KNEE.0 => KNEE.1 * hz / KNEE.0,
            Self::Slaney => KNEE.1 + 27.0 * (hz / KNEE.0).ln() / 6.4f64.ln(),
        }
    }

    pub fn hz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
            Self::Slaney if mel < KNEE.1 => KNEE.0 * mel / KNEE.1,
            Self::Slaney => KNEE.0 * ((mel - KNEE.1) * 6.4f64.ln() / 27.0).exp(),
        }
    }
}
