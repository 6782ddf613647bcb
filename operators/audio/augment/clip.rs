//! A clip on its way through the steps.

use std::ops::Range;

use etude_pipeline::flow::Block;
use etude_pipeline::operator::{Output, Step};

use crate::held::Held;

/// A clip in the blocks in which it came, which are put together only for a step that wants it whole.
#[derive(Default)]
pub struct Clip {
    blocks: Held,
    /// All of it in one block, once it is put together.
    whole: Block,
    is_whole: bool,
    /// What of that is handed on.
    part: Block,
}

impl Clip {
    /// Forgets what was there.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.is_whole = false;
    }

    /// Adds frames at the end.
    pub fn push(&mut self, block: &mut Block) {
        if block.frames() > 0 {
            self.blocks.push(block);
        }
    }

    /// What it is made of, one behind the other.
    fn pieces(&mut self) -> &mut [Block] {
        if self.is_whole { std::slice::from_mut(&mut self.whole) } else { self.blocks.order() }
    }

    pub fn frames(&mut self) -> usize {
        self.pieces().iter().map(Block::frames).sum()
    }

    pub fn channels(&mut self) -> usize {
        self.pieces().first().map_or(0, Block::channels)
    }

    /// All of it in one block.
    pub fn whole(&mut self) -> &mut Block {
        if !self.is_whole {
            let (channels, frames) = (self.channels(), self.frames());
            self.whole.resize(channels, frames);
            let mut at = 0;
            for block in self.blocks.iter() {
                let place = at..at + block.frames();
                for channel in 0..channels {
                    self.whole.channel_mut(channel)[place.clone()].copy_from_slice(block.channel(channel));
                }
                at = place.end;
            }
            self.blocks.clear();
            self.is_whole = true;
        }
        &mut self.whole
    }

    /// Changes samples each by itself.
    pub fn each(&mut self, change: impl Fn(f32) -> f32) {
        for block in self.pieces() {
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
        for block in self.pieces() {
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
        let pieces = self.pieces();
        pieces.reverse();
        for block in pieces {
            (0..block.channels()).for_each(|channel| block.channel_mut(channel).reverse());
        }
    }

    /// Moves the first so many frames to the end.
    pub fn rotate(&mut self, frames: usize) {
        if self.is_whole {
            let whole = &mut self.whole;
            (0..whole.channels()).for_each(|channel| whole.channel_mut(channel).rotate_left(frames));
            return;
        }
        let (mut left, mut at) = (frames, 0);
        while let Some(block) = self.blocks.get(at).filter(|block| left >= block.frames()) {
            left -= block.frames();
            at += 1;
        }
        if left > 0 {
            self.blocks.part(at, left);
            at += 1;
        }
        let blocks = self.blocks.order();
        blocks.rotate_left(at.min(blocks.len()));
    }

    /// Hands it on in blocks of at most `length` frames.
    pub fn give(&mut self, length: usize, output: &mut dyn Output) -> Step {
        let Self { blocks, whole, is_whole, part } = self;
        let mut cut = |block: &Block| crate::give(block, (0, block.frames()), length, part, output);
        if *is_whole && whole.frames() > length {
            cut(whole)?;
        } else if *is_whole {
            output.block(whole)?;
        } else if blocks.iter().any(|block| block.frames() > length) {
            blocks.iter().try_for_each(cut)?;
        } else {
            blocks.give(output, |_| {})?;
        }
        self.clear();
        Ok(())
    }
}

impl From<Block> for Clip {
    fn from(mut block: Block) -> Self {
        let mut clip = Self::default();
        clip.push(&mut block);
        clip
    }
}
