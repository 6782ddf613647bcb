//! A clip on its way through the steps.

use std::ops::Range;

use etude_pipeline::flow::Block;
use etude_pipeline::operator::{Output, Step};

/// A clip in the blocks in which it came, which are put together only for a step that wants it whole.
#[derive(Default)]
pub struct Clip {
    blocks: Vec<Block>,
    /// What a clip before was put together in.
    spare: Block,
}

impl Clip {
    /// Forgets what was there.
    pub fn clear(&mut self) {
        self.blocks.clear();
    }

    /// Adds frames at the end.
    pub fn push(&mut self, block: Block) {
        if block.frames() > 0 {
            self.blocks.push(block);
        }
    }

    pub fn frames(&self) -> usize {
        self.blocks.iter().map(Block::frames).sum()
    }

    pub fn channels(&self) -> usize {
        self.blocks.first().map_or(0, Block::channels)
    }

    /// All of it in one block.
    pub fn whole(&mut self) -> &mut Block {
        if self.blocks.len() != 1 {
            let (channels, frames) = (self.channels(), self.frames());
            let mut whole = std::mem::take(&mut self.spare);
            if (whole.channels(), whole.frames()) != (channels, frames) {
                whole = Block::zeros(channels, frames);
            }
            let mut at = 0;
            for block in self.blocks.drain(..) {
                let place = at..at + block.frames();
                for channel in 0..channels {
                    whole.channel_mut(channel)[place.clone()].copy_from_slice(block.channel(channel));
                }
                at = place.end;
            }
            self.blocks.push(whole);
        }
        &mut self.blocks[0]
    }

    /// Changes samples each by itself.
    pub fn each(&mut self, change: impl Fn(f32) -> f32) {
        for block in &mut self.blocks {
            block.samples_mut().iter_mut().for_each(|sample| *sample = change(*sample));
        }
    }

    /// Multiplies frames by factors, one for each.
    pub fn scale(&mut self, frames: Range<usize>, factors: impl Iterator<Item = f32> + Clone) {
        self.part(frames, |at, samples| {
            samples.iter_mut().zip(factors.clone().skip(at)).for_each(|(sample, factor)| *sample *= factor);
        });
    }

    /// Silences frames.
    pub fn silence(&mut self, frames: Range<usize>) {
        self.part(frames, |_, samples| samples.fill(0.0));
    }

    /// Goes through some frames of all channels, piece by piece, each with the number of those before it.
    fn part(&mut self, frames: Range<usize>, mut change: impl FnMut(usize, &mut [f32])) {
        let mut begin = 0;
        for block in &mut self.blocks {
            let end = begin + block.frames();
            let (from, to) = (frames.start.max(begin), frames.end.min(end));
            if from < to {
                for channel in 0..block.channels() {
                    change(from - frames.start, &mut block.channel_mut(channel)[from - begin..to - begin]);
                }
            }
            begin = end;
        }
    }

    /// Turns it round.
    pub fn reverse(&mut self) {
        self.blocks.reverse();
        for block in &mut self.blocks {
            (0..block.channels()).for_each(|channel| block.channel_mut(channel).reverse());
        }
    }

    /// Moves the first so many frames to the end.
    pub fn rotate(&mut self, frames: usize) {
        let mut left = frames;
        for at in 0..self.blocks.len() {
            let block = &self.blocks[at];
            if left < block.frames() {
                if left > 0 {
                    let rest = block.slice(left, block.frames());
                    let first = std::mem::replace(&mut self.blocks[at], rest).slice(0, left);
                    self.blocks.insert(at, first);
                }
                self.blocks.rotate_left(at + usize::from(left > 0));
                return;
            }
            left -= block.frames();
        }
    }

    /// Hands it on in blocks of at most `length` frames.
    pub fn give(&mut self, length: usize, output: &mut dyn Output) -> Step {
        for block in self.blocks.drain(..) {
            if block.frames() <= length {
                output.block(block)?;
            } else {
                crate::give(&block, length, output)?;
                self.spare = block;
            }
        }
        Ok(())
    }
}

impl From<Block> for Clip {
    fn from(block: Block) -> Self {
        Self { blocks: vec![block], spare: Block::default() }
    }
}
