//! Cuts signals into overlapping clips of a few frames.

#[cfg(test)]
mod tests;

use etude_pipeline::flow::{Block, Flow, Header, SignalType, Unit};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::crop::cut;

/// Cuts clips or recordings into n-grams: overlapping clips of a few frames each (Lattner et al. 2019: 32 frames).
///
/// `[channels, n]` becomes ⌊(n − `frames`) / `hop`⌋ + 1 clips of `[channels, frames]`, each with its own `start` and
/// its part of the mask. They are clips of their own, not views of one clip: what makes views belongs below. The end
/// that does not fill an n-gram is left out; a signal that is shorter than one gives none and is counted (`too_short`).
/// Works on audio too, whose frames are samples.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NGrams {
    /// Frames of an n-gram, 1 to 1000000.
    #[schemars(range(min = 1, max = 1_000_000))]
    frames: u64,
    /// Frames from the begin of one n-gram to that of the next, 1 to 1000000.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    hop: u64,
}

fn one() -> u64 {
    1
}

impl Declare for NGrams {
    const NAME: &'static str = "n_grams";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for NGrams {
    fn check(&self) -> Result<(), Invalid> {
        let right = |number: u64| (1..=1_000_000).contains(&number);
        Invalid::unless(right(self.frames), "frames", "must be from 1 to 1000000")?;
        Invalid::unless(right(self.hop), "hop", "must be from 1 to 1000000")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        // Views of a clip follow each other; n-grams of the first view would come before the second view.
        let signal = crate::signal(inputs)?.in_time()?.one_view()?;
        if let Some(frames) = signal.frames.or(signal.most_frames).filter(|frames| *frames < self.frames) {
            let message = format!("`frames` is more than the clips have, {} of {frames}", self.frames);
            return Err(Invalid::of("frames", message));
        }
        let frames = Some(self.frames);
        Ok(Flow::Signal(SignalType { unit: Unit::Clip, frames, most_frames: frames, ..signal }))
    }

    fn body(&self) -> Body {
        let Self { frames, hop } = *self;
        let length = usize::try_from(frames).unwrap_or(usize::MAX);
        Body::Map(Box::new(move |context| {
            Box::new(Work {
                length,
                hop,
                context,
                header: Header::default(),
                begun: Header::default(),
                part: Block::default(),
                waiting: Vec::new(),
                begin: 0,
                end: 0,
                next: 0,
            })
        }))
    }
}

/// Frames count from the begin of the signal.
struct Work {
    length: usize,
    hop: u64,
    context: Context,
    header: Header,
    /// That of the n-gram that is given.
    begun: Header,
    part: Block,
    /// Of each channel, the frames `begin..end`.
    waiting: Vec<Vec<f32>>,
    begin: u64,
    end: u64,
    /// Where the next n-gram begins.
    next: u64,
}

impl Work {
    fn give(&mut self, output: &mut dyn Output) -> Step {
        cut(&self.header, self.next, self.length as u64, self.header.view, &mut self.begun);
        output.begin(&self.begun)?;
        let mut from = (self.next - self.begin) as usize;
        let end = from + self.length;
        while from < end {
            let to = end.min(from + self.context.block.max(1));
            self.part.resize(self.waiting.len(), to - from);
            for (index, channel) in self.waiting.iter().enumerate() {
                self.part.channel_mut(index).copy_from_slice(&channel[from..to]);
            }
            output.block(&mut self.part)?;
            from = to;
        }
        output.end()
    }

    /// Drops what lies before the next n-gram, once it is at least as much as what lies behind: each frame is then
    /// moved once on average, however short the blocks are.
    fn forget(&mut self) {
        let (old, all) = (self.next.min(self.end) - self.begin, self.end - self.begin);
        if 2 * old >= all {
            self.waiting.iter_mut().for_each(|channel| drop(channel.drain(..old as usize)));
            self.begin += old;
        }
    }
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, _: &mut dyn Output) -> Step {
        self.waiting.resize_with(usize::from(header.channels), Vec::new);
        self.waiting.iter_mut().for_each(Vec::clear);
        (self.begin, self.end, self.next) = (0, 0, 0);
        self.header.clone_from(header);
        Ok(())
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        self.context.check()?;
        for (index, channel) in self.waiting.iter_mut().enumerate() {
            channel.extend_from_slice(block.channel(index));
        }
        self.end += block.frames() as u64;
        while self.next + self.length as u64 <= self.end {
            self.give(output)?;
            self.next += self.hop;
        }
        self.forget();
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        if self.next == 0 {
            output.count("too_short", 1);
        }
        Ok(())
    }
}
