//! The frames that a clip to come may need.

use etude_pipeline::flow::Block;
use etude_pipeline::operator::Step;

use crate::held::Held;

/// Consecutive frames of a recording, as the blocks that brought them.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    blocks: Held,
    /// What is given of a block.
    piece: Block,
    /// The first frame of the first block.
    begin: u64,
    /// The frame behind the last one.
    end: u64,
}

impl Waiting {
    /// The frame behind the last one that has come.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Adds what comes next.
    pub fn push(&mut self, block: &mut Block) {
        if block.frames() > 0 {
            self.end += block.frames() as u64;
            self.blocks.push(block);
        }
    }

    /// Drops the blocks that end at `to` or before.
    pub fn forget(&mut self, to: u64) {
        while let Some(block) = self.blocks.get(0) {
            let end = self.begin + block.frames() as u64;
            if end > to {
                break;
            }
            self.begin = end;
            self.blocks.forget_first();
        }
    }

    /// Shows the frames `from..to`: blocks, and the part of each.
    pub fn visit(&self, from: u64, to: u64, mut see: impl FnMut(&Block, usize, usize)) {
        let mut begin = self.begin;
        for block in self.blocks.iter() {
            let end = begin + block.frames() as u64;
            if let Some((first, last)) = part(begin, end, from, to) {
                see(block, first, last);
            }
            begin = end;
        }
    }

    /// Gives the frames `from..to`. What lies before `keep` need not be kept, so whole blocks of it are
    /// handed on without a copy.
    pub fn give(&mut self, from: u64, to: u64, keep: u64, mut take: impl FnMut(&mut Block) -> Step) -> Step {
        let mut begin = self.begin;
        let mut index = 0;
        while let Some(block) = self.blocks.get_mut(index) {
            let end = begin + block.frames() as u64;
            if begin >= to {
                break;
            }
            let part = part(begin, end, from, to);
            if part == Some((0, block.frames())) && index == 0 && end <= keep {
                self.begin = end;
                take(block)?;
                self.blocks.forget_first();
            } else {
                if let Some((first, last)) = part {
                    self.piece.copy(block, first, last);
                    take(&mut self.piece)?;
                }
                if index == 0 && end <= keep {
                    self.begin = end;
                    self.blocks.forget_first();
                } else {
                    index += 1;
                }
            }
            begin = end;
        }
        Ok(())
    }
}

/// The part of a block from frame `begin` to `end` that lies in `from..to`.
fn part(begin: u64, end: u64, from: u64, to: u64) -> Option<(usize, usize)> {
    let (first, last) = (begin.max(from), end.min(to));
    (first < last).then(|| ((first - begin) as usize, (last - begin) as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames that say where they are, in blocks of those lengths.
    fn waiting(lengths: &[usize]) -> Waiting {
        let mut waiting = Waiting::default();
        for length in lengths {
            let first = waiting.end();
            let frame = |i: usize| (first + i as u64) as f32;
            let samples = (0..2 * length).map(|i| frame(i % length) + if i < *length { 0.0 } else { 0.5 });
            let mut block =
                if *length == 0 { Block::zeros(2, 0) } else { Block::planar(2, samples.collect()) };
            waiting.push(&mut block);
        }
        waiting
    }

    fn give(waiting: &mut Waiting, from: u64, to: u64, keep: u64) -> (Vec<f32>, Vec<f32>) {
        let mut planes = (Vec::new(), Vec::new());
        let take = |block: &mut Block| {
            planes.0.extend_from_slice(block.channel(0));
            planes.1.extend_from_slice(block.channel(1));
            Ok(())
        };
        waiting.give(from, to, keep, take).unwrap();
        planes
    }

    #[test]
    fn gives_what_was_asked_for_whatever_the_blocks() {
        for lengths in [&[20][..], &[1; 20], &[3, 0, 9, 8], &[10, 10]] {
            for (from, to) in [(0, 20), (3, 12), (0, 10), (5, 6), (19, 20)] {
                for keep in [0, from, to, 20] {
                    let mut waiting = waiting(lengths);
                    let expected: Vec<f32> = (from..to).map(|frame| frame as f32).collect();
                    let (left, right) = give(&mut waiting, from, to, keep);
                    assert_eq!(left, expected, "{lengths:?} {from}..{to} keep {keep}");
                    assert!(right.iter().zip(&left).all(|(right, left)| *right == left + 0.5));
                    // What lies behind `keep` is still there.
                    let expected: Vec<f32> = (keep..20).map(|frame| frame as f32).collect();
                    assert_eq!(give(&mut waiting, keep, 20, 0).0, expected);
                }
            }
        }
    }

    #[test]
    fn holds_no_more_than_is_needed() {
        let mut waiting = waiting(&[4, 4, 4]);
        waiting.forget(3);
        assert_eq!((waiting.begin, waiting.blocks.iter().count()), (0, 3));
        waiting.forget(9);
        assert_eq!((waiting.begin, waiting.blocks.iter().count()), (8, 1));
        waiting.forget(100);
        assert_eq!((waiting.begin, waiting.end, waiting.blocks.iter().count()), (12, 12, 0));
    }
}
