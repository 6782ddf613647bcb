//! Decibels of powers and magnitudes.

use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::function::within;
use super::logarithm::ln;

/// Decibels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Db {
    /// What the values are.
    #[serde(default)]
    pub of: Of,
    /// The value that is 0 dB, 1e-30 to 1e30.
    #[serde(default = "default_reference")]
    #[schemars(range(min = 1e-30, max = 1e30))]
    pub reference: f64,
    /// The lowest value, 1e-30 to 1: what is below it counts as it. By default it is 100 dB below 1: 1e-10 of power,
    /// 1e-5 of magnitude.
    #[serde(default)]
    #[schemars(range(min = 1e-30, max = 1))]
    pub floor: Option<f64>,
    /// How far below its highest value a clip goes, in dB, 0 to 1000; what is lower is raised to that. It takes the
    /// whole clip: recordings have to be cut first. Left out, nothing is raised.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub top_db: Option<f64>,
}

/// What values are, of which there are decibels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Power: 10 · log10(max(x, floor) / reference), as librosa's `power_to_db`.
    #[default]
    Power,
    /// Magnitude: 20 · log10(max(x, floor) / reference), as librosa's `amplitude_to_db`.
    Magnitude,
}

fn default_reference() -> f64 {
    1.0
}

impl Default for Db {
    fn default() -> Self {
        Self { of: Of::default(), reference: default_reference(), floor: None, top_db: None }
    }
}

impl Db {
    /// The lowest value.
    pub fn floor(&self) -> f64 {
        self.floor.unwrap_or(match self.of {
            Of::Power => 1e-10,
            Of::Magnitude => 1e-5,
        })
    }

    /// dB of a factor of e.
    pub fn factor(&self) -> f64 {
        let ten = match self.of {
            Of::Power => 10.0,
            Of::Magnitude => 20.0,
        };
        ten / std::f64::consts::LN_10
    }

    /// Checks the ranges; `prefix` leads to the function.
    pub(super) fn check(&self, prefix: &str) -> Result<(), Invalid> {
        within(&format!("{prefix}.db.reference"), self.reference, 1e-30, 1e30)?;
        within(&format!("{prefix}.db.floor"), self.floor(), 1e-30, 1.0)?;
        within(&format!("{prefix}.db.top_db"), self.top_db.unwrap_or(0.0), 0.0, 1000.0)
    }

    /// Turns values into decibels.
    pub(super) fn apply(&self, values: &mut [f32]) {
        let (floor, factor) = (self.floor() as f32, self.factor() as f32);
        let zero = (self.factor() * self.reference.ln()) as f32;
        let raised = |value: f32| if value < floor { floor } else { value };
        values.iter_mut().for_each(|value| *value = factor * ln(raised(*value)) - zero);
        if let Some(top_db) = self.top_db {
            limit(values, top_db as f32);
        }
    }
}

/// Raises what is more than `top_db` below the highest value.
fn limit(values: &mut [f32], top_db: f32) {
    let (chunks, rest) = values.as_chunks::<16>();
    let mut highest = [f32::NEG_INFINITY; 16];
    for values in chunks.iter().map(|chunk| chunk.as_slice()).chain([rest]) {
        for (highest, value) in highest.iter_mut().zip(values) {
            *highest = if *value > *highest { *value } else { *highest };
        }
    }
    let lowest = highest.into_iter().fold(f32::NEG_INFINITY, f32::max) - top_db;
    values.iter_mut().for_each(|value| *value = if *value < lowest { lowest } else { *value });
}
