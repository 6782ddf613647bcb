//! Changes the sample rate.

mod engine;
mod kernel;
mod overlap;
mod plan;
mod polyphase;
mod quality;
mod real;
mod stage;
#[cfg(test)]
mod tests;
mod way;

use std::collections::HashMap;
use std::ops::RangeInclusive;

use etude_pipeline::flow::{Block, Flow, Header, SignalType};
use etude_pipeline::operator::{
    self, Body, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step, Stop,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::engine::Engine;
use self::engine::length;

pub use self::quality::Quality;
use crate::Expect;

/// Engines that are kept for the recordings to come. One for the usual rates takes less than a MiB, twice
/// that in double precision.
const KEPT: usize = 8;

/// The rates that a recording may have. A filter's length depends on them.
const RATES: RangeInclusive<u32> = 1_000..=768_000;

/// Changes the sample rate.
///
/// A recording of n frames becomes ⌈n · rate / old rate⌉ frames, and nothing is moved in time. The
/// result does not depend on how the recording is cut into blocks. Any two rates will do; what the
/// qualities are is measured in `docs/resample.md`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resample {
    /// Samples a second of the output, 1000 to 384000.
    #[schemars(range(min = 1000, max = 384_000))]
    rate: u32,
    /// How closely the ideal filter is approached.
    #[serde(default)]
    quality: Quality,
}

impl Declare for Resample {
    const NAME: &'static str = "resample";
    const VERSION: u32 = 3;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Resample {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(
            (1000..=384_000).contains(&self.rate),
            "rate",
            "must be from 1000 to 384000 samples a second",
        )
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?.audio()?.unmasked()?;
        let scale = |(frames, rate): (u64, u32)| length(frames, rate.into(), self.rate.into());
        let frames = signal.frames.zip(signal.rate).map(scale);
        let most_frames = signal.most_frames.zip(signal.rate).map(scale);
        Ok(Flow::Signal(SignalType { rate: Some(self.rate), frames, most_frames, ..signal }))
    }

    fn memory(&self) -> u64 {
        let engine = if self.quality == Quality::Best { 2 << 20 } else { 1 << 20 };
        KEPT as u64 * engine
    }

    fn body(&self) -> Body {
        let (rate, quality) = (self.rate, self.quality);
        Body::Map(Box::new(move |_| {
            Box::new(Work {
                rate,
                quality,
                engines: HashMap::new(),
                current: None,
                header: Header::default(),
                results: Vec::new(),
            })
        }))
    }
}

struct Work {
    rate: u32,
    quality: Quality,
    /// By rate and channels: making one is dear.
    engines: HashMap<(u32, u16), Engine>,
    /// None where the rate is right already.
    current: Option<(u32, u16)>,
    header: Header,
    results: Vec<f32>,
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        if !RATES.contains(&header.rate) {
            return Err(Stop::Rejected {
                class: "resample",
                offset: String::new(),
                message: format!(
                    "{} samples a second; expected {} to {}",
                    header.rate,
                    RATES.start(),
                    RATES.end()
                ),
            });
        }
        self.current = None;
        if header.rate != self.rate {
            let key = (header.rate, header.channels);
            if !self.engines.contains_key(&key) && self.engines.len() >= KEPT {
                self.engines.clear();
            }
            let make = || Engine::new(header.rate, self.rate, self.quality, header.channels.into());
            self.engines.entry(key).or_insert_with(make).reset();
            self.current = Some(key);
        }
        let scale = |frames: u64| length(frames, header.rate.into(), self.rate.into());
        self.header.clone_from(header);
        self.header.rate = self.rate;
        self.header.start = scale(header.start);
        self.header.frames = header.frames.map(scale);
        output.begin(&self.header)
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        let Some(engine) = self.current.and_then(|key| self.engines.get_mut(&key)) else {
            return output.block(block);
        };
        let mut frames = block.frames();
        loop {
            engine.process(frames, |channel| &block.channel(channel)[..frames], &mut self.results);
            if self.results.is_empty() {
                return Ok(());
            }
            give(&mut self.results, block.channels(), output)?;
            frames = 0;
        }
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        if let Some(key) = self.current
            && let Some(engine) = self.engines.get_mut(&key)
        {
            while engine.finish(&mut self.results) {
                if !self.results.is_empty() {
                    give(&mut self.results, key.1.into(), output)?;
                }
            }
        }
        output.end()
    }
}

/// Hands samples on, and gets the memory back.
fn give(samples: &mut Vec<f32>, channels: usize, output: &mut dyn Output) -> Step {
    let mut block = Block::planar(channels, std::mem::take(samples));
    let step = output.block(&mut block);
    *samples = block.into_samples();
    step
}
