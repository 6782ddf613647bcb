//! A part of the clip in silence.

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clip::Clip;
use super::drawing::Drawing;
use super::fade::rising;
use super::range::{Range, half, within};
use super::step::Change;

/// Silences a part of it, anywhere, with fades.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeMask {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// The shortest and longest part, as a fraction of the clip, 0 to 1.
    #[serde(default = "part")]
    part: Range,
    /// How long each fade is, in seconds, 0 to 60; at most half the part. The fades lie within it.
    #[serde(default = "fade")]
    #[schemars(range(min = 0, max = 60))]
    fade: f64,
}

fn part() -> Range {
    [0.01, 0.2]
}

fn fade() -> f64 {
    0.005
}

impl Change for TimeMask {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.part, (0.0, 1.0), "", "part")?;
        Invalid::unless((0.0..=60.0).contains(&self.fade), "fade", "must be from 0 to 60 s")
    }

    fn draws(&self) -> &'static [&'static str] {
        &["start_seconds", "seconds"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let rate = f64::from(draw.rate);
        let part = draw.random.range(self.part[0], self.part[1]);
        let length = (part * clip.frames() as f64).round() as usize;
        let start = draw.random.below((clip.frames() - length) as u64 + 1) as usize;
        let fade = ((self.fade * rate).round() as usize).min(length / 2);
        let (end, silence) = (start + length, start + fade..start + length - fade);
        clip.scale(start..silence.start, rising(fade).rev());
        clip.silence(silence.clone());
        clip.scale(silence.end..end, rising(fade));
        draw.note(0, start as f64 / rate);
        draw.note(1, length as f64 / rate);
        Ok(())
    }
}
