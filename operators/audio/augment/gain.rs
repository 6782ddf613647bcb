//! Louder or softer.

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clip::Clip;
use super::drawing::Drawing;
use super::range::{Range, decibels, half, within};
use super::step::Change;

/// Makes it louder or softer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gain {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Lowest and highest gain in dB, −120 to 120.
    #[serde(default = "db")]
    db: Range,
}

fn db() -> Range {
    [-12.0, 12.0]
}

impl Change for Gain {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.db, (-120.0, 120.0), "dB", "db")
    }

    fn draws(&self) -> &'static [&'static str] {
        &["db"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let factor = decibels(draw.number(0, self.db)) as f32;
        clip.each(|sample| sample * factor);
        Ok(())
    }
}
