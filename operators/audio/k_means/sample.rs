//! Frames that are drawn from clips.

use std::collections::BTreeSet;

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Output, Step, Stop};
use etude_pipeline::random::Random;

/// Takes some frames of each signal.
pub struct Sample {
    random: Random,
    /// Frames of a signal that are taken.
    most: usize,
    /// Those of the signal that is read, in order, and where it comes from.
    chosen: Vec<usize>,
    at: usize,
    header: Option<Header>,
    /// The frames, one after another.
    pub values: Vec<f32>,
    /// Values of a frame.
    pub width: usize,
    /// Seconds of signal that were read.
    pub seconds: f64,
}

impl Sample {
    pub fn new(random: Random, most: usize) -> Self {
        let (chosen, values) = (Vec::new(), Vec::new());
        Self { random, most, chosen, at: 0, header: None, values, width: 0, seconds: 0.0 }
    }
}

/// `most` of the numbers below `count`, in order, each set of them as likely as any other; all where there are no more
/// (Floyd; Bentley 1987, "A sample of brilliance").
pub fn choose(random: &mut Random, most: usize, count: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    let mut chosen = BTreeSet::new();
    for last in count - most..count {
        let drawn = random.below(last as u64 + 1) as usize;
        if !chosen.insert(drawn) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}

impl Output for Sample {
    fn begin(&mut self, header: &Header) -> Step {
        let rejected = |message: &str| Stop::Rejected {
            class: "frames",
            offset: format!("`{}` at {}", header.item, header.start),
            message: message.into(),
        };
        let frames = header.frames.and_then(|frames| usize::try_from(frames).ok());
        let frames = frames.ok_or_else(|| rejected("its length is not known"))?;
        let width = usize::from(header.channels);
        if self.width != 0 && self.width != width {
            return Err(rejected("has other channels than the signal before it"));
        }
        self.chosen = choose(&mut self.random, self.most, frames);
        self.values.reserve(self.chosen.len() * width);
        self.seconds += frames as f64 * f64::from(header.hop) / f64::from(header.rate.max(1));
        (self.width, self.at, self.header) = (width, 0, Some(header.clone()));
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        let end = self.at + block.frames();
        let from = self.chosen.partition_point(|frame| *frame < self.at);
        for frame in self.chosen[from..].iter().take_while(|frame| **frame < end) {
            self.values.extend((0..self.width).map(|channel| block.channel(channel)[frame - self.at]));
        }
        self.at = end;
        Ok(())
    }

    fn end(&mut self) -> Step {
        if self.values.iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        let place = self.header.as_ref().map(|header| format!("`{}` at {}", header.item, header.start));
        let message = "a value is not finite".into();
        Err(Stop::Rejected { class: "value", offset: place.unwrap_or_default(), message })
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}
