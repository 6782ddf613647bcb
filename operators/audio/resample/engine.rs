//! A change of rate, as a signal streams through.

use super::plan::reduced;
use super::quality::Quality;
use super::way::{Way, way};

/// Changes the rate of a signal. It can be used again after `reset`.
pub struct Engine {
    from: u64,
    to: u64,
    channels: usize,
    way: Box<dyn Way>,
    /// What stands behind the end.
    silence: Vec<f32>,
    /// Frames since the begin.
    taken: u64,
    given: u64,
}

/// ⌈frames · to / from⌉
pub fn length(frames: u64, from: u64, to: u64) -> u64 {
    let product = u128::from(frames) * u128::from(to);
    u64::try_from(product.div_ceil(u128::from(from.max(1)))).unwrap_or(u64::MAX)
}

impl Engine {
    /// From one rate to another, neither of them 0.
    pub fn new(from: u32, to: u32, quality: Quality, channels: usize) -> Self {
        let (from, to) = reduced(from.into(), to.into());
        let way = way(from, to, quality, channels);
        Self { from, to, channels, way, silence: Vec::new(), taken: 0, given: 0 }
    }

    /// As before the first frame.
    pub fn reset(&mut self) {
        self.way.reset();
        (self.taken, self.given) = (0, 0);
    }

    /// Takes frames, of which `plane` has the samples of a channel. `results` becomes what they complete,
    /// channel after channel. Where that is a lot, more of it comes when no frames are given; this
    /// has to be asked for until nothing comes.
    pub fn process<'a>(&mut self, frames: usize, plane: impl Fn(usize) -> &'a [f32], results: &mut Vec<f32>) {
        self.taken += frames as u64;
        self.advance(frames, usize::MAX, plane, results);
    }

    /// `results` becomes what is left at the signal's end, one piece after another; says whether there was any more.
    /// Behind the end there is silence.
    pub fn finish(&mut self, results: &mut Vec<f32>) -> bool {
        let left = length(self.taken, self.from, self.to).saturating_sub(self.given);
        if left == 0 || self.channels == 0 {
            return false;
        }
        let frames = if self.way.ready(0) > 0 { 0 } else { self.way.missing() };
        let mut silence = std::mem::take(&mut self.silence);
        silence.resize(frames, 0.0);
        self.advance(frames, usize::try_from(left).unwrap_or(usize::MAX), |_| &silence, results);
        self.silence = silence;
        true
    }

    fn advance<'a>(
        &mut self,
        frames: usize,
        most: usize,
        plane: impl Fn(usize) -> &'a [f32],
        results: &mut Vec<f32>,
    ) {
        results.clear();
        results.reserve(self.channels * self.way.ready(frames));
        for channel in 0..self.channels {
            let begin = results.len();
            self.way.process(channel, plane(channel), results);
            results.truncate(begin.saturating_add(most));
        }
        self.given += (results.len() / self.channels.max(1)) as u64;
    }
}
