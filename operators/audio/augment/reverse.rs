//! Backwards.

use etude_pipeline::operator::Step;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clip::Clip;
use super::drawing::Drawing;
use super::range::half;
use super::step::Change;

/// Plays it backwards.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reverse {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
}

impl Change for Reverse {
    fn p(&self) -> f64 {
        self.p
    }

    fn draws(&self) -> &'static [&'static str] {
        &["applied"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        clip.reverse();
        draw.note(0, 1.0);
        Ok(())
    }
}
