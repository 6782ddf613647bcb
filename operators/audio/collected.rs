//! A clip that is put together from its blocks.

use etude_pipeline::flow::{Block, Header};

/// A clip that is put together from its blocks; its memory is kept for the next one.
#[derive(Debug, Default)]
pub struct Collected {
    clip: Block,
    come: usize,
}

impl Collected {
    /// Makes room for a clip, whose length is known.
    pub fn begin(&mut self, header: &Header) {
        let frames = usize::try_from(header.frames.unwrap_or(0)).unwrap_or(usize::MAX);
        let channels = usize::from(header.channels);
        if (self.clip.channels(), self.clip.frames()) != (channels, frames) {
            self.clip = Block::zeros(channels, frames);
        }
        self.come = 0;
    }

    /// Adds its next frames.
    pub fn push(&mut self, block: &Block) {
        let (from, to) = (self.come, self.come + block.frames());
        for channel in 0..self.clip.channels() {
            self.clip.channel_mut(channel)[from..to].copy_from_slice(block.channel(channel));
        }
        self.come = to;
    }

    /// The clip, once all of it has come.
    pub fn clip(&mut self) -> &mut Block {
        &mut self.clip
    }
}
