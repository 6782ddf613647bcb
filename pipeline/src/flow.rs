//! What passes between stages.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

/// The schema of what a stage gives, known before anything runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Flow {
    /// Items that are named but not yet opened: what a scan finds.
    Items,
    /// Sampled signals, one or several an item.
    Signal(SignalType),
    /// Rows of a table.
    Table(SchemaRef),
    /// A folder of files, such as a checkpoint.
    Artifact(ArtifactType),
}

/// What is known of an artifact before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArtifactType {
    /// The name of its format.
    pub format: &'static str,
    /// The signals that it is for.
    pub sampling: Sampling,
    /// Whether it takes tokens, which do not follow each other in time, and clips of which some were left out.
    pub tokens: bool,
    /// Values of the vectors that it gives.
    pub width: usize,
}

/// What the frames of a signal are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// Samples a second.
    pub rate: u32,
    /// Samples from one frame to the next: 1 for audio.
    pub hop: u32,
    /// Values a frame.
    pub channels: u16,
    /// Planes that the channels are made of.
    pub planes: u16,
}

impl Sampling {
    /// Mono audio.
    pub fn mono(rate: u32) -> Self {
        Self { rate, hop: 1, channels: 1, planes: 1 }
    }

    /// Whether frames are samples, not features.
    pub fn is_audio(&self) -> bool {
        self.hop == 1
    }

    /// Channels of a plane.
    pub fn bins(&self) -> u16 {
        self.channels / self.planes.max(1)
    }
}

impl fmt::Display for Sampling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, hop, channels, planes } = self;
        match (self.is_audio(), planes) {
            (true, _) => write!(formatter, "audio of {rate} Hz"),
            (_, 1) => write!(formatter, "features of {channels} values every {hop} samples of {rate} Hz"),
            _ => {
                let bins = self.bins();
                write!(
                    formatter,
                    "features of {planes} planes of {bins} values every {hop} samples of {rate} Hz"
                )
            }
        }
    }
}

/// What is known of a signal before it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalType {
    /// Samples a second, where it is the same for all items.
    pub rate: Option<u32>,
    /// Samples from one frame to the next: 1 for audio, the analysis hop for features.
    pub hop: u32,
    /// Values a frame, where it is the same for all items.
    pub channels: Option<u16>,
    /// Planes that the channels are made of, one behind the other: 1, or harmonics, or real and imaginary parts.
    pub planes: u16,
    /// Whole recordings or clips of them.
    pub unit: Unit,
    /// Frames, where it is the same for all signals.
    pub frames: Option<u64>,
    /// The most frames of a signal, where they are known beforehand.
    pub most_frames: Option<u64>,
    /// Views of each clip.
    pub views: u32,
    /// Names of the numbers that are drawn for each, in the order of [`Header::drawn`].
    pub drawn: Vec<Arc<str>>,
    /// Whether a mask comes with each.
    pub masking: Masking,
    /// Whether frames are tokens, several of which lie at the same time.
    pub tokens: bool,
}

/// Whether a mask comes with signals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Masking {
    /// None.
    #[default]
    None,
    /// A mask that says which frames are not to be seen; what was there still is.
    Marked,
    /// A mask, and something else stands where it is.
    Filled,
    /// A mask, something else stands in a part of it, and another part is not to be seen.
    Mixed,
    /// A mask of frames that were left out: it counts those that were there before.
    Dropped,
}

impl Masking {
    /// Whether there are frames that an encoder would see and is not to.
    pub fn hides(self) -> bool {
        matches!(self, Self::Marked | Self::Mixed)
    }
}

impl SignalType {
    /// Audio of which nothing is known but this, one view of each.
    pub fn audio(rate: Option<u32>, channels: Option<u16>, unit: Unit) -> Self {
        Self {
            rate,
            hop: 1,
            channels,
            planes: 1,
            unit,
            frames: None,
            most_frames: None,
            views: 1,
            drawn: Vec::new(),
            masking: Masking::None,
            tokens: false,
        }
    }

    /// Adds the name of a number that is drawn. One that is there already gets a number: `gain_db`, `gain_db_2`.
    pub fn draws(&mut self, name: &str) {
        let name = free(name, |name| self.drawn.iter().any(|known| **known == *name));
        self.drawn.push(name);
    }
}

/// A name, with a number where it is taken.
fn free(name: &str, taken: impl Fn(&str) -> bool) -> Arc<str> {
    let mut free: Arc<str> = name.into();
    let mut number = 1;
    while taken(&free) {
        number += 1;
        free = format!("{name}_{number}").into();
    }
    free
}

/// What one signal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// A whole recording, whose length is known only at its end.
    Recording,
    /// A piece of a recording whose length is known at its begin and that fits in memory.
    Clip,
}

impl fmt::Display for Flow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flow::Items => write!(formatter, "items"),
            Flow::Signal(SignalType { hop: 1, unit: Unit::Recording, .. }) => write!(formatter, "recordings"),
            Flow::Signal(SignalType { hop: 1, unit: Unit::Clip, .. }) => write!(formatter, "clips"),
            Flow::Signal(_) => write!(formatter, "features"),
            Flow::Table(schema) => {
                let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                write!(formatter, "a table of {}", names.join(", "))
            }
            Flow::Artifact(artifact) => write!(formatter, "a {}", artifact.format),
        }
    }
}

/// Stretches of frames: from, and up to but not including; in order and apart.
pub type Spans = Vec<(u64, u64)>;

/// Changes stretches of frames, whose order stays. Those that then overlap or touch become one; empty ones are left out.
pub fn change_spans(spans: &mut Spans, change: impl Fn(u64, u64) -> (u64, u64)) {
    let mut count = 0;
    for index in 0..spans.len() {
        let (from, to) = change(spans[index].0, spans[index].1);
        match spans[..count].last_mut() {
            _ if from >= to => {}
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => {
                spans[count] = (from, to);
                count += 1;
            }
        }
    }
    spans.truncate(count);
}

/// Which frames a mask covers.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Mask {
    /// All of them.
    pub covered: Spans,
    /// Those of them that are not to be seen: an encoder puts a vector of its own there.
    pub unseen: Spans,
}

impl Mask {
    /// A mask in which something else stands, or nothing any more.
    pub fn filled(covered: Spans) -> Self {
        Self { covered, unseen: Spans::default() }
    }

    /// A mask of which nothing is to be seen.
    pub fn marked(covered: Spans) -> Self {
        Self { unseen: covered.clone(), covered }
    }
}

impl Clone for Mask {
    fn clone(&self) -> Self {
        Self { covered: self.covered.clone(), unseen: self.unseen.clone() }
    }

    fn clone_from(&mut self, other: &Self) {
        self.covered.clone_from(&other.covered);
        self.unseen.clone_from(&other.unseen);
    }
}

/// What begins a signal: where it comes from and how it is sampled. `clone_from` uses the memory that is there.
#[derive(Debug, PartialEq, Default)]
pub struct Header {
    /// The item's key: its path below the scanned root.
    pub item: Arc<str>,
    /// The first frame's place in the recording, in samples at `rate`.
    pub start: u64,
    /// Samples a second.
    pub rate: u32,
    /// Samples from one frame to the next.
    pub hop: u32,
    /// Values a frame.
    pub channels: u16,
    /// Planes that the channels are made of, as in [`SignalType`].
    pub planes: u16,
    /// Number of frames, where it is known at the begin (always for clips).
    pub frames: Option<u64>,
    /// Which of several views of the same clip.
    pub view: u32,
    /// What was drawn for it, as [`SignalType::drawn`] names it; nothing where a step did not apply.
    pub drawn: Vec<(Arc<str>, Option<f64>)>,
    /// The frames that a mask covers.
    pub mask: Option<Mask>,
}

impl Header {
    /// The header of audio: the only view of it, with nothing drawn and nothing masked.
    pub fn audio(item: Arc<str>, start: u64, rate: u32, channels: u16, frames: Option<u64>) -> Self {
        let (drawn, mask) = (Vec::new(), None);
        Self { item, start, rate, hop: 1, channels, planes: 1, frames, view: 0, drawn, mask }
    }

    /// What its frames are.
    pub fn sampling(&self) -> Sampling {
        let Self { rate, hop, channels, planes, .. } = *self;
        Sampling { rate, hop, channels, planes }
    }

    /// Makes it another's with a mask, whose lists of covered and of unseen frames `write` fills.
    pub fn masked_from(&mut self, other: &Self, write: impl FnOnce(&mut Spans, &mut Spans)) {
        let mut mask = self.mask.take().unwrap_or_default();
        mask.covered.clear();
        mask.unseen.clear();
        write(&mut mask.covered, &mut mask.unseen);
        self.clone_from(other);
        self.mask = Some(mask);
    }

    /// Changes its mask, where it has one, as its frames are moved, cut or put together: [`change_spans`] of both lists.
    pub fn change_mask(&mut self, change: impl Fn(u64, u64) -> (u64, u64)) {
        if let Some(Mask { covered, unseen }) = &mut self.mask {
            change_spans(covered, &change);
            change_spans(unseen, &change);
        }
    }

    /// Adds a number that was drawn, or that none was, under the name that [`SignalType::draws`] gives it.
    pub fn draw(&mut self, name: &str, number: Option<f64>) {
        let name = free(name, |name| self.drawn.iter().any(|(known, _)| **known == *name));
        self.drawn.push((name, number));
    }
}

impl Clone for Header {
    fn clone(&self) -> Self {
        let mut header = Self::default();
        header.clone_from(self);
        header
    }

    fn clone_from(&mut self, other: &Self) {
        let &Self { ref item, start, rate, hop, channels, planes, frames, view, ref drawn, ref mask } = other;
        self.item.clone_from(item);
        self.drawn.clone_from(drawn);
        self.mask.clone_from(mask);
        let (item, drawn, mask) = (self.item.clone(), std::mem::take(&mut self.drawn), self.mask.take());
        *self = Self { item, start, rate, hop, channels, planes, frames, view, drawn, mask };
    }
}

/// Consecutive frames of a signal, at most about a second of them; one row of samples a channel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Block {
    samples: Vec<f32>,
    frames: usize,
    channels: usize,
}

impl Block {
    /// A block of zeros.
    pub fn zeros(channels: usize, frames: usize) -> Self {
        Self { samples: vec![0.0; channels * frames], frames, channels }
    }

    /// A block of samples, channel after channel. The length is a multiple of `channels`.
    pub fn planar(channels: usize, samples: Vec<f32>) -> Self {
        debug_assert!(channels > 0 && samples.len().is_multiple_of(channels));
        Self { frames: samples.len() / channels.max(1), samples, channels }
    }

    /// Its samples, channel after channel.
    pub fn into_samples(self) -> Vec<f32> {
        self.samples
    }

    /// Gives it another size in the memory that is there. What stands in it then is to be written over.
    pub fn resize(&mut self, channels: usize, frames: usize) {
        self.samples.resize(channels * frames, 0.0);
        (self.channels, self.frames) = (channels, frames);
    }

    /// Takes the frames `from..to` of another, in the memory that is there.
    pub fn copy(&mut self, other: &Self, from: usize, to: usize) {
        self.samples.clear();
        (0..other.channels)
            .for_each(|channel| self.samples.extend_from_slice(&other.channel(channel)[from..to]));
        (self.channels, self.frames) = (other.channels, to - from);
    }

    /// Becomes what was lent, and leaves its own memory in its place. What lies in far too much memory is copied, which
    /// it would otherwise take along.
    pub fn take(&mut self, lent: &mut Self) {
        if lent.samples.capacity() <= 2 * lent.samples.len() {
            std::mem::swap(self, lent);
        } else {
            self.copy(lent, 0, lent.frames);
        }
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The samples of one channel.
    pub fn channel(&self, index: usize) -> &[f32] {
        &self.samples[index * self.frames..(index + 1) * self.frames]
    }

    /// The samples of one channel, to be changed.
    pub fn channel_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.samples[index * self.frames..(index + 1) * self.frames]
    }

    /// All samples, channel after channel.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// All samples, channel after channel, to be changed.
    pub fn samples_mut(&mut self) -> &mut [f32] {
        &mut self.samples
    }

    /// The frames `from..to` as a block of their own.
    pub fn slice(&self, from: usize, to: usize) -> Self {
        let mut slice = Self::default();
        slice.samples.reserve_exact(self.channels * (to - from));
        slice.copy(self, from, to);
        slice
    }
}
