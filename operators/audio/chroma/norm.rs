//! What frames of a chromagram are divided by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::framed::{LANES, Row};

/// What a frame is divided by. One that is silent stays so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Its largest value.
    #[default]
    Max,
    /// The sum of its values.
    L1,
    /// The root of the sum of their squares.
    L2,
    /// Nothing.
    None,
}

impl Norm {
    /// Divides each lane.
    pub fn apply(self, rows: &mut [Row]) {
        let mut norms = [0f32; LANES];
        for row in rows.iter() {
            for (norm, value) in norms.iter_mut().zip(row) {
                *norm = match self {
                    Self::Max if *value > *norm => *value,
                    Self::Max => *norm,
                    Self::L1 => *norm + value,
                    Self::L2 => *norm + value * value,
                    Self::None => 1.0,
                };
            }
        }
        let norms = norms.map(|norm| {
            let norm = if self == Self::L2 { norm.sqrt() } else { norm };
            if norm < f32::MIN_POSITIVE { 1.0 } else { norm }
        });
        for row in rows {
            row.iter_mut().zip(&norms).for_each(|(value, norm)| *value /= norm);
        }
    }
}
