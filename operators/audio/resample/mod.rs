//! Changes the sample rate.

use std::collections::HashMap;

use etude_pipeline::flow::{Block, Flow, Header, SignalType};
use etude_pipeline::operator::{
    self, Body, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step, Stop,
};
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Frames of the shorter side of the FFT. rubato's anti-alias cutoff depends on it: from 4096
/// on it is above 99 % of the new Nyquist frequency.
const FFT: usize = 4096;

/// Resamplers that are kept for the recordings to come.
const KEPT: usize = 8;

/// Changes the sample rate, by rubato's FFT resampler.
///
/// A recording of n frames becomes ⌈n · rate / old rate⌉ frames; the filter's delay is trimmed.
/// The result does not depend on how the recording is cut into blocks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resample {
    /// Samples a second of the output, 1000 to 384000.
    #[schemars(range(min = 1000, max = 384_000))]
    rate: u32,
}

impl Declare for Resample {
    const NAME: &'static str = "resample";
    const VERSION: u32 = 1;
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

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, String> {
        let signal = crate::audio(inputs)?;
        let frames = signal.frames.zip(signal.rate).map(|(frames, rate)| length(frames, rate, self.rate));
        Ok(Flow::Signal(SignalType { rate: Some(self.rate), frames, ..signal }))
    }

    fn body(&self) -> Body {
        let rate = self.rate;
        Body::Map(Box::new(move |_| Box::new(Work { rate, resamplers: HashMap::new(), current: None })))
    }
}

struct Work {
    rate: u32,
    /// By rate and channels: making one is dear.
    resamplers: HashMap<(u32, u16), Fft<f32>>,
    /// None where the rate is right already.
    current: Option<Current>,
}

struct Current {
    key: (u32, u16),
    /// Input that is too short for the FFT, a vector a channel.
    rest: Vec<Vec<f32>>,
    /// Frames to be dropped: the filter's delay.
    skip: usize,
    taken: u64,
    given: u64,
}

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::Rejected { class: "resample", offset: String::new(), message: error.to_string() }
}

/// ⌈frames · to / from⌉
fn length(frames: u64, from: u32, to: u32) -> u64 {
    let product = u128::from(frames) * u128::from(to);
    u64::try_from(product.div_ceil(u128::from(from))).unwrap_or(u64::MAX)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn resampler(from: u32, to: u32, channels: u16) -> Result<Fft<f32>, Stop> {
    let divisor = gcd(from, to);
    let smallest = (from.min(to) / divisor) as usize;
    // An even number: rubato would be half a frame off with an odd one.
    let chunk = FFT.div_ceil(smallest).next_multiple_of(2) * (from / divisor) as usize;
    Fft::new(from as usize, to as usize, chunk, usize::from(channels), FixedSync::Both).map_err(failed)
}

impl Work {
    /// Sends one FFT of input through; `last` pads it with silence.
    fn transform(&mut self, output: &mut dyn Output, last: bool) -> Step {
        let Some(current) = &mut self.current else { return Ok(()) };
        let Some(fft) = self.resamplers.get_mut(&current.key) else { return Ok(()) };
        let channels = current.rest.len();
        let (frames_in, frames_out) = (fft.input_frames_next(), fft.output_frames_next());
        let mut input = Vec::with_capacity(channels * frames_in);
        for plane in &mut current.rest {
            let available = plane.len().min(frames_in);
            input.extend(plane.drain(..available));
            input.resize(input.len() + frames_in - available, 0.0);
        }
        let mut result = vec![0.0; channels * frames_out];
        let source = SequentialSlice::new(&input, channels, frames_in).map_err(failed)?;
        let mut sink = SequentialSlice::new_mut(&mut result, channels, frames_out).map_err(failed)?;
        fft.process_into_buffer(&source, &mut sink, None).map_err(failed)?;
        let skip = current.skip.min(frames_out);
        current.skip -= skip;
        let mut end = frames_out;
        if last {
            let left = length(current.taken, current.key.0, self.rate) - current.given;
            end = skip + usize::try_from(left).unwrap_or(usize::MAX).min(frames_out - skip);
        }
        if end > skip {
            current.given += (end - skip) as u64;
            let block = Block::planar(channels, result);
            output.block(if (skip, end) == (0, frames_out) { block } else { block.slice(skip, end) })?;
        }
        Ok(())
    }
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        self.current = None;
        if header.rate != self.rate {
            let key = (header.rate, header.channels);
            if !self.resamplers.contains_key(&key) {
                if self.resamplers.len() >= KEPT {
                    self.resamplers.clear();
                }
                self.resamplers.insert(key, resampler(header.rate, self.rate, header.channels)?);
            }
            if let Some(fft) = self.resamplers.get_mut(&key) {
                fft.reset();
                let rest = vec![Vec::new(); usize::from(header.channels)];
                self.current = Some(Current { key, rest, skip: fft.output_delay(), taken: 0, given: 0 });
            }
        }
        let scale = |frames: u64| length(frames, header.rate, self.rate);
        output.begin(&Header {
            rate: self.rate,
            start: scale(header.start),
            frames: header.frames.map(scale),
            ..header.clone()
        })
    }

    fn block(&mut self, block: Block, output: &mut dyn Output) -> Step {
        let Some(current) = &mut self.current else { return output.block(block) };
        current.taken += block.frames() as u64;
        for (channel, plane) in current.rest.iter_mut().enumerate() {
            plane.extend_from_slice(block.channel(channel));
        }
        let needed = self.resamplers.get(&current.key).map_or(usize::MAX, Resampler::input_frames_next);
        // The last FFT's worth is kept back: at the end it may have to be cut.
        while self.current.as_ref().is_some_and(|current| current.rest[0].len() > needed) {
            self.transform(output, false)?;
        }
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        while let Some(current) = &self.current
            && current.given < length(current.taken, current.key.0, self.rate)
        {
            self.transform(output, true)?;
        }
        output.end()
    }
}
