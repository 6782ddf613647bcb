//! How good a change of the rate is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kernel::Kernel;

/// How closely the ideal filter is approached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Within 0.1 dB up to 0.85 of the lower Nyquist frequency; aliases are 75 dB down, wherever they
    /// fall. Single precision.
    Fast,
    /// Within 0.1 dB up to 0.9 of the lower Nyquist frequency; aliases are 110 dB down, wherever
    /// they fall. Single precision.
    #[default]
    High,
    /// Within 0.1 dB up to 0.97 of the lower Nyquist frequency; aliases are 140 dB down, about what a
    /// 32-bit float can hold. Double precision.
    Best,
}

/// What a filter is designed for. Frequencies are fractions of the lower Nyquist frequency.
#[derive(Debug, Clone, Copy)]
pub struct Design {
    pub attenuation: f64,
    pub pass: f64,
    pub stop: f64,
}

impl Quality {
    /// What the filter is designed for. What is measured in the pass-band is a little better: the
    /// edge of the design is where the ripple is as small as in the stop-band.
    pub const fn design(self) -> Design {
        match self {
            Quality::Fast => Design { attenuation: 80.0, pass: 0.83, stop: 1.0 },
            Quality::High => Design { attenuation: 120.0, pass: 0.9, stop: 1.0 },
            Quality::Best => Design { attenuation: 160.0, pass: 0.962, stop: 1.0 },
        }
    }

    /// The filter for a change of rate, its time in samples of `from`.
    pub fn kernel(self, from: u64, to: u64) -> Kernel {
        let Design { attenuation, pass, stop } = self.design();
        let lower = from.min(to) as f64 / from as f64;
        Kernel::new(attenuation, pass * lower, stop * lower)
    }
}
