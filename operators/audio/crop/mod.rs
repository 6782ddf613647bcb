//! Random crops of clips: the views of contrastive learning.

use etude_pipeline::flow::{Block, Flow, Header, SignalType};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Takes random crops of each clip, each at a start of its own.
///
/// The starts are drawn uniformly, keyed on (seed, stage, item, start, epoch, view). A clip that
/// is shorter than a crop gives none and is counted (`too_short`).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// The length of a crop in seconds, rounded to whole frames.
    #[schemars(extend("exclusiveMinimum" = 0))]
    seconds: f64,
    /// How many crops of each clip, 1 to 64.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 64))]
    views: u32,
}

fn one() -> u32 {
    1
}

impl Crop {
    fn frames(&self, rate: u32) -> usize {
        ((self.seconds * f64::from(rate)).round() as usize).max(1)
    }
}

impl Declare for Crop {
    const NAME: &'static str = "crop";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Crop {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(
            self.seconds > 0.0 && self.seconds <= 3600.0,
            "seconds",
            "must be more than 0 and at most 3600",
        )?;
        Invalid::unless((1..=64).contains(&self.views), "views", "must be from 1 to 64")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, String> {
        let signal = crate::clips(inputs)?;
        // Where clips differ in length some may be too short and give none.
        let frames = signal.rate.zip(signal.frames).map(|(rate, _)| self.frames(rate) as u64);
        if let (Some(clip), Some(crop)) = (signal.frames, frames)
            && crop > clip
        {
            return Err(format!("`seconds` is longer than the clips, {crop} frames of {clip}"));
        }
        let most_frames = signal.rate.map(|rate| self.frames(rate) as u64);
        let views = signal.views.saturating_mul(self.views);
        Ok(Flow::Signal(SignalType { frames, most_frames, views, ..signal }))
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        let crop = self.clone();
        Body::Map(Box::new(move |context| {
            Box::new(Work { crop: crop.clone(), context, header: None, frames: 0, at: 0, views: Vec::new() })
        }))
    }
}

struct Work {
    crop: Crop,
    context: Context,
    header: Option<Header>,
    frames: usize,
    at: usize,
    /// The start of each view and what has come of it, channel after channel.
    views: Vec<(usize, Block)>,
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        self.frames = self.crop.frames(header.rate);
        self.at = 0;
        self.views.clear();
        self.header = Some(header.clone());
        let available = usize::try_from(header.frames.unwrap_or(0)).unwrap_or(usize::MAX);
        let Some(room) = available.checked_sub(self.frames) else {
            output.count("too_short", 1);
            return Ok(());
        };
        let mut random = self.context.random(&header.item, header.start, header.view);
        for _ in 0..self.crop.views {
            let start = random.below(room as u64 + 1) as usize;
            self.views.push((start, Block::zeros(usize::from(header.channels), self.frames)));
        }
        Ok(())
    }

    fn block(&mut self, block: Block, _: &mut dyn Output) -> Step {
        let (begin, end) = (self.at, self.at + block.frames());
        for (start, view) in &mut self.views {
            let (from, to) = (begin.max(*start), end.min(*start + self.frames));
            if from < to {
                for channel in 0..view.channels().min(block.channels()) {
                    view.channel_mut(channel)[from - *start..to - *start]
                        .copy_from_slice(&block.channel(channel)[from - begin..to - begin]);
                }
            }
        }
        self.at = end;
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        let Some(header) = self.header.take() else { return Ok(()) };
        for (view, (start, block)) in self.views.drain(..).enumerate() {
            output.begin(&Header {
                start: header.start + start as u64,
                frames: Some(self.frames as u64),
                view: header.view * self.crop.views + view as u32,
                ..header.clone()
            })?;
            crate::give(&block, self.context.block, output)?;
            output.end()?;
        }
        Ok(())
    }
}
