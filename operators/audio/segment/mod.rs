//! Cuts recordings into clips.

use etude_pipeline::flow::{Block, Flow, Header, SignalType, Unit};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step, Stop,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Cuts recordings into clips of equal length.
///
/// A recording that gives no clip is filtered. A clip has to fit in memory; a recording has not.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// The length of a clip in seconds, rounded to whole frames.
    #[schemars(extend("exclusiveMinimum" = 0))]
    seconds: f64,
    /// Seconds from the start of a clip to the start of the next; `seconds` by default.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0))]
    hop: Option<f64>,
    /// What becomes of the end that does not fill a clip.
    #[serde(default)]
    tail: Tail,
}

/// What becomes of the end that does not fill a clip.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    /// It is left out.
    #[default]
    Drop,
    /// It is filled up with silence.
    Pad,
    /// It is a shorter clip.
    Keep,
}

impl Declare for Segment {
    const NAME: &'static str = "segment";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Segment {
    fn check(&self) -> Result<(), Invalid> {
        let length = |seconds: f64| seconds > 0.0 && seconds <= 3600.0;
        Invalid::unless(length(self.seconds), "seconds", "must be more than 0 and at most 3600")?;
        Invalid::unless(self.hop.is_none_or(length), "hop", "must be more than 0 and at most 3600")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, String> {
        let signal = crate::audio(inputs)?;
        if let Some(rate) = signal.rate {
            let frames = |seconds: f64| (seconds * f64::from(rate)).round();
            if frames(self.seconds) < 1.0 || self.hop.is_some_and(|hop| frames(hop) < 1.0) {
                return Err(format!("`seconds` and `hop` must be at least one frame, 1/{rate} s"));
            }
        }
        let frames = signal.rate.filter(|_| self.tail != Tail::Keep);
        let frames = frames.map(|rate| (self.seconds * f64::from(rate)).round() as u64);
        Ok(Flow::Signal(SignalType { unit: Unit::Clip, frames, ..signal }))
    }

    fn body(&self) -> Body {
        let segment = self.clone();
        Body::Map(Box::new(move |context| Box::new(Work::new(segment.clone(), context))))
    }
}

struct Work {
    segment: Segment,
    context: Context,
    header: Option<Header>,
    /// Frames of a clip, and from one to the next.
    frames: usize,
    hop: usize,
    /// What has come since `at`, a vector a channel.
    waiting: Vec<Vec<f32>>,
    /// The first frame of `waiting`, and of the next clip.
    at: u64,
    next: u64,
    /// The end of the last clip.
    covered: u64,
    clips: u64,
}

impl Work {
    fn new(segment: Segment, context: Context) -> Self {
        Self {
            segment,
            context,
            header: None,
            frames: 1,
            hop: 1,
            waiting: Vec::new(),
            at: 0,
            next: 0,
            covered: 0,
            clips: 0,
        }
    }

    /// Drops what no clip needs any more.
    fn forget(&mut self) {
        let available = self.waiting.first().map_or(0, Vec::len);
        let passed = usize::try_from(self.next - self.at).unwrap_or(usize::MAX).min(available);
        for plane in &mut self.waiting {
            plane.drain(..passed);
        }
        self.at += passed as u64;
    }

    /// Gives the next clip: `length` frames of what waits, filled up with silence to `padded`.
    fn clip(&mut self, length: usize, padded: usize, output: &mut dyn Output) -> Step {
        let Some(header) = &self.header else { return Ok(()) };
        output.begin(&Header {
            start: header.start + self.next,
            frames: Some(padded as u64),
            ..header.clone()
        })?;
        let mut from = 0;
        while from < padded {
            let to = padded.min(from + self.context.block.max(1));
            let mut samples = Vec::with_capacity((to - from) * self.waiting.len());
            for plane in &self.waiting {
                samples.extend_from_slice(&plane[from.min(length)..to.min(length)]);
                let silence = (to - from) - (to.min(length) - from.min(length));
                samples.resize(samples.len() + silence, 0.0);
            }
            output.block(Block::planar(self.waiting.len(), samples))?;
            from = to;
        }
        output.end()?;
        self.clips += 1;
        self.covered = self.next + length as u64;
        self.next += self.hop as u64;
        self.forget();
        Ok(())
    }
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, _: &mut dyn Output) -> Step {
        let frames = |seconds: f64| ((seconds * f64::from(header.rate)).round() as usize).max(1);
        self.frames = frames(self.segment.seconds);
        self.hop = frames(self.segment.hop.unwrap_or(self.segment.seconds));
        self.waiting = vec![Vec::new(); usize::from(header.channels)];
        (self.at, self.next, self.covered, self.clips) = (0, 0, 0, 0);
        self.header = Some(header.clone());
        Ok(())
    }

    fn block(&mut self, block: Block, output: &mut dyn Output) -> Step {
        for (channel, plane) in self.waiting.iter_mut().enumerate() {
            plane.extend_from_slice(block.channel(channel));
        }
        self.forget();
        while self.at == self.next && self.waiting[0].len() >= self.frames {
            self.clip(self.frames, self.frames, output)?;
        }
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        let end = self.at + self.waiting.first().map_or(0, Vec::len) as u64;
        // With a hop shorter than a clip, what is left may be in the last clip already.
        if self.segment.tail != Tail::Drop && self.at == self.next && end > self.covered.max(self.next) {
            let length = usize::try_from(end - self.next).unwrap_or(self.frames);
            let padded = if self.segment.tail == Tail::Pad { self.frames } else { length };
            self.clip(length, padded, output)?;
        }
        // A recording without a clip is filtered; of several clips of one recording each is on its own.
        let recording = self.header.as_ref().is_some_and(|header| header.frames.is_none());
        if self.clips == 0 && !recording {
            output.count("too_short", 1);
        } else if self.clips == 0 {
            let reason = format!("shorter than a clip of {} s", self.segment.seconds);
            return Err(Stop::Filtered { reason });
        }
        Ok(())
    }
}
