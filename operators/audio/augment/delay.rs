//! The clip once more, later.

use etude_pipeline::operator::{Invalid, Step};
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clip::Clip;
use super::drawing::Drawing;
use super::range::{Range, half, within};
use super::step::Change;

/// Adds the clip once more, later and softer, and halves the sum (CLMR's delay).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Shortest and longest delay in milliseconds, 0 to 60000. One longer than the clip adds nothing.
    #[serde(default = "milliseconds")]
    milliseconds: Range,
    /// Only delays that are so many milliseconds apart, from the shortest on, 0 to 60000; 0 for any.
    #[serde(default = "interval")]
    #[schemars(range(min = 0, max = 60000))]
    interval: f64,
    /// How loud it is added, 0 to 1.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    volume: f64,
}

fn milliseconds() -> Range {
    [200.0, 450.0]
}

fn interval() -> f64 {
    50.0
}

impl Delay {
    fn draw(&self, random: &mut Random) -> f64 {
        let [low, high] = self.milliseconds;
        if self.interval == 0.0 {
            return random.range(low, high);
        }
        let count = ((high - low) / self.interval + 1e-9).floor() as u64 + 1;
        low + self.interval * random.below(count) as f64
    }
}

impl Change for Delay {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.milliseconds, (0.0, 60_000.0), "ms", "milliseconds")?;
        Invalid::unless((0.0..=60_000.0).contains(&self.interval), "interval", "must be from 0 to 60000 ms")?;
        Invalid::unless((0.0..=1.0).contains(&self.volume), "volume", "must be from 0 to 1")
    }

    fn draws(&self) -> &'static [&'static str] {
        &["milliseconds"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let milliseconds = self.draw(&mut draw.random);
        draw.note(0, milliseconds);
        let late = (milliseconds / 1000.0 * f64::from(draw.rate)).round() as usize;
        for channel in 0..clip.channels() {
            add(clip.channel_mut(channel), late, self.volume as f32);
        }
        Ok(())
    }
}

/// Adds samples once more, so many later, and halves them.
fn add(samples: &mut [f32], late: usize, volume: f32) {
    if late == 0 {
        samples.iter_mut().for_each(|sample| *sample = (*sample + volume * *sample) / 2.0);
        return;
    }
    let mut end = samples.len();
    // From the end, so that what is added is as it was.
    while end > late {
        let begin = late.max(end - late);
        let (before, behind) = samples.split_at_mut(begin);
        let added = &before[begin - late..end - late];
        behind[..end - begin]
            .iter_mut()
            .zip(added)
            .for_each(|(sample, other)| *sample = (*sample + volume * other) / 2.0);
        end = begin;
    }
    samples[..end].iter_mut().for_each(|sample| *sample /= 2.0);
}
