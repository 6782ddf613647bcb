//! Reverberation.

use std::cell::RefCell;

use etude_pipeline::flow::Block;
use etude_pipeline::operator::Invalid;
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range::{Range, draw, half, within};
use super::step::Change;

/// Adds the reverberation of a room: Freeverb (Jezar at Dreampoint, 2000; public domain), with SoX's parameters. The
/// clip itself stays as loud as it was.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reverb {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Least and most reverberance in percent, 0 to 100: how long it rings.
    #[serde(default = "percent")]
    reverberance: Range,
    /// Least and most damping in percent, 0 to 100: how much sooner high frequencies fade.
    #[serde(default = "percent")]
    damping: Range,
    /// Smallest and largest room in percent, 0 to 100: how far its echoes are apart.
    #[serde(default = "percent")]
    room: Range,
    /// Lowest and highest factor of the reverberation that is added, 0 to 10; 1 is SoX's 0 dB.
    #[serde(default = "wet")]
    wet: Range,
}

fn percent() -> Range {
    [0.0, 100.0]
}

fn wet() -> Range {
    [1.0, 1.0]
}

impl Change for Reverb {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.reverberance, (0.0, 100.0), "%", "reverberance")?;
        within(self.damping, (0.0, 100.0), "%", "damping")?;
        within(self.room, (0.0, 100.0), "%", "room")?;
        within(self.wet, (0.0, 10.0), "", "wet")
    }

    fn apply(&self, clip: &mut Block, rate: u32, random: &mut Random) {
        let [reverberance, damping, room, wet] =
            [self.reverberance, self.damping, self.room, self.wet].map(|range| draw(range, random));
        // From 0.3 to 0.98; what is lost at each turn falls exponentially.
        let feedback = (1.0 - 0.7 * (0.02f64 / 0.7).powf(reverberance / 100.0)) as f32;
        let damping = (0.2 + 0.3 * damping / 100.0) as f32;
        let scale = f64::from(rate) / 44_100.0;
        let gain = (GAIN * wet) as f32;
        FILTERS.with_borrow_mut(|filters| {
            for channel in 0..clip.channels() {
                filters.reset(scale, 0.1 + 0.9 * room / 100.0);
                for sample in clip.channel_mut(channel) {
                    *sample += gain * filters.next(*sample, feedback, damping);
                }
            }
        });
    }
}

/// Delays of the combs and of the allpasses, in samples at 44.1 kHz.
const COMBS: [f64; 8] = [1116.0, 1188.0, 1277.0, 1356.0, 1422.0, 1491.0, 1557.0, 1617.0];
const ALLPASSES: [f64; 4] = [556.0, 441.0, 341.0, 225.0];

/// Eight combs are louder than what goes in.
const GAIN: f64 = 0.015;

thread_local!(static FILTERS: RefCell<Filters> = RefCell::default());

/// Combs beside each other (Moorer, 1979), behind them allpasses one after another (Schroeder, 1962).
#[derive(Default)]
struct Filters {
    combs: [Comb; 8],
    allpasses: [Line; 4],
}

#[derive(Default)]
struct Comb {
    line: Line,
    /// The state of the low-pass in the feedback.
    low: f32,
}

impl Filters {
    /// Makes them silent. The combs of a smaller room are shorter.
    fn reset(&mut self, scale: f64, room: f64) {
        for (comb, samples) in self.combs.iter_mut().zip(COMBS) {
            comb.line.reset(samples * scale * room);
            comb.low = 0.0;
        }
        for (line, samples) in self.allpasses.iter_mut().zip(ALLPASSES) {
            line.reset(samples * scale);
        }
    }

    fn next(&mut self, sample: f32, feedback: f32, damping: f32) -> f32 {
        let mut sum = 0.0;
        for Comb { line, low } in &mut self.combs {
            sum += line.turn(|late| {
                *low = flushed(late + (*low - late) * damping);
                sample + *low * feedback
            });
        }
        self.allpasses
            .iter_mut()
            .fold(sum, |sample, line| line.turn(|late| flushed(sample + late / 2.0)) - sample)
    }
}

/// A delay.
#[derive(Default)]
struct Line {
    samples: Vec<f32>,
    at: usize,
}

impl Line {
    fn reset(&mut self, length: f64) {
        self.samples.clear();
        self.samples.resize((length.round() as usize).max(1), 0.0);
        self.at = 0;
    }

    /// What comes out, after which something takes its place.
    fn turn(&mut self, next: impl FnOnce(f32) -> f32) -> f32 {
        let Some(place) = self.samples.get_mut(self.at) else { return 0.0 };
        let late = *place;
        *place = next(late);
        self.at = if self.at + 1 == self.samples.len() { 0 } else { self.at + 1 };
        late
    }
}

/// Nothing instead of what nobody hears: processors are slow at the smallest numbers.
fn flushed(value: f32) -> f32 {
    if value.abs() < 1e-20 { 0.0 } else { value }
}
