//! Masks frames as BERT masks words.

mod fates;
#[cfg(test)]
mod tests;

use etude_pipeline::flow::{Block, Flow, Header, Masking, SignalType};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::collected::Collected;
use crate::mask::{Fill, spans};
use fates::Fates;

/// Chooses frames of each clip to be predicted, and hides most of them (BERT, Devlin et al. 2019).
///
/// Of n frames exactly round(`p` · n) are chosen, at least one, every choice as likely; they are the mask that goes
/// along. Of these each is then filled with probability `mask`, replaced by another frame of the same clip, each as
/// likely, with probability `random`, and otherwise stays as it is. Replacements are taken from the clip as it came; a
/// clip of one frame has none and stays. With `fill: learned` the encoder puts a vector of its own in the place of those
/// that would be filled, which stay as they are. Keyed on (seed, stage, item, start, epoch, view). Of audio a frame is a
/// sample: give `span` then.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BertMask {
    /// The share of frames that is chosen, above 0 and at most 1.
    #[serde(default = "default_p")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    p: f64,
    /// The probability that a chosen frame is filled, 0 to 1.
    #[serde(default = "default_mask")]
    #[schemars(range(min = 0, max = 1))]
    mask: f64,
    /// The probability that a chosen frame is replaced by another, 0 to 1 − `mask`.
    #[serde(default = "default_random")]
    #[schemars(range(min = 0, max = 1))]
    random: f64,
    /// What a filled frame is filled with.
    #[serde(default)]
    fill: Fill,
    /// Frames that are chosen together and have the same fate, 1 to 1000000: blocks side by side from the begin of the
    /// clip, the last of which may be shorter. `p` is then a share of blocks.
    #[serde(default = "default_span")]
    #[schemars(range(min = 1, max = 1_000_000))]
    span: u32,
    /// The views of which frames are chosen; all by default. The others stay as they are, with an empty mask: what was
    /// there, for an objective that predicts it.
    #[serde(default)]
    views: Option<Vec<u32>>,
}

fn default_p() -> f64 {
    0.15
}

fn default_mask() -> f64 {
    0.8
}

fn default_random() -> f64 {
    0.1
}

fn default_span() -> u32 {
    1
}

impl Declare for BertMask {
    const NAME: &'static str = "bert_mask";
    const VERSION: u32 = 2;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for BertMask {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.p > 0.0 && self.p <= 1.0, "p", "must be more than 0 and at most 1")?;
        Invalid::unless((0.0..=1.0).contains(&self.mask), "mask", "must be from 0 to 1")?;
        // 0.9 and 0.1 are not quite 1 together.
        let right = self.random >= 0.0 && self.mask + self.random <= 1.0 + 1e-9;
        Invalid::unless(right, "random", "must be from 0 to 1 − `mask`")?;
        self.fill.check()?;
        let filled = self.mask > 0.0 || self.fill == Fill::Zero;
        Invalid::unless(filled, "fill", "is not used: with `mask: 0` nothing is filled")?;
        Invalid::unless((1..=1_000_000).contains(&self.span), "span", "must be from 1 to 1000000")?;
        crate::check_views(self.views.as_deref())
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?.clips()?.unmasked()?;
        crate::suit_views(self.views.as_deref(), signal.views)?;
        let masking = match self.fill {
            Fill::Learned if self.random == 0.0 => Masking::Marked,
            Fill::Learned => Masking::Mixed,
            Fill::Zero | Fill::Noise(_) => Masking::Filled,
        };
        Ok(Flow::Signal(SignalType { masking, ..signal }))
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        let mask = self.clone();
        Body::Map(Box::new(move |context| {
            let (fates, clip) = (Fates::default(), Collected::default());
            Box::new(Work { mask: mask.clone(), context, header: Header::default(), fates, clip })
        }))
    }
}

struct Work {
    mask: BertMask,
    context: Context,
    header: Header,
    fates: Fates,
    /// A replacement may come later than what it replaces.
    clip: Collected,
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        let frames = usize::try_from(header.frames.unwrap_or(0)).unwrap_or(usize::MAX);
        let mut random = self.context.random(&header.item, header.start, header.view);
        match &self.mask.views {
            Some(views) if !views.contains(&header.view) => self.fates.none(frames),
            _ => self.fates.draw(&self.mask, frames, &mut random),
        }
        self.clip.begin(header);
        self.header.masked_from(header, |covered, unseen| {
            covered.extend(spans(&self.fates.chosen));
            if self.mask.fill == Fill::Learned {
                unseen.extend(spans(&self.fates.filled));
            }
        });
        output.begin(&self.header)
    }

    fn block(&mut self, block: &mut Block, _: &mut dyn Output) -> Step {
        self.clip.push(block);
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        let header = &self.header;
        // Noise has a stream of its own: what is chosen does not depend on it.
        let noise = format_args!("noise\0{}", header.item);
        let mut random = self.context.random(noise, header.start, header.view);
        let clip = self.clip.clip();
        self.fates.apply(clip, &self.mask.fill, &mut random);
        self.clip.give(self.context.block, output)?;
        output.end()
    }
}
