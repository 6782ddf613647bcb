//! Blocks that wait.

use std::collections::VecDeque;
use std::collections::vec_deque::Iter;

use etude_pipeline::flow::Block;
use etude_pipeline::operator::{Output, Step};

/// Samples for which memory is kept when nothing waits: 4 MiB.
const KEPT: usize = 1 << 20;

/// Blocks that wait, in order, and the memory of those that are gone.
#[derive(Debug, Default)]
pub struct Held {
    blocks: VecDeque<Block>,
    spare: Vec<Block>,
    /// Samples that fit in `spare`.
    kept: usize,
}

impl Held {
    /// Keeps a block that was lent, and leaves another in its place.
    pub fn push(&mut self, block: &mut Block) {
        let mut spare = self.take();
        if block.capacity() <= 2 * block.samples().len() {
            std::mem::swap(block, &mut spare);
        } else {
            // What lies in too much memory would take it along.
            spare.copy(block, 0, block.frames());
        }
        self.blocks.push_back(spare);
    }

    pub fn get(&self, index: usize) -> Option<&Block> {
        self.blocks.get(index)
    }

    pub fn get_mut(&mut self, index: usize) -> Option<&mut Block> {
        self.blocks.get_mut(index)
    }

    pub fn iter(&self) -> Iter<'_, Block> {
        self.blocks.iter()
    }

    /// All, to be put in another order.
    pub fn order(&mut self) -> &mut [Block] {
        self.blocks.make_contiguous()
    }

    /// Parts a block: its frames from `at` on become one of their own, behind it.
    pub fn part(&mut self, index: usize, at: usize) {
        let (mut first, mut rest) = (self.take(), self.take());
        if let Some(block) = self.blocks.get_mut(index) {
            first.copy(block, 0, at);
            rest.copy(block, at, block.frames());
            let whole = std::mem::replace(block, first);
            self.blocks.insert(index + 1, rest);
            self.keep(whole);
        }
    }

    /// Lets the first one go.
    pub fn forget_first(&mut self) {
        if let Some(block) = self.blocks.pop_front() {
            self.keep(block);
        }
    }

    /// Lets all go.
    pub fn clear(&mut self) {
        while !self.blocks.is_empty() {
            self.forget_first();
        }
    }

    /// Hands all on, each changed on its way.
    pub fn give(&mut self, output: &mut dyn Output, mut change: impl FnMut(&mut Block)) -> Step {
        while let Some(block) = self.blocks.front_mut() {
            change(block);
            output.block(block)?;
            self.forget_first();
        }
        Ok(())
    }

    fn take(&mut self) -> Block {
        let block = self.spare.pop().unwrap_or_default();
        self.kept -= block.capacity();
        block
    }

    fn keep(&mut self, block: Block) {
        if self.kept + block.capacity() <= KEPT {
            self.kept += block.capacity();
            self.spare.push(block);
        }
    }
}
