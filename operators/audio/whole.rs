//! Clips that have to be seen as a whole.

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Map, Output, Step};

/// Collects each clip, changes it as a whole, and hands it on.
pub struct Whole<F> {
    change: F,
    /// Frames of a block.
    block: usize,
    clip: Block,
    /// Frames of the clip, and how many of them have come.
    frames: usize,
    come: usize,
}

impl<F: FnMut(&mut Block) + Send> Whole<F> {
    /// Hands on in blocks of at most `block` frames.
    pub fn new(block: usize, change: F) -> Self {
        Self { change, block, clip: Block::default(), frames: 0, come: 0 }
    }
}

impl<F: FnMut(&mut Block) + Send> Map for Whole<F> {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        // A clip knows its length at the begin.
        self.frames = usize::try_from(header.frames.unwrap_or(0)).unwrap_or(usize::MAX);
        self.clip = Block::default();
        self.come = 0;
        output.begin(header)
    }

    fn block(&mut self, block: Block, _: &mut dyn Output) -> Step {
        let (from, to) = (self.come, self.come + block.frames());
        self.come = to;
        if (from, to) == (0, self.frames) {
            self.clip = block;
        } else if to <= self.frames {
            if from == 0 {
                self.clip = Block::zeros(block.channels(), self.frames);
            }
            for channel in 0..block.channels() {
                self.clip.channel_mut(channel)[from..to].copy_from_slice(block.channel(channel));
            }
        }
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        let mut clip = std::mem::take(&mut self.clip);
        (self.change)(&mut clip);
        match clip.frames() {
            0 => {}
            frames if frames <= self.block => output.block(clip)?,
            _ => crate::give(&clip, self.block, output)?,
        }
        output.end()
    }
}

/// Changes each block on its own.
pub struct Each<F>(pub F);

impl<F: FnMut(&mut Block) + Send> Map for Each<F> {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        output.begin(header)
    }

    fn block(&mut self, mut block: Block, output: &mut dyn Output) -> Step {
        (self.0)(&mut block);
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

    fn block(&mut self, block: Block) -> Step {
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

    fn block(&mut self, block: Block, output: &mut dyn Output) -> Step {
        self.first.block(block, &mut Below { map: self.second.as_mut(), output })
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        self.first.end(&mut Below { map: self.second.as_mut(), output })
    }
}
