//! Moves one clip after another.

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{self, Context, Output, Step};

use super::{Axis, AxisShift, Edge, Span};
use crate::crop::cut;

pub struct Work {
    shift: AxisShift,
    context: Context,
    /// Of the axis that is moved; none of a clip that is left out.
    span: Option<Span>,
    channels: usize,
    planes: usize,
    /// Frames that have come.
    at: u64,
}

impl Work {
    pub fn new(shift: AxisShift, context: Context) -> Self {
        Self { shift, context, span: None, channels: 0, planes: 1, at: 0 }
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
    fn pitch(&self, block: &Block, span: Span) -> Block {
        let frames = block.frames();
        let (bins, size) = (block.channels() / self.planes, span.size() as usize);
        let mut moved = Vec::with_capacity(self.planes * size * frames);
        let (from, to, before) = (span.from as usize, span.to as usize, span.before as usize);
        // The bins of a plane lie behind each other.
        for plane in 0..self.planes {
            moved.resize((plane * size + before) * frames, 0.0);
            moved.extend_from_slice(
                &block.samples()[(plane * bins + from) * frames..(plane * bins + to) * frames],
            );
            moved.resize((plane + 1) * size * frames, 0.0);
        }
        Block::planar(self.planes * size, moved)
    }

    /// Gives what of a block lies in the span of frames.
    fn time(&mut self, block: Block, span: Span, output: &mut dyn Output) -> Step {
        let (begin, end) = (self.at, self.at + block.frames() as u64);
        self.at = end;
        let (from, to) = (begin.max(span.from), end.min(span.to));
        if (from, to) == (begin, end) {
            return output.block(block);
        }
        if from >= to {
            return Ok(());
        }
        output.block(block.slice((from - begin) as usize, (to - begin) as usize))
    }

    /// Gives so many frames of zeros.
    fn zeros(&self, mut frames: u64, output: &mut dyn Output) -> Step {
        while frames > 0 {
            let length = frames.min(self.context.block.max(1) as u64);
            output.block(Block::zeros(self.channels, length as usize))?;
            frames -= length;
        }
        Ok(())
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
        let mut moved = match self.shift.axis {
            Axis::Pitch => Header { channels: header.planes.max(1) * span.size() as u16, ..header.clone() },
            Axis::Time => {
                let part = cut(header, span.from, span.to - span.from, header.view);
                let later = |(from, to): &(u64, u64)| (from + span.before, to + span.before);
                let mask = part.mask.as_ref().map(|mask| mask.map(|spans| spans.iter().map(later).collect()));
                let start = if self.shift.edge == Edge::Crop { part.start } else { header.start };
                Header { start, frames: Some(span.size()), mask, ..part }
            }
        };
        moved.draw(self.shift.name(), Some(by as f64));
        output.begin(&moved)?;
        match self.shift.axis {
            Axis::Pitch => Ok(()),
            Axis::Time => self.zeros(span.before, output),
        }
    }

    fn block(&mut self, block: Block, output: &mut dyn Output) -> Step {
        let Some(span) = self.span else { return Ok(()) };
        match self.shift.axis {
            Axis::Pitch => output.block(self.pitch(&block, span)),
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
