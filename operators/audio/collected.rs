//! A clip that is put together from its blocks.

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Output, Step};

/// A clip that is put together from its blocks, in memory that is kept for the next one.
#[derive(Debug, Default)]
pub struct Collected {
    clip: Block,
    part: Block,
    channels: usize,
    frames: usize,
    come: usize,
}

impl Collected {
    /// Begins a clip, whose length is known.
    pub fn begin(&mut self, header: &Header) {
        self.frames = usize::try_from(header.frames.unwrap_or(0)).unwrap_or(usize::MAX);
        self.channels = usize::from(header.channels);
        self.come = 0;
    }

    /// Adds its next frames.
    pub fn push(&mut self, block: &mut Block) {
        let (from, to) = (self.come, self.come + block.frames());
        self.come = to;
        if (from, to) == (0, self.frames) {
            self.clip.take(block);
            return;
        }
        let clip = self.clip();
        for channel in 0..clip.channels() {
            // A clip has as many frames as it says.
            if let Some(place) = clip.channel_mut(channel).get_mut(from..to) {
                place.copy_from_slice(block.channel(channel));
            }
        }
    }

    /// The clip, once all of it has come.
    pub fn clip(&mut self) -> &mut Block {
        if (self.clip.channels(), self.clip.frames()) != (self.channels, self.frames) {
            self.clip.resize(self.channels, self.frames);
            self.clip.samples_mut().fill(0.0);
        }
        &mut self.clip
    }

    /// Hands the clip on in blocks of at most `length` frames.
    pub fn give(&mut self, length: usize, output: &mut dyn Output) -> Step {
        match self.clip().frames() {
            0 => Ok(()),
            frames if frames <= length => output.block(&mut self.clip),
            frames => self.cut(0, frames, length, output),
        }
    }
    /// Hands some of its frames on, as often as is wanted, in blocks of at most `length`.
    pub fn cut(&mut self, from: usize, to: usize, length: usize, output: &mut dyn Output) -> Step {
        crate::give(&self.clip, (from, to), length, &mut self.part, output)
    }
}
