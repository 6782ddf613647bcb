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
        self.placement.check()
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, String> {
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
                return Err(format!("`seconds` is longer than the clips, {crop} frames of {clip}"));
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
        let clip = header.frames.unwrap_or(0);
        let wanted = self.crop.frames(header.rate, header.hop);
        self.frames = usize::try_from(wanted.unwrap_or(clip)).unwrap_or(usize::MAX);
        self.at = 0;
        self.views.clear();
        self.header = Some(header.clone());
        let available = usize::try_from(clip).unwrap_or(usize::MAX);
        let room = available.checked_sub(self.frames);
        let mut random = self.context.random(&header.item, header.start, header.view);
        let frames_a_second = f64::from(header.rate) / f64::from(header.hop);
        let drawn = room
            .and_then(|room| self.crop.placement.draw(self.crop.views, room, frames_a_second, &mut random));
        let Some(starts) = drawn else {
            output.count("too_short", 1);
            return Ok(());
        };
        let view = |start| (start, Block::zeros(usize::from(header.channels), self.frames));
        self.views.extend(starts.into_iter().map(view));
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
            output.begin(&cut(
                &header,
                start as u64,
                self.frames as u64,
                header.view * self.crop.views + view as u32,
            ))?;
            crate::give(&block, self.context.block, output)?;
            output.end()?;
        }
        Ok(())
    }
}

/// The header of a part of a clip.
pub fn cut(header: &Header, start: u64, frames: u64, view: u32) -> Header {
    let inside = |(from, to): &(u64, u64)| {
        let (from, to) = (from.saturating_sub(start).min(frames), to.saturating_sub(start).min(frames));
        (from < to).then_some((from, to))
    };
    Header {
        start: header.start + start * u64::from(header.hop),
        frames: Some(frames),
        view,
        mask: header.mask.as_ref().map(|mask| mask.map(|spans| spans.iter().filter_map(inside).collect())),
        ..header.clone()
    }
}

#[cfg(test)]
mod tests;
