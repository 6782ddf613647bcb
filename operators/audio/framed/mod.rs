//! Signals as frames: what all features that look at one frame at a time have in common.

mod framing;
#[cfg(test)]
pub(crate) mod golden;
mod matrix;
#[cfg(test)]
mod tests;

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Context, Map, Output, Step};

pub use framing::{Framing, Padding};
pub use matrix::Matrix;

/// Frames that are worked on together, side by side: what is done to each of them vectorises.
pub const LANES: usize = 16;

/// Values of the most that a block holds, so that it stays in a processor's cache.
const VALUES: usize = 1 << 18;

/// One value of each of [`LANES`] frames.
pub type Row = [f32; LANES];

/// Turns frames into columns of values.
pub trait Columns: Send {
    /// Values of a column.
    fn width(&self) -> usize;

    /// Planes that they are made of.
    fn planes(&self) -> u16 {
        1
    }

    /// Gets ready for signals of a rate.
    fn begin(&mut self, rate: u32) {
        let _ = rate;
    }

    /// The columns of at most [`LANES`] frames: `samples` begins with the first, and `rows` has a row for each value.
    /// What stands in the lanes of frames that are not there does not matter.
    fn columns(&mut self, samples: &[f32], hop: usize, frames: usize, rows: &mut [Row]) -> Step;
}

/// Streams mono signals as columns of values.
pub struct Framed<C> {
    columns: C,
    framing: Framing,
    context: Context,
    /// The most frames of a block.
    most: usize,
    rows: Vec<Row>,
    /// Samples, padding included, that are still needed.
    waiting: Vec<f32>,
    /// Where in `waiting` the next frame begins; perhaps behind its end.
    next: usize,
    /// Whether there were enough samples for a frame, and what stands before the first one is there.
    started: bool,
    header: Header,
    given: Block,
}

impl<C: Columns> Framed<C> {
    /// Columns of the frames that `framing` places.
    pub fn new(columns: C, framing: Framing, context: Context) -> Self {
        let width = columns.width();
        Self {
            rows: vec![[0.0; LANES]; width],
            most: context.block.max(1).min((VALUES / width.max(1)).max(LANES)),
            columns,
            framing,
            context,
            waiting: Vec::new(),
            next: 0,
            started: false,
            header: Header::default(),
            given: Block::default(),
        }
    }

    /// Puts what the first frame sees before the first sample, once that is known.
    fn start(&mut self) {
        let side = self.framing.side();
        if self.started || self.waiting.len() < self.framing.fewest() {
            return;
        }
        self.started = true;
        if self.framing.padding == Padding::None {
            return;
        }
        let length = self.waiting.len();
        self.waiting.resize(length + side, 0.0);
        self.waiting.copy_within(..length, side);
        let (before, after) = self.waiting.split_at_mut(side);
        match self.framing.padding {
            Padding::Reflect => {
                before.iter_mut().rev().zip(&after[1..]).for_each(|(mirrored, sample)| *mirrored = *sample);
            }
            Padding::Zero | Padding::None => before.fill(0.0),
        }
    }

    /// Puts what the last frames see behind the last sample.
    fn finish(&mut self) {
        let (side, length) = (self.framing.side(), self.waiting.len());
        match self.framing.padding {
            Padding::None => {}
            Padding::Zero => self.waiting.resize(length + side, 0.0),
            Padding::Reflect => {
                self.waiting.extend_from_within(length - 1 - side..length - 1);
                self.waiting[length..].reverse();
            }
        }
    }

    /// Frames that are complete.
    fn complete(&self) -> usize {
        let rest = self.waiting.len().checked_sub(self.next + self.framing.n_fft);
        rest.map_or(0, |rest| 1 + rest / self.framing.hop)
    }

    /// Hands so many frames on.
    fn give(&mut self, mut frames: usize, output: &mut dyn Output) -> Step {
        let hop = self.framing.hop;
        while frames > 0 {
            self.context.check()?;
            let length = frames.min(self.most);
            let block = &mut self.given;
            block.resize(self.rows.len(), length);
            for at in (0..length).step_by(LANES) {
                let lanes = LANES.min(length - at);
                self.columns.columns(&self.waiting[self.next..], hop, lanes, &mut self.rows)?;
                for (value, row) in self.rows.iter().enumerate() {
                    block.channel_mut(value)[at..at + lanes].copy_from_slice(&row[..lanes]);
                }
                self.next += lanes * hop;
            }
            output.block(block)?;
            frames -= length;
        }
        self.forget();
        Ok(())
    }

    /// Drops samples that nothing sees any more, once they are the larger part: each is moved once at most, on average.
    fn forget(&mut self) {
        let mirrored = if self.framing.padding == Padding::Reflect { self.framing.side() + 1 } else { 0 };
        let used = self.next.min(self.waiting.len().saturating_sub(mirrored));
        if 2 * used >= self.waiting.len() {
            self.waiting.drain(..used);
            self.next -= used;
        }
    }
}

impl<C: Columns> Map for Framed<C> {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        self.columns.begin(header.rate);
        self.waiting.clear();
        self.next = 0;
        self.started = false;
        self.header.clone_from(header);
        self.header.frames = header.frames.map(|frames| self.framing.frames(frames));
        self.framing.mask(&mut self.header);
        self.header.hop = self.framing.hop as u32;
        self.header.channels = self.rows.len() as u16;
        self.header.planes = self.columns.planes();
        output.begin(&self.header)
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        self.waiting.extend_from_slice(block.channel(0));
        self.start();
        if !self.started {
            return Ok(());
        }
        // Lanes are filled: what is left over waits for the next block.
        self.give(self.complete() / LANES * LANES, output)
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        if self.started {
            self.finish();
            self.give(self.complete(), output)?;
        } else {
            output.count("too_short", 1);
        }
        output.end()
    }
}
