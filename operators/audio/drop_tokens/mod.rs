//! Leaves out a share of the frames.

#[cfg(test)]
mod tests;

use etude_pipeline::flow::{Block, Flow, Header, Masking, SignalType};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step,
};
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::mask::spans;

/// Leaves out a share of each clip's frames, such as the tokens of `patchify`, chosen at random (Myna, Yonay et al.
/// 2025).
///
/// Of n frames n − ⌊`ratio` · n⌋ are kept, in their order; every choice is as likely. The mask then says which were
/// left out: it counts the n frames there were, not those that are kept, so that what reads it knows the place of each.
/// What cuts or moves frames therefore belongs above. Keyed on (seed, stage, item, start, epoch, view).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DropTokens {
    /// The share that is left out, 0 or more and less than 1.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    ratio: f64,
}

impl DropTokens {
    /// How many of so many frames are left out.
    fn dropped(&self, frames: u64) -> u64 {
        (self.ratio * frames as f64) as u64
    }
}

/// Chooses `count` of `total`, in order; every choice is as likely.
pub fn choose(count: u64, total: u64, random: &mut Random, chosen: &mut Vec<bool>) {
    let mut open = count;
    chosen.clear();
    chosen.extend((0..total).map(|at| {
        let takes = random.below(total - at) < open;
        open -= u64::from(takes);
        takes
    }));
}

impl Declare for DropTokens {
    const NAME: &'static str = "drop_tokens";
    const VERSION: u32 = 2;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for DropTokens {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless((0.0..1.0).contains(&self.ratio), "ratio", "must be 0 or more and less than 1")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?.features()?.clips()?.unmasked()?;
        let kept = |frames: u64| frames - self.dropped(frames);
        let (frames, most_frames) = (signal.frames.map(kept), signal.most_frames.map(kept));
        Ok(Flow::Signal(SignalType { frames, most_frames, masking: Masking::Dropped, ..signal }))
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        let tokens = self.clone();
        Body::Map(Box::new(move |context| {
            Box::new(Work {
                tokens: tokens.clone(),
                context,
                dropped: Vec::new(),
                kept: Vec::new(),
                at: 0,
                header: Header::default(),
                given: Block::default(),
            })
        }))
    }
}

struct Work {
    tokens: DropTokens,
    context: Context,
    /// Of each frame of the clip, whether it is left out.
    dropped: Vec<bool>,
    /// The frames of a block that are kept.
    kept: Vec<usize>,
    /// Frames that have come.
    at: usize,
    header: Header,
    given: Block,
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        let all = header.frames.unwrap_or(0);
        let dropped = self.tokens.dropped(all);
        let mut random = self.context.random(&header.item, header.start, header.view);
        choose(dropped, all, &mut random, &mut self.dropped);
        self.at = 0;
        self.header.masked_from(header, |covered, _| covered.extend(spans(&self.dropped)));
        self.header.frames = Some(all - dropped);
        output.begin(&self.header)
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        let dropped = &self.dropped[self.at..self.at + block.frames()];
        self.at += block.frames();
        self.kept.clear();
        self.kept.extend((0..dropped.len()).filter(|frame| !dropped[*frame]));
        if self.kept.is_empty() {
            return Ok(());
        }
        self.given.resize(block.channels(), self.kept.len());
        for channel in 0..block.channels() {
            let (row, kept) = (block.channel(channel), self.given.channel_mut(channel));
            kept.iter_mut().zip(&self.kept).for_each(|(value, frame)| *value = row[*frame]);
        }
        output.block(&mut self.given)
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        output.end()
    }
}
