//! Higher or lower, as long as before.

mod interpolator;

use std::cell::RefCell;

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::interpolator::Interpolator;
use super::clip::Clip;
use super::drawing::Drawing;
use super::range::{Range, half, within};
use super::step::Change;
use super::vocoder::{self, Vocoder};

/// Makes it higher or lower at the same speed: a phase vocoder stretches it, with identity phase locking (Laroche and
/// Dolson, 1999), and it is resampled to its old length.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PitchShift {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Lowest and highest shift in semitones, −24 to 24; fractions as well, 0.01 is a cent.
    #[serde(default = "semitones")]
    semitones: Range,
}

fn semitones() -> Range {
    [-4.0, 4.0]
}

/// What a thread works with, kept from clip to clip.
#[derive(Default)]
struct Work {
    vocoder: Vocoder,
    interpolator: Interpolator,
    stretched: Vec<f32>,
}

thread_local!(static WORK: RefCell<Work> = RefCell::default());

impl Change for PitchShift {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.semitones, (-24.0, 24.0), "semitones", "semitones")
    }

    fn draws(&self) -> &'static [&'static str] {
        &["semitones"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let ratio = 2f64.powf(draw.number(0, self.semitones) / 12.0);
        if ratio == 1.0 {
            return Ok(());
        }
        let size = vocoder::frame(draw.rate);
        let length = (clip.frames() as f64 * ratio).ceil() as usize;
        WORK.with_borrow_mut(|Work { vocoder, interpolator, stretched }| {
            interpolator.set(ratio);
            for channel in 0..clip.channels() {
                let samples = clip.channel_mut(channel);
                stretched.clear();
                stretched.resize(interpolator.before(), 0.0);
                vocoder.stretch(samples, ratio, size, length, stretched);
                stretched.resize(stretched.len() + interpolator.behind(), 0.0);
                interpolator.read(stretched, samples);
            }
        });
        Ok(())
    }
}
