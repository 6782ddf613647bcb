//! Sends clips through a chain.

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Context, Map, Output, Step as Outcome};

use super::Augment;
use super::chain::{self, Source};
use super::clip::Clip;
use super::side::Side;
use crate::drawn::Notes;

/// What a step does may depend on the whole clip, so all of it is collected first.
pub struct Work {
    augment: Augment,
    context: Context,
    notes: Notes,
    /// What is noted for a clip.
    drawn: Vec<Option<f64>>,
    /// The place of the steps in the file.
    place: String,
    side: Option<Side>,
    header: Header,
    /// Whether the clip is collected: of some views it passes as it is.
    collects: bool,
    clip: Clip,
}

impl Work {
    pub fn new(augment: Augment, context: Context) -> Self {
        let names = chain::names(&augment.chain);
        Self {
            augment,
            context,
            drawn: vec![None; names.len()],
            notes: Notes::new(names),
            place: "chain".into(),
            side: None,
            header: Header::default(),
            collects: false,
            clip: Clip::default(),
        }
    }

    /// Begins the clip, with what was drawn.
    fn begin_noted(&mut self, output: &mut dyn Output) -> Outcome {
        self.notes.note(&mut self.header, self.drawn.iter().copied());
        output.begin(&self.header)
    }
}

impl Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Outcome {
        self.header.clone_from(header);
        self.drawn.fill(None);
        self.collects = self.augment.changes(header.view);
        if !self.collects {
            return self.begin_noted(output);
        }
        if self.side.is_none() {
            self.side = Some(Side::open(&self.context)?);
        }
        self.clip.clear();
        Ok(())
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Outcome {
        if !self.collects {
            return output.block(block);
        }
        self.clip.push(block);
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Outcome {
        let (true, Some(side)) = (self.collects, &mut self.side) else { return output.end() };
        let header = &self.header;
        let random = |place: &str| {
            self.context.random(format_args!("{place}\0{}", header.item), header.start, header.view)
        };
        if self.clip.frames() > 0 {
            let mut source = Source { rate: header.rate, random: &random, side };
            let steps = &self.augment.chain;
            chain::apply_all(steps, &mut self.place, &mut self.clip, &mut source, &mut self.drawn)?;
        }
        self.begin_noted(output)?;
        self.clip.give(self.context.block, output)?;
        output.end()
    }
}
