//! Crops of clips: the views that objectives compare.

mod place;

use etude_pipeline::flow::{Block, Flow, Header, SignalType};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;

pub use place::{Near, Placement};

/// Takes views of each clip: crops at starts that are drawn, or copies of the whole.
///
/// Starts are keyed on (seed, stage, item, start, epoch, view). A view says where it begins in its recording. Of
/// features it takes frames. A clip that is shorter than a crop, or than views have to be apart, gives none and is
/// counted (`too_short`).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// The length of a crop in seconds, above 0 and at most 3600, rounded to whole frames. Without it a view is the
    /// whole clip.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 3600))]
    seconds: Option<f64>,
    /// How many views of each clip, 1 to 64.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 64))]
    views: u32,
    /// Where the views of a clip lie to one another.
    #[serde(default)]
    placement: Placement,
}

fn one() -> u32 {
    1
}

impl Crop {
    /// Frames of a view, `hop` samples apart; none where it is the whole clip.
    fn frames(&self, rate: u32, hop: u32) -> Option<u64> {
        let frames = |seconds: f64| (seconds * f64::from(rate) / f64::from(hop.max(1))).round() as u64;
        self.seconds.map(|seconds| frames(seconds).max(1))
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
            self.seconds.is_none_or(|seconds| seconds > 0.0 && seconds <= 3600.0),
            "seconds",
            "must be more than 0 and at most 3600",
        )?;
        Invalid::unless((1..=64).contains(&self.views), "views", "must be from 1 to 64")?;
        let whole = self.seconds.is_none() && self.placement != Placement::Independent;
        Invalid::unless(!whole, "placement", "needs `seconds`: whole clips lie where they lie")?;
        let alone = self.views == 1 && self.placement != Placement::Independent;
        Invalid::unless(!alone, "placement", "says where views lie to one another: there is one")?;
        self.placement.check()
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?.clips()?.complete()?;
        // A copy of all tokens is one of all places.
        let signal = if self.seconds.is_some() { signal.in_time()? } else { signal };
        let views = signal.views.saturating_mul(self.views);
        if self.seconds.is_none() {
            return Ok(Flow::Signal(SignalType { views, ..signal }));
        }
        let most_frames = signal.rate.and_then(|rate| self.frames(rate, signal.hop));
        // Where clips differ in length some may be too short and give none.
        let frames = most_frames.filter(|_| signal.frames.is_some());
        if let (Some(clip), Some(crop), Some(rate)) = (signal.frames, frames, signal.rate) {
            let Some(room) = clip.checked_sub(crop) else {
                let message = format!("`seconds` is longer than the clips, {crop} frames of {clip}");
                return Err(Invalid::of("seconds", message));
            };
            self.placement.fits(room, f64::from(rate) / f64::from(signal.hop))?;
        }
        Ok(Flow::Signal(SignalType { frames, most_frames, views, ..signal }))
    }

    fn random(&self) -> bool {
        self.seconds.is_some()
    }

    fn body(&self) -> Body {
        let crop = self.clone();
        Body::Map(Box::new(move |context| {
            Box::new(Work {
                crop: crop.clone(),
                context,
                header: Header::default(),
                begun: Header::default(),
                frames: 0,
                at: 0,
                views: Vec::new(),
                starts: Vec::new(),
                part: Block::default(),
            })
        }))
    }
}

struct Work {
    crop: Crop,
    context: Context,
    header: Header,
    /// That of the view that is given.
    begun: Header,
    frames: usize,
    at: usize,
    /// The start of each view; none of a clip that is left out.
    starts: Vec<usize>,
    /// What has come of each.
    views: Vec<Block>,
    part: Block,
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        let clip = header.frames.unwrap_or(0);
        let wanted = self.crop.frames(header.rate, header.hop);
        self.frames = usize::try_from(wanted.unwrap_or(clip)).unwrap_or(usize::MAX);
        self.at = 0;
        self.starts.clear();
        self.header.clone_from(header);
        let available = usize::try_from(clip).unwrap_or(usize::MAX);
        let room = available.checked_sub(self.frames);
        let mut random = self.context.random(&header.item, header.start, header.view);
        let frames_a_second = f64::from(header.rate) / f64::from(header.hop);
        let Crop { placement, views, .. } = &self.crop;
        let drawn = room
            .is_some_and(|room| placement.draw(*views, room, frames_a_second, &mut random, &mut self.starts));
        if !drawn {
            self.starts.clear();
            output.count("too_short", 1);
        }
        let count = self.starts.len().max(self.views.len());
        self.views.resize_with(count, Block::default);
        for (_, view) in self.starts.iter().zip(&mut self.views) {
            view.resize(usize::from(header.channels), self.frames);
        }
        Ok(())
    }

    fn block(&mut self, block: &mut Block, _: &mut dyn Output) -> Step {
        let (begin, end) = (self.at, self.at + block.frames());
        for (start, view) in self.starts.iter().zip(&mut self.views) {
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
        let first = self.header.view * self.crop.views;
        for ((start, block), view) in self.starts.iter().zip(&self.views).zip(first..) {
            cut(&self.header, *start as u64, self.frames as u64, view, &mut self.begun);
            output.begin(&self.begun)?;
            crate::give(block, (0, self.frames), self.context.block, &mut self.part, output)?;
            output.end()?;
        }
        Ok(())
    }
}

/// Makes the header of a part of a clip.
pub fn cut(header: &Header, start: u64, frames: u64, view: u32, part: &mut Header) {
    part.clone_from(header);
    part.start += start * u64::from(header.hop);
    (part.frames, part.view) = (Some(frames), view);
    let inside = |frame: u64| frame.saturating_sub(start).min(frames);
    part.change_mask(|from, to| (inside(from), inside(to)));
}

#[cfg(test)]
mod tests;
