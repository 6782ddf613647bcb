//! Sends clips through a chain.

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Context, Map, Output, Step as Outcome};

use super::Augment;
use super::chain::{self, Source};
use super::clip::Clip;
use super::side::Side;

/// What a step does may depend on the whole clip, so all of it is collected first.
pub struct Work {
    augment: Augment,
    context: Context,
    /// The names of the numbers that are noted for a clip, and the numbers.
    names: Vec<String>,
    drawn: Vec<Option<f64>>,
    side: Option<Side>,
    /// The clip that is collected; none of a view that passes as it is.
    header: Option<Header>,
    clip: Clip,
}

impl Work {
    pub fn new(augment: Augment, context: Context) -> Self {
        let names = chain::names(&augment.chain);
        let (drawn, clip) = (vec![None; names.len()], Clip::default());
        Self { augment, context, names, drawn, side: None, header: None, clip }
    }

    /// A header with what was drawn.
    fn noted(&self, mut header: Header) -> Header {
        self.names.iter().zip(&self.drawn).for_each(|(name, number)| header.draw(name, *number));
        header
    }
}

impl Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Outcome {
        self.header = None;
        self.drawn.fill(None);
        if !self.augment.changes(header.view) {
            return output.begin(&self.noted(header.clone()));
        }
        if self.side.is_none() {
            self.side = Some(Side::open(&self.context)?);
        }
        self.clip.clear();
        self.header = Some(header.clone());
        Ok(())
    }

    fn block(&mut self, block: Block, output: &mut dyn Output) -> Outcome {
        if self.header.is_none() {
            return output.block(block);
        }
        self.clip.push(block);
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Outcome {
        let (Some(header), Some(side)) = (self.header.take(), &mut self.side) else { return output.end() };
        let random = |place: &str| {
            let key = format!("{place}\0{}", header.item);
            self.context.random(&key, header.start, header.view)
        };
        if self.clip.frames() > 0 {
            let mut source = Source { rate: header.rate, random: &random, side };
            let steps = &self.augment.chain;
            chain::apply_all(steps, "chain", &mut self.clip, &mut source, &mut self.drawn)?;
        }
        output.begin(&self.noted(header))?;
        self.clip.give(self.context.block, output)?;
        output.end()
    }
}
