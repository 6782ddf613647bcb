//! Reverberation.

mod allpass;
mod combs;

use std::cell::RefCell;

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::allpass::Allpass;
use self::combs::{Combs, Ring};
use super::clip::Clip;
use super::drawing::Drawing;
use super::range::{Range, half, within};
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

    fn draws(&self) -> &'static [&'static str] {
        &["reverberance_percent", "damping_percent", "room_percent", "wet"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let reverberance = draw.number(0, self.reverberance);
        let damping = draw.number(1, self.damping);
        let room = draw.number(2, self.room);
        let wet = draw.number(3, self.wet);
        let scale = f64::from(draw.rate) / 44_100.0;
        let combs = Combs {
            // From 0.3 to 0.98; what is lost at each turn falls exponentially.
            feedback: (1.0 - 0.7 * (0.02f64 / 0.7).powf(reverberance / 100.0)) as f32,
            damping: (0.2 + 0.3 * damping / 100.0) as f32,
            // Those of a smaller room are shorter.
            delays: COMBS.map(|samples| frames(samples * scale * (0.1 + 0.9 * room / 100.0))),
        };
        let gain = (GAIN * wet) as f32;
        WORK.with_borrow_mut(|work| {
            for channel in 0..clip.channels() {
                work.run(clip.channel_mut(channel), &combs, scale, gain);
            }
        });
        Ok(())
    }
}

/// Delays of the combs and of the allpasses, in samples at 44.1 kHz.
const COMBS: [f64; 8] = [1116.0, 1188.0, 1277.0, 1356.0, 1422.0, 1491.0, 1557.0, 1617.0];
const ALLPASSES: [f64; 4] = [556.0, 441.0, 341.0, 225.0];

/// Eight combs are louder than what goes in.
const GAIN: f64 = 0.015;

/// Samples that go through the filters together.
const BLOCK: usize = 256;

fn frames(delay: f64) -> usize {
    (delay.round() as usize).max(1)
}

/// Combs beside each other (Moorer, 1979), behind them allpasses one after another (Schroeder, 1962). Kept from clip to
/// clip.
#[derive(Default)]
struct Work {
    ring: Ring,
    allpasses: [Allpass; 4],
    sums: Vec<f32>,
}

thread_local!(static WORK: RefCell<Work> = RefCell::default());

impl Work {
    fn run(&mut self, samples: &mut [f32], combs: &Combs, scale: f64, gain: f32) {
        self.ring.reset(combs);
        for (line, delay) in self.allpasses.iter_mut().zip(ALLPASSES) {
            line.reset(frames(delay * scale));
        }
        for block in samples.chunks_mut(BLOCK) {
            self.sums.clear();
            self.sums.extend(block.iter().map(|sample| self.ring.next(*sample, combs)));
            self.allpasses.iter_mut().for_each(|line| line.run(&mut self.sums));
            block.iter_mut().zip(&self.sums).for_each(|(sample, wet)| *sample += gain * wet);
        }
    }
}
