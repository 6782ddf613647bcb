//! Cutting, while the recording streams by.

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{self, Context, Output, Step, Stop};

use super::plan::{Plan, Span};
use super::waiting::Waiting;
use super::{Segment, Tail};

/// Cuts one recording after another.
pub(super) struct Work {
    segment: Segment,
    context: Context,
    recording: Option<Recording>,
}

/// A recording that is being cut. Frames count from the first one that is read.
struct Recording {
    header: Header,
    /// That of the clip that is given.
    begun: Header,
    silence: Block,
    plan: Plan,
    waiting: Waiting,
    /// Frames of the recording that a clip has to hold.
    minimum: u64,
    /// The end of the last clip.
    covered: u64,
    clips: u64,
    silent: u64,
    /// Windows that were too short.
    short: u64,
}

/// A clip that is given: silence before, frames of the recording, silence behind.
struct Cut {
    before: u64,
    from: u64,
    to: u64,
    after: u64,
}

impl Work {
    pub fn new(segment: Segment, context: Context) -> Self {
        Self { segment, context, recording: None }
    }

    /// Which clips there will be.
    fn plan(&self, header: &Header) -> Result<Plan, Stop> {
        let length = self.segment.clip_frames(header.rate);
        if self.segment.windows.is_none() {
            let length = length.unwrap_or(1);
            let hop = self.segment.hop.map(|hop| self.segment.whole_frames(hop, header.rate).max(1));
            return Ok(Plan::steps(length, hop.unwrap_or(length)));
        }
        let transient = |message| Stop::Transient { message: format!("`windows` cannot be used: {message}") };
        let windows = self.segment.table().map_err(transient)?;
        let spans = windows.spans(&header.item, header.rate, header.start, length);
        let spans = spans.ok_or_else(|| Stop::Filtered { reason: "`windows` has none of it".into() })?;
        Ok(Plan::windows(spans))
    }
}

impl Recording {
    /// What there is of a clip, or what it is counted under if it is left out.
    fn cut(&self, span: Span, tail: Tail) -> Result<Cut, &'static str> {
        let windows = matches!(self.plan, Plan::Windows(_));
        let end = span.end().max(0).unsigned_abs();
        let (from, to) = (span.first.max(0).unsigned_abs(), end.min(self.waiting.end()));
        let before = span.first.min(0).unsigned_abs().min(span.length);
        let after = end.saturating_sub(to.max(from));
        let whole = before == 0 && after == 0;
        if windows && span.length < self.minimum {
            return Err("windows_too_short");
        }
        if from >= to || (!whole && tail == Tail::Drop) {
            return Err(if windows { "windows_outside" } else { "tails" });
        }
        if to - from < self.minimum {
            return Err(if windows { "windows_too_short" } else { "short_tails" });
        }
        let padding = |frames| if tail == Tail::Pad { frames } else { 0 };
        Ok(Cut { before: padding(before), from, to, after: padding(after) })
    }

    /// Whether a clip sounds enough.
    fn sounds(&self, segment: &Segment, cut: &Cut) -> bool {
        let Some(silence) = &segment.silence else { return true };
        let mut gauge = silence.gauge(self.header.channels, self.header.rate);
        gauge.add_silence(cut.before);
        self.waiting.visit(cut.from, cut.to, |block, from, to| gauge.add(block, from, to));
        gauge.add_silence(cut.after);
        gauge.keeps()
    }

    /// Gives a clip, or leaves it out, and goes on to the next one.
    fn clip(&mut self, span: Span, segment: &Segment, block: usize, output: &mut dyn Output) -> Step {
        self.plan.advance();
        self.waiting.forget(span.first.max(0).unsigned_abs());
        let cut = match self.cut(span, segment.tail) {
            Ok(cut) => cut,
            // That the end does not fill a clip is no news.
            Err("tails") => return Ok(()),
            Err(what) => {
                self.short += u64::from(what == "windows_too_short");
                output.count(what, 1);
                return Ok(());
            }
        };
        self.covered = cut.to;
        if !self.sounds(segment, &cut) {
            output.count("silent_clips", 1);
            self.silent += 1;
            return Ok(());
        }
        self.clips += 1;
        // Silence that stands before the recording begins has no place of its own.
        let start = (self.header.start + cut.from).saturating_sub(cut.before);
        let frames = Some(cut.before + cut.to - cut.from + cut.after);
        self.begun.clone_from(&self.header);
        (self.begun.start, self.begun.frames) = (start, frames);
        output.begin(&self.begun)?;
        let channels = usize::from(self.header.channels);
        crate::give_zeros(channels, cut.before, block, &mut self.silence, output)?;
        let keep = self.plan.next().map_or(u64::MAX, |span| span.first.max(0).unsigned_abs());
        self.waiting.give(cut.from, cut.to, keep, |block| output.block(block))?;
        crate::give_zeros(channels, cut.after, block, &mut self.silence, output)?;
        output.end()
    }
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, _: &mut dyn Output) -> Step {
        let minimum = self.segment.minimum.map_or(0, |length| self.segment.whole_frames(length, header.rate));
        self.recording = Some(Recording {
            header: header.clone(),
            begun: Header::default(),
            silence: Block::default(),
            plan: self.plan(header)?,
            waiting: Waiting::default(),
            minimum: minimum.max(1),
            covered: 0,
            clips: 0,
            silent: 0,
            short: 0,
        });
        Ok(())
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        let Some(recording) = &mut self.recording else { return Ok(()) };
        recording.waiting.push(block);
        let end = i64::try_from(recording.waiting.end()).unwrap_or(i64::MAX);
        while let Some(span) = recording.plan.next().filter(|span| span.end() <= end) {
            recording.clip(span, &self.segment, self.context.block, output)?;
        }
        let needed = recording.plan.next().map_or(u64::MAX, |span| span.first.max(0).unsigned_abs());
        recording.waiting.forget(needed);
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        let Some(mut recording) = self.recording.take() else { return Ok(()) };
        let end = recording.waiting.end();
        match recording.plan {
            Plan::Windows(_) => {
                while let Some(span) = recording.plan.next() {
                    recording.clip(span, &self.segment, self.context.block, output)?;
                }
            }
            // With a hop shorter than a clip, what is left may be in the last clip already.
            Plan::Steps { next, .. } if end > recording.covered => {
                recording.clip(next, &self.segment, self.context.block, output)?;
            }
            Plan::Steps { .. } => {}
        }
        if recording.clips > 0 {
            return Ok(());
        }
        // A recording without a clip is filtered; of several clips of one recording each is on its own.
        if recording.header.frames.is_some() {
            output.count("too_short", u64::from(recording.silent == 0));
            return Ok(());
        }
        let reason = match (&self.segment.windows, recording.silent) {
            (None, 0) => format!("shorter than {}", self.segment.least()),
            (Some(_), 0) if recording.short > 0 => {
                format!("none of its `windows` is long enough, {} are too short", recording.short)
            }
            (Some(_), 0) => "none of its `windows` lies within it".into(),
            (_, silent) => format!("all of its clips are silent, {silent} of them"),
        };
        Err(Stop::Filtered { reason })
    }
}
