//! Earlier or later.

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clip::Clip;
use super::drawing::Drawing;
use super::fade::rising;
use super::range::{Range, half, within};
use super::step::Change;

/// Moves it in time; what leaves at one end comes in at the other.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// How far, as a fraction of the clip, −1 (earlier) to 1 (later).
    #[serde(default = "fraction")]
    fraction: Range,
    /// Whether what leaves at one end comes in at the other; else there is silence.
    #[serde(default = "rollover")]
    rollover: bool,
    /// How long the fades at the seam are, in seconds, 0 to 60.
    #[serde(default = "fade")]
    #[schemars(range(min = 0, max = 60))]
    fade: f64,
}

fn fraction() -> Range {
    [-0.5, 0.5]
}

fn rollover() -> bool {
    true
}

fn fade() -> f64 {
    0.005
}

impl Change for Shift {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.fraction, (-1.0, 1.0), "", "fraction")?;
        Invalid::unless((0.0..=60.0).contains(&self.fade), "fade", "must be from 0 to 60 s")
    }

    fn draws(&self) -> &'static [&'static str] {
        &["seconds"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let (frames, rate) = (clip.frames(), f64::from(draw.rate));
        let fraction = draw.random.range(self.fraction[0], self.fraction[1]);
        let by = (fraction * frames as f64).round() as i64;
        draw.note(0, by as f64 / rate);
        if by == 0 {
            return Ok(());
        }
        // Where the first frame comes to lie, which is where the seam is.
        let seam = by.rem_euclid(frames as i64) as usize;
        clip.rotate(frames - seam);
        if !self.rollover {
            clip.silence(if by > 0 { 0..by as usize } else { (frames as i64 + by) as usize..frames });
        }
        let fade = (self.fade * rate).round() as usize;
        let (out, into) = (fade.min(seam), fade.min(frames - seam));
        clip.scale(seam - out..seam, rising(out).rev());
        clip.scale(seam..seam + into, rising(into));
        Ok(())
    }
}
