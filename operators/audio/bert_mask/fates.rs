//! What becomes of each frame.

use etude_pipeline::flow::Block;
use etude_pipeline::random::Random;

use super::{BertMask, Fill, Noise};
use crate::drop_tokens::choose;

/// What becomes of each frame of a clip.
#[derive(Debug, Default)]
pub struct Fates {
    /// Of each frame, whether it is to be predicted.
    pub chosen: Vec<bool>,
    /// Frames that are filled.
    pub filled: Vec<usize>,
    /// Frames that are replaced, each with the one that stands for it.
    pub replaced: Vec<(usize, usize)>,
    /// Of each block, whether it is chosen.
    blocks: Vec<bool>,
    /// Values of one channel that stand for others.
    values: Vec<f32>,
}

impl Fates {
    /// Draws for a clip of so many frames.
    pub fn draw(&mut self, mask: &BertMask, frames: usize, random: &mut Random) {
        let span = mask.span as usize;
        let blocks = frames.div_ceil(span) as u64;
        let count = ((mask.p * blocks as f64).round() as u64).clamp(1.min(blocks), blocks);
        choose(count, blocks, random, &mut self.blocks);
        self.none(frames);
        for (block, chosen) in self.blocks.iter().enumerate() {
            let part = block * span..frames.min((block + 1) * span);
            if !chosen {
                continue;
            }
            self.chosen[part.clone()].fill(true);
            let fate = random.uniform();
            if fate < mask.mask {
                self.filled.extend(part);
            } else if fate < mask.mask + mask.random && frames > 1 {
                self.replaced.extend(part.map(|frame| {
                    let other = random.below(frames as u64 - 1) as usize;
                    (frame, if other < frame { other } else { other + 1 })
                }));
            }
        }
    }

    /// All of a clip of so many frames stays as it is.
    pub fn none(&mut self, frames: usize) {
        self.chosen.clear();
        self.chosen.resize(frames, false);
        self.filled.clear();
        self.replaced.clear();
    }

    /// Fills and replaces frames.
    pub fn apply(&mut self, clip: &mut Block, fill: Fill, random: &mut Random) {
        for channel in 0..clip.channels() {
            let row = clip.channel_mut(channel);
            self.values.clear();
            self.values.extend(self.replaced.iter().map(|(_, other)| row[*other]));
            for frame in &self.filled {
                row[*frame] = match fill {
                    Fill::Zero => 0.0,
                    Fill::Noise(Noise { std }) => (std * random.normal()) as f32,
                };
            }
            self.replaced.iter().zip(&self.values).for_each(|((frame, _), value)| row[*frame] = *value);
        }
    }
}
