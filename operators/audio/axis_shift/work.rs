//! Moves one clip after another.

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{self, Context, Output, Step};

use super::{Axis, AxisShift, Edge, Span};
use crate::crop::cut;
use crate::drawn::Notes;

pub struct Work {
    shift: AxisShift,
    context: Context,
    /// Of the axis that is moved; none of a clip that is left out.
    span: Option<Span>,
    channels: usize,
    planes: usize,
    /// Frames that have come.
    at: u64,
    notes: Notes,
    header: Header,
    part: Block,
}

impl Work {
    pub fn new(shift: AxisShift, context: Context) -> Self {
        Self {
            notes: Notes::new([shift.name()]),
            shift,
            context,
            span: None,
            channels: 0,
            planes: 1,
            at: 0,
            header: Header::default(),
            part: Block::default(),
        }
    }

    fn draw(&self, header: &Header) -> i64 {
        let [low, high] = self.shift.by;
        if self.shift.views.as_ref().is_some_and(|views| !views.contains(&header.view)) {
            return 0;
        }
        let mut random = self.context.random(&header.item, header.start, header.view);
        low + random.below(high.abs_diff(low) + 1) as i64
    }

    /// Moves the bins of each plane.
    fn pitch(&mut self, block: &Block, span: Span) {
        let frames = block.frames();
        let (bins, size) = (block.channels() / self.planes, span.size() as usize);
        let (from, to, before) = (span.from as usize, span.to as usize, span.before as usize);
        self.part.resize(self.planes * size, frames);
        // The bins of a plane lie behind each other.
        for plane in 0..self.planes {
            let moved = &mut self.part.samples_mut()[plane * size * frames..(plane + 1) * size * frames];
            let there = &block.samples()[(plane * bins + from) * frames..(plane * bins + to) * frames];
            let (low, rest) = moved.split_at_mut(before * frames);
            let (middle, high) = rest.split_at_mut(there.len());
            low.fill(0.0);
            middle.copy_from_slice(there);
            high.fill(0.0);
        }
    }

    /// Gives what of a block lies in the span of frames.
    fn time(&mut self, block: &mut Block, span: Span, output: &mut dyn Output) -> Step {
        let (begin, end) = (self.at, self.at + block.frames() as u64);
        self.at = end;
        let (from, to) = (begin.max(span.from), end.min(span.to));
        if (from, to) == (begin, end) {
            return output.block(block);
        }
        if from >= to {
            return Ok(());
        }
        self.part.copy(block, (from - begin) as usize, (to - begin) as usize);
        output.block(&mut self.part)
    }

    /// Gives so many frames of zeros.
    fn zeros(&mut self, frames: u64, output: &mut dyn Output) -> Step {
        crate::give_zeros(self.channels, frames, self.context.block, &mut self.part, output)
    }
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        let by = self.draw(header);
        self.at = 0;
        self.channels = usize::from(header.channels);
        self.planes = usize::from(header.planes.max(1));
        let bins = header.channels / header.planes.max(1);
        let size = match self.shift.axis {
            Axis::Pitch => bins.into(),
            Axis::Time => header.frames.unwrap_or(0),
        };
        self.span = Span::of(&self.shift, size, by);
        let Some(span) = self.span else {
            output.count("too_short", 1);
            return Ok(());
        };
        let moved = &mut self.header;
        match self.shift.axis {
            Axis::Pitch => {
                moved.clone_from(header);
                moved.channels = header.planes.max(1) * span.size() as u16;
            }
            Axis::Time => {
                cut(header, span.from, span.to - span.from, header.view, moved);
                moved.change_mask(|from, to| (from + span.before, to + span.before));
                if self.shift.edge != Edge::Crop {
                    moved.start = header.start;
                }
                moved.frames = Some(span.size());
            }
        }
        self.notes.note(moved, [Some(by as f64)]);
        output.begin(moved)?;
        match self.shift.axis {
            Axis::Pitch => Ok(()),
            Axis::Time => self.zeros(span.before, output),
        }
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        let Some(span) = self.span else { return Ok(()) };
        match self.shift.axis {
            Axis::Pitch => {
                self.pitch(block, span);
                output.block(&mut self.part)
            }
            Axis::Time => self.time(block, span, output),
        }
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        let Some(span) = self.span.take() else { return Ok(()) };
        if self.shift.axis == Axis::Time {
            self.zeros(span.after, output)?;
        }
        output.end()
    }
}
