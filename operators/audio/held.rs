//! Blocks that wait.

use std::collections::VecDeque;
use std::collections::vec_deque::Iter;

use etude_pipeline::flow::Block;
use etude_pipeline::operator::{Output, Step};

/// Blocks that wait, in order, and the memory of those that are gone.
#[derive(Debug, Default)]
pub struct Held {
    blocks: VecDeque<Block>,
    spare: Vec<Block>,
}

impl Held {
    /// Keeps a block that was lent, and leaves another in its place.
    pub fn push(&mut self, block: &mut Block) {
        let mut spare = self.spare.pop().unwrap_or_default();
        spare.take(block);
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
        if let Some(block) = self.blocks.get_mut(index) {
            let mut spare = || self.spare.pop().unwrap_or_default();
            let (mut first, mut rest) = (spare(), spare());
            first.copy(block, 0, at);
            rest.copy(block, at, block.frames());
            let whole = std::mem::replace(block, first);
            self.blocks.insert(index + 1, rest);
            self.spare.push(whole);
        }
    }

    /// Lets the first one go.
    pub fn forget_first(&mut self) {
        self.spare.extend(self.blocks.pop_front());
    }

    /// Lets all go.
    pub fn clear(&mut self) {
        self.spare.extend(self.blocks.drain(..));
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
}
