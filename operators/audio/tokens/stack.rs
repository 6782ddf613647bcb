//! Frames put behind each other: several that follow become one.

use etude_pipeline::flow::{Block, Header};

/// What no complete stack has used up.
pub struct Stack {
    size: usize,
    /// The frames that wait, value after value and frame after frame, with room for a whole stack.
    waiting: Vec<f32>,
    frames: usize,
    stacks: Block,
}

impl Stack {
    /// Stacks of `size` frames.
    pub fn new(size: usize) -> Self {
        Self { size: size.max(1), waiting: Vec::new(), frames: 0, stacks: Block::default() }
    }

    /// A signal of that many channels begins.
    pub fn begin(&mut self, channels: usize) {
        self.waiting.clear();
        self.waiting.resize(channels * self.size, 0.0);
        self.frames = 0;
    }

    /// The stacks that a block completes: first all channels of a stack's first frame, then those of its second. What
    /// is left waits.
    pub fn push<'a>(&'a mut self, block: &'a Block) -> &'a Block {
        if self.size == 1 {
            return block;
        }
        let channels = block.channels();
        let complete = (self.frames + block.frames()) / self.size;
        let stacks = &mut self.stacks;
        stacks.resize(channels * self.size, complete);
        if complete > 0 {
            for (row, value) in self.waiting[..self.frames * channels].iter().enumerate() {
                stacks.channel_mut(row)[0] = *value;
            }
        }
        for channel in 0..channels {
            for (frame, value) in block.channel(channel).iter().enumerate() {
                let (stack, place) = ((self.frames + frame) / self.size, (self.frames + frame) % self.size);
                let row = place * channels + channel;
                if stack < complete {
                    stacks.channel_mut(row)[stack] = *value;
                } else {
                    self.waiting[row] = *value;
                }
            }
        }
        self.frames = (self.frames + block.frames()) % self.size;
        stacks
    }
}

/// Makes of a mask of frames that of stacks: those of which it covers a frame, of as many as the header says.
pub fn mask(header: &mut Header, size: u64) {
    let stacks = header.frames.unwrap_or(u64::MAX);
    header.change_mask(|from, to| (from / size, to.div_ceil(size).min(stacks)));
}

#[cfg(test)]
mod tests {
    use etude_pipeline::flow::Mask;

    use super::*;

    #[test]
    fn frames_follow_each_other_in_a_stack() {
        // Two channels, seven frames: 0 to 6 and 10 to 16.
        let block = Block::planar(2, (0..7).chain(10..17).map(|value| value as f32).collect());
        for lengths in [vec![7], vec![1; 7], vec![2, 5], vec![4, 0, 3]] {
            let mut stack = Stack::new(3);
            stack.begin(2);
            let (mut from, mut found) = (0, vec![Vec::new(); 6]);
            for length in lengths {
                let part = block.slice(from, from + length);
                let stacks = stack.push(&part);
                found.iter_mut().enumerate().for_each(|(row, to)| to.extend_from_slice(stacks.channel(row)));
                from += length;
            }
            let expected = [[0.0, 3.0], [10.0, 13.0], [1.0, 4.0], [11.0, 14.0], [2.0, 5.0], [12.0, 15.0]];
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_mask_covers_stacks_that_it_touches() {
        let masked = |spans: &[(u64, u64)], size: u64, frames: Option<u64>| {
            let mut header = Header { frames, mask: Some(Mask::filled(spans.into())), ..Header::default() };
            mask(&mut header, size);
            header.mask.unwrap().covered
        };
        assert_eq!(masked(&[(0, 1), (5, 9), (9, 10), (20, 23)], 4, None), [(0, 3), (5, 6)]);
        assert_eq!(masked(&[(0, 4), (4, 8), (16, 24)], 4, Some(5)), [(0, 2), (4, 5)]);
        assert_eq!(masked(&[(20, 23)], 4, Some(5)), []);
        assert_eq!(masked(&[(2, 3), (5, 7)], 1, Some(9)), [(2, 3), (5, 7)]);
    }
}
