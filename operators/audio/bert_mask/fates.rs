//! What becomes of each frame.

use etude_pipeline::flow::Block;
use etude_pipeline::random::Random;

use super::{BertMask, Fill};
use crate::drop_tokens::choose;
use crate::mask::runs;

/// What becomes of each frame of a clip.
#[derive(Debug, Default)]
pub struct Fates {
    /// Of each frame, whether it is to be predicted.
    pub chosen: Vec<bool>,
    /// Of each frame, whether it is filled.
    pub filled: Vec<bool>,
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
                self.filled[part].fill(true);
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
        for frames_of in [&mut self.chosen, &mut self.filled] {
            frames_of.clear();
            frames_of.resize(frames, false);
        }
        self.replaced.clear();
    }

    /// Fills and replaces frames.
    pub fn apply(&mut self, clip: &mut Block, fill: &Fill, random: &mut Random) {
        for channel in 0..clip.channels() {
            let row = clip.channel_mut(channel);
            self.values.clear();
            self.values.extend(self.replaced.iter().map(|(_, other)| row[*other]));
            runs(&self.filled).for_each(|run| fill.put(&mut row[run], Some(&mut *random)));
            self.replaced.iter().zip(&self.values).for_each(|((frame, _), value)| row[*frame] = *value);
        }
    }
}
