//! Hides parts of clips.

mod fill;
mod spans;

use etude_pipeline::flow::{Block, Flow, Header, Masking, SignalType};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step,
};
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;

pub use fill::Fill;
pub use spans::{Blocks, Spans, runs, spans};

/// Masks parts of each clip, of audio or of features, and says which.
///
/// What is drawn is keyed on (seed, stage, item, start, epoch, view). The masked frames go along with the clip: shards
/// keep them in the column `mask`, and an objective that predicts masked frames takes them as its own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// Which frames: `spans` or `blocks`.
    pattern: Pattern,
    /// What stands for them.
    #[serde(default)]
    fill: Fill,
    /// The views that are masked; all by default.
    #[serde(default)]
    views: Option<Vec<u32>>,
}

/// Which frames are masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Pattern {
    /// Spans that begin anywhere.
    Spans(Spans),
    /// Blocks of a grid.
    Blocks(Blocks),
}

impl Declare for Mask {
    const NAME: &'static str = "mask";
    const VERSION: u32 = 2;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Mask {
    fn check(&self) -> Result<(), Invalid> {
        match &self.pattern {
            Pattern::Spans(spans) => spans.check("pattern.spans.")?,
            Pattern::Blocks(blocks) => blocks.check("pattern.blocks.")?,
        }
        self.fill.check()?;
        crate::check_views(self.views.as_deref())
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?.clips()?.unmasked()?;
        // Blocks are of seconds.
        let signal = if matches!(self.pattern, Pattern::Blocks(_)) { signal.in_time()? } else { signal };
        crate::suit_views(self.views.as_deref(), signal.views)?;
        let masking = if self.fill == Fill::Learned { Masking::Marked } else { Masking::Filled };
        Ok(Flow::Signal(SignalType { masking, ..signal }))
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        let mask = self.clone();
        Body::Map(Box::new(move |context| {
            Box::new(Work {
                mask: mask.clone(),
                context,
                masked: Vec::new(),
                starts: Vec::new(),
                at: 0,
                noise: Vec::new(),
                header: Header::default(),
            })
        }))
    }
}

struct Work {
    mask: Mask,
    context: Context,
    /// Of each frame of the clip, whether it is masked.
    masked: Vec<bool>,
    /// Where spans may begin.
    starts: Vec<usize>,
    at: usize,
    /// A stream of numbers for each channel, so that none depends on how the clip is cut into blocks.
    noise: Vec<Random>,
    header: Header,
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        let frames = usize::try_from(header.frames.unwrap_or(0)).unwrap_or(usize::MAX);
        let mut random = self.context.random(&header.item, header.start, header.view);
        let frames_a_second = f64::from(header.rate) / f64::from(header.hop);
        let chosen = self.mask.views.as_ref().is_none_or(|views| views.contains(&header.view));
        self.masked.clear();
        self.masked.resize(frames, false);
        match &self.mask.pattern {
            _ if !chosen => {}
            Pattern::Spans(spans) => spans.draw_into(&mut self.masked, &mut self.starts, &mut random),
            Pattern::Blocks(blocks) => blocks.draw_into(&mut self.masked, frames_a_second, &mut random),
        }
        self.at = 0;
        let of = |channel: u16| {
            self.context.random(format_args!("{channel}\0{}", header.item), header.start, header.view)
        };
        self.noise.clear();
        if matches!(self.mask.fill, Fill::Noise(_)) {
            self.noise.extend((0..header.channels).map(of));
        }
        self.header.masked_from(header, |covered, unseen| {
            covered.extend(spans(&self.masked));
            if self.mask.fill == Fill::Learned {
                unseen.clone_from(covered);
            }
        });
        output.begin(&self.header)
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        let to = self.masked.len().min(self.at + block.frames());
        let here = &self.masked[self.at.min(to)..to];
        self.at = to;
        for channel in 0..block.channels() {
            let samples = block.channel_mut(channel);
            let mut random = self.noise.get_mut(channel);
            runs(here).for_each(|run| self.mask.fill.put(&mut samples[run], random.as_deref_mut()));
        }
        output.block(block)
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        output.end()
    }
}

#[cfg(test)]
mod tests;
