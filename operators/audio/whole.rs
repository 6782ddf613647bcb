//! Clips that have to be seen as a whole.

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Map, Output, Step};

use crate::collected::Collected;

/// Collects each clip, changes it as a whole, and hands it on.
pub struct Whole<F> {
    change: F,
    /// Frames of a block.
    block: usize,
    clip: Collected,
}

impl<F: FnMut(&mut Block) + Send> Whole<F> {
    /// Hands on in blocks of at most `block` frames.
    pub fn new(block: usize, change: F) -> Self {
        Self { change, block, clip: Collected::default() }
    }
}

impl<F: FnMut(&mut Block) + Send> Map for Whole<F> {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        self.clip.begin(header);
        output.begin(header)
    }

    fn block(&mut self, block: &mut Block, _: &mut dyn Output) -> Step {
        self.clip.push(block);
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        (self.change)(self.clip.clip());
        self.clip.give(self.block, output)?;
        output.end()
    }
}

/// Changes each block on its own.
pub struct Each<F>(pub F);

impl<F: FnMut(&mut Block) + Send> Map for Each<F> {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        output.begin(header)
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        (self.0)(block);
        output.block(block)
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        output.end()
    }
}

/// Two maps as one, the second below the first.
pub struct Both {
    pub first: Box<dyn Map>,
    pub second: Box<dyn Map>,
}

impl Both {
    /// `first`, and below it `second` where there is one.
    pub fn of(first: Box<dyn Map>, second: Option<Box<dyn Map>>) -> Box<dyn Map> {
        match second {
            Some(second) => Box::new(Self { first, second }),
            None => first,
        }
    }
}

/// What stands below the first map: the second, and what stands below that.
struct Below<'a> {
    map: &'a mut dyn Map,
    output: &'a mut dyn Output,
}

impl Output for Below<'_> {
    fn begin(&mut self, header: &Header) -> Step {
        self.map.begin(header, self.output)
    }

    fn block(&mut self, block: &mut Block) -> Step {
        self.map.block(block, self.output)
    }

    fn end(&mut self) -> Step {
        self.map.end(self.output)
    }

    fn count(&mut self, what: &'static str, amount: u64) {
        self.output.count(what, amount);
    }
}

impl Map for Both {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        self.first.begin(header, &mut Below { map: self.second.as_mut(), output })
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        self.first.block(block, &mut Below { map: self.second.as_mut(), output })
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        self.first.end(&mut Below { map: self.second.as_mut(), output })
    }
}
