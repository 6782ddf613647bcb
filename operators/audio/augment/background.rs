//! Another recording beside it.

use std::ops::Range as Span;

use etude_pipeline::operator::{Invalid, Port, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clip::Clip;
use super::drawing::Drawing;
use super::level::energy;
use super::range::{Range, decibels, half, within};
use super::side;
use super::step::Change;

/// Mixes in a random part of a random clip of the stage at `background`, which has the same rate, and one channel or
/// as many. A clip that is shorter is repeated. Where either is silent nothing is mixed in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Lowest and highest ratio of the clip's mean power to that of what is mixed in, in dB, −120 to 120.
    #[serde(default = "snr_db")]
    snr_db: Range,
}

fn snr_db() -> Range {
    [3.0, 30.0]
}

impl Change for Background {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.snr_db, (-120.0, 120.0), "dB", "snr_db")
    }

    fn port(&self) -> Option<&'static Port> {
        Some(&side::BACKGROUND)
    }

    fn draws(&self) -> &'static [&'static str] {
        &["snr_db", "row", "start_seconds"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let Some(sounds) = &mut draw.side.background else { return Err(side::missing(&side::BACKGROUND)) };
        let snr = draw.random.range(self.snr_db[0], self.snr_db[1]);
        let row = draw.random.below(sounds.count());
        let shape = sounds.shape(row)?;
        shape.suits(side::BACKGROUND.name, draw.rate, clip.channels())?;
        // Any part of a long clip; a short one from any frame on, round and round.
        let room = shape.frames.checked_sub(clip.frames());
        let start = draw.random.below(room.map_or(shape.frames, |room| room + 1) as u64) as usize;
        let part = if room.is_some() { start..start + clip.frames() } else { 0..shape.frames };
        let background = sounds.read(row, part)?;
        let round = Round {
            from: if background.frames() < clip.frames() { start } else { 0 },
            of: background.frames(),
        };
        let channels = 0..clip.channels();
        let source =
            |channel: usize| background.channel(if background.channels() == 1 { 0 } else { channel });
        let added: f64 = channels
            .clone()
            .flat_map(|channel| {
                round.parts(clip.frames()).map(move |(_, part)| energy(&source(channel)[part]))
            })
            .sum();
        let ratio = energy(clip.samples()) / added;
        if !(ratio > 0.0 && ratio.is_finite()) {
            return Ok(());
        }
        let factor = (ratio.sqrt() / decibels(snr)) as f32;
        for channel in channels {
            for (place, part) in round.parts(clip.frames()) {
                let samples = clip.channel_mut(channel)[place].iter_mut();
                samples.zip(&source(channel)[part]).for_each(|(sample, other)| *sample += factor * other);
            }
        }
        draw.note(0, snr);
        draw.note(1, row as f64);
        draw.note(2, start as f64 / f64::from(draw.rate));
        Ok(())
    }
}

/// Goes round in a clip of some frames, from one of them on.
struct Round {
    from: usize,
    of: usize,
}

impl Round {
    /// Which frames come to lie on which, until so many are covered.
    fn parts(&self, frames: usize) -> impl Iterator<Item = (Span<usize>, Span<usize>)> {
        let (mut at, mut from, of) = (0, self.from, self.of);
        std::iter::from_fn(move || {
            let count = (of - from).min(frames - at);
            let part = (at..at + count, from..from + count);
            (at, from) = (at + count, 0);
            (count > 0).then_some(part)
        })
    }
}
