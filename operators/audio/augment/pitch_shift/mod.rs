//! Higher or lower, as long as before.

mod interpolator;
mod locking;
mod vocoder;

use std::cell::RefCell;

use etude_pipeline::flow::Block;
use etude_pipeline::operator::Invalid;
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::interpolator::Interpolator;
use self::vocoder::Vocoder;
use super::range::{Range, draw, half, within};
use super::step::Change;

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

    fn apply(&self, clip: &mut Block, rate: u32, random: &mut Random) {
        let ratio = 2f64.powf(draw(self.semitones, random) / 12.0);
        if ratio == 1.0 {
            return;
        }
        WORK.with_borrow_mut(|Work { vocoder, interpolator, stretched }| {
            interpolator.set(ratio);
            for channel in 0..clip.channels() {
                let samples = clip.channel_mut(channel);
                stretched.clear();
                stretched.resize(interpolator.before(), 0.0);
                vocoder.stretch(samples, ratio, frame(rate), stretched);
                stretched.resize(stretched.len() + interpolator.behind(), 0.0);
                interpolator.read(stretched, samples);
            }
        });
    }
}

/// How many samples the vocoder looks at together: about 46 ms, 2048 at 44.1 kHz. With no factors but 2 and one 3 its
/// transforms are fast.
fn frame(rate: u32) -> usize {
    let wanted = (2048.0 * f64::from(rate) / 44_100.0).max(64.0);
    let below = 1 << (wanted as usize).ilog2();
    match wanted / below as f64 {
        ratio if ratio < 1.5f64.sqrt() => below,
        ratio if ratio < 3f64.sqrt() => below / 2 * 3,
        _ => below * 2,
    }
}
