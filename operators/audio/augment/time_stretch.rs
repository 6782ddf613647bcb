//! Faster or slower.

use std::cell::RefCell;

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clip::Clip;
use super::drawing::Drawing;
use super::range::{Range, half, within};
use super::step::Change;
use super::vocoder::{self, Vocoder};

/// Makes it faster or slower at the same pitch, by the phase vocoder of `pitch_shift`. It begins where it did and keeps
/// its length: what is too long is cut off, what is missing is silence.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeStretch {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Lowest and highest rate, 0.1 to 10: 2 is twice as fast, 0.5 half as fast.
    #[serde(default = "rate")]
    rate: Range,
}

fn rate() -> Range {
    [0.8, 1.25]
}

/// What a thread works with, kept from clip to clip.
#[derive(Default)]
struct Work {
    vocoder: Vocoder,
    stretched: Vec<f32>,
}

thread_local!(static WORK: RefCell<Work> = RefCell::default());

impl Change for TimeStretch {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.rate, (0.1, 10.0), "", "rate")
    }

    fn draws(&self) -> &'static [&'static str] {
        &["rate"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let ratio = draw.number(0, self.rate).recip();
        if ratio == 1.0 {
            return Ok(());
        }
        let size = vocoder::frame(draw.rate);
        let length = ((clip.frames() as f64 * ratio).ceil() as usize).min(clip.frames());
        WORK.with_borrow_mut(|Work { vocoder, stretched }| {
            for channel in 0..clip.channels() {
                let samples = clip.channel_mut(channel);
                stretched.clear();
                vocoder.stretch(samples, ratio, size, length, stretched);
                samples[..length].copy_from_slice(stretched);
                samples[length..].fill(0.0);
            }
        });
        Ok(())
    }
}
