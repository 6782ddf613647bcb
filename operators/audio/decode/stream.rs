//! A recording as a stream of packets.

use std::io::Seek;
use std::ops::RangeInclusive;

use symphonia::core::io::MediaSource;

use super::coded::{self, Coded, Decoded};
use super::container::{self, Found};
use super::failure::{Failure, bad, reading};
use super::pcm;
use super::source::{Part, Patched, Pieces, Shared};

/// No recording has another rate; a header that says so is wrong.
pub(super) const RATES: RangeInclusive<u32> = 1000..=768_000;

/// How many files may lie within each other.
const NESTED: usize = 3;

/// What gives the frames.
pub(super) enum Engine {
    Pcm(Box<pcm::Reader>),
    Coded(Box<Coded>),
}

/// A recording being decoded.
pub struct Stream {
    engine: Engine,
    rate: u32,
    channels: usize,
    /// Frames that the decoder still gives and that are left out.
    skip: u64,
    /// What the decoder gives before the recording begins.
    delay: u64,
    /// The place of the next frame in the recording, and of the one behind the last.
    position: u64,
    end: Option<u64>,
    /// Frames given.
    frames: u64,
    planes: Vec<Vec<f32>>,
    /// The first packet, which tells rate and channels where the header does not, is decoded ahead …
    ahead: bool,
    /// … and so is what went wrong before it.
    pending: Option<Failure>,
}

/// Opens a file as far as its headers.
pub(super) fn open(mut source: Box<dyn MediaSource>, extension: Option<&str>) -> Result<Engine, Failure> {
    if source.byte_len() == Some(0) {
        return Err(bad("empty", "the file is empty"));
    }
    for _ in 0..NESTED {
        let length = source.byte_len().unwrap_or(u64::MAX);
        let track = match container::find(source.as_mut())? {
            Found::Pcm(pcm) => {
                coded::check(pcm.rate, usize::from(pcm.channels))?;
                let reader = pcm::Reader::new(source, pcm).map_err(|error| reading(&error))?;
                return Ok(Engine::Pcm(Box::new(reader)));
            }
            Found::Pieces(pcm, pieces) => {
                coded::check(pcm.rate, usize::from(pcm.channels))?;
                let source = Box::new(Pieces::new(source, &pieces));
                let reader = pcm::Reader::new(source, pcm).map_err(|error| reading(&error))?;
                return Ok(Engine::Pcm(Box::new(reader)));
            }
            Found::Inside { from, to } => {
                let to = to.unwrap_or(length).min(length);
                source = Box::new(Part::new(source, from, to).map_err(|error| reading(&error))?);
                continue;
            }
            Found::Track(track) => track,
            Found::Other(container) => container::Track { container, ..container::Track::default() },
        };
        let source = Shared::new(source);
        let first = attempt(Box::new(source.clone()), track.clone());
        let failed = match first {
            Err(failure @ Failure::Bad { class: "format" | "truncated" | "empty", .. }) => failure,
            other => return other,
        };
        // Headers and tags that symphonia stumbles over are taken away, if that is what it was.
        let plain = plain(Box::new(source), &track);
        let second = plain.ok().flatten().and_then(|source| attempt(source, track).ok());
        return second.ok_or_else(|| named(failed, extension));
    }
    Err(bad("format", "files lie within each other"))
}

/// Opens what symphonia demuxes.
fn attempt(mut source: Box<dyn MediaSource>, track: container::Track) -> Result<Engine, Failure> {
    if track.container == "flac" {
        let end = container::behind_music(source.as_mut())?;
        source = Box::new(Part::new(source, 0, end).map_err(|error| reading(&error))?);
    }
    source.rewind().map_err(|error| reading(&error))?;
    Ok(Engine::Coded(Box::new(Coded::open(source, track)?)))
}

/// The same without what comes before the music; none where there is nothing.
fn plain(
    mut source: Box<dyn MediaSource>,
    track: &container::Track,
) -> Result<Option<Box<dyn MediaSource>>, Failure> {
    let length = source.byte_len().unwrap_or(u64::MAX);
    let begin = container::behind_tags(source.as_mut())?;
    if track.container == "flac" {
        let Some(plain) = container::plain_flac(source.as_mut(), begin)? else { return Ok(None) };
        let pieces = [(begin, plain.head), (plain.music, length.saturating_sub(plain.music))];
        let source = Pieces::new(source, &pieces);
        let patched = Patched::new(Box::new(source), 4, plain.bytes).map_err(|error| reading(&error))?;
        return Ok(Some(Box::new(patched)));
    }
    if begin == 0 {
        return Ok(None);
    }
    Ok(Some(Box::new(Part::new(source, begin, length).map_err(|error| reading(&error))?)))
}

/// What is not recognised may have been by its name.
fn named(failure: Failure, extension: Option<&str>) -> Failure {
    match (failure, extension) {
        (Failure::Bad { class: "format", message }, Some(extension)) if message.contains("recognised") => {
            bad("format", format!("{message} (its name ends with .{})", extension.escape_default()))
        }
        (failure, _) => failure,
    }
}

impl Engine {
    /// Decodes packets until one has frames; none at the end.
    fn decode(&mut self, planes: &mut Vec<Vec<f32>>) -> Result<Option<Decoded>, Failure> {
        match self {
            Self::Coded(coded) => coded.decode(planes),
            Self::Pcm(reader) => {
                let frames = reader.read(planes).map_err(|error| reading(&error))?;
                if frames > 0 {
                    return Ok(Some(Decoded { frames, lost: 0 }));
                }
                match reader.missing() {
                    0 => Ok(None),
                    missing => {
                        let promised = reader.pcm.promised().unwrap_or(0);
                        let there = promised.saturating_sub(missing);
                        Err(bad("truncated", format!("the file promises {promised} frames, there are {there}")))
                    }
                }
            }
        }
    }
}

impl Stream {
    /// Opens a recording. What it is is read from its content; the extension is for messages only.
    pub fn open(source: Box<dyn MediaSource>, extension: Option<&str>) -> Result<Self, Failure> {
        let engine = open(source, extension)?;
        let mut stream = Self {
            engine,
            rate: 0,
            channels: 0,
            skip: 0,
            delay: 0,
            position: 0,
            end: None,
            frames: 0,
            planes: Vec::new(),
            ahead: false,
            pending: None,
        };
        let first = loop {
            match stream.engine.decode(&mut stream.planes) {
                Ok(Some(first)) => break first,
                Ok(None) => {
                    let empty = || bad("empty", "the file has no audio frame");
                    return Err(stream.pending.unwrap_or_else(empty));
                }
                Err(failure @ Failure::Bad { class: "decode", .. }) => {
                    stream.pending.get_or_insert(failure);
                }
                Err(failure) => return Err(stream.pending.unwrap_or(failure)),
            }
        };
        match &stream.engine {
            Engine::Pcm(reader) => {
                (stream.rate, stream.channels) = (reader.pcm.rate, usize::from(reader.pcm.channels));
            }
            Engine::Coded(coded) => {
                (stream.rate, stream.channels) = coded.spec();
                let trim = coded.track.trim;
                stream.delay = trim.start.at(stream.rate);
                stream.skip = stream.delay;
                stream.end = trim.keep.map(|keep| keep.at(stream.rate));
            }
        }
        stream.ahead = stream.take(first);
        Ok(stream)
    }

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Frames given so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The place of the next frame in the recording.
    pub fn position(&self) -> u64 {
        self.position - if self.ahead { self.held() } else { 0 }
    }

    /// Gives only the frames `from..to`, seeking to the first. After a failure the stream is to be opened
    /// anew, and [`Stream::cut`].
    pub fn seek(&mut self, from: u64, to: Option<u64>) -> Result<(), Failure> {
        let target = from.saturating_add(self.delay);
        let place = match &mut self.engine {
            Engine::Pcm(reader) => {
                reader.seek(target).map_err(|error| reading(&error))?;
                target
            }
            Engine::Coded(coded) => coded.seek(target)?,
        };
        (self.ahead, self.pending) = (false, None);
        self.skip = target - place;
        self.position = from;
        self.limit(to);
        Ok(())
    }

    /// Gives only the frames `from..to`, decoding what lies before.
    pub fn cut(&mut self, from: u64, to: Option<u64>) {
        // What is held of the first packet is passed over here, the rest as it comes.
        if std::mem::take(&mut self.ahead) {
            let held = self.held();
            self.position -= held;
            let first = from.min(held) as usize;
            self.planes.iter_mut().for_each(|plane| drop(plane.drain(..first)));
            self.skip += from - first as u64;
            self.ahead = self.held() > 0;
            self.position = from + self.held();
        } else {
            self.skip += from;
            self.position = from;
        }
        self.limit(to);
        if let Some(end) = self.end.filter(|end| self.ahead && *end < self.position) {
            let kept = (self.held() - (self.position - end).min(self.held())) as usize;
            self.planes.iter_mut().for_each(|plane| plane.truncate(kept));
            (self.ahead, self.position) = (kept > 0, end);
        }
    }

    fn limit(&mut self, to: Option<u64>) {
        self.end = match (self.end, to) {
            (Some(end), Some(to)) => Some(end.min(to)),
            (end, to) => end.or(to),
        };
    }

    fn held(&self) -> u64 {
        self.planes.first().map_or(0, |plane| plane.len() as u64)
    }

    /// The samples of the next packet, a vector a channel; none at the end.
    ///
    /// After a failure of class `decode` the next call goes on behind it.
    pub fn packet(&mut self) -> Result<Option<&mut [Vec<f32>]>, Failure> {
        if let Some(failure) = self.pending.take() {
            return Err(failure);
        }
        while !std::mem::take(&mut self.ahead) {
            if self.end.is_some_and(|end| self.position >= end) {
                return Ok(None);
            }
            let Some(decoded) = self.engine.decode(&mut self.planes)? else { return Ok(None) };
            self.ahead = self.take(decoded);
            if let Some(failure) = self.pending.take() {
                return Err(failure);
            }
        }
        self.frames += self.held();
        Ok(Some(&mut self.planes))
    }

    /// Leaves out what does not belong to the recording; whether anything is left.
    fn take(&mut self, decoded: Decoded) -> bool {
        let Decoded { frames, mut lost } = decoded;
        // What is missing of what would have been left out is not missed.
        let passed = lost.min(self.skip);
        self.skip -= passed;
        lost -= passed;
        if lost > 0 {
            self.position += lost;
            self.pending = Some(bad("decode", format!("{lost} frames are missing")));
        }
        let first = usize::try_from(self.skip).unwrap_or(usize::MAX).min(frames);
        self.skip -= first as u64;
        let left = self.end.map_or(u64::MAX, |end| end.saturating_sub(self.position));
        let kept = usize::try_from(left).unwrap_or(usize::MAX).min(frames - first);
        if (first, kept) != (0, frames) {
            for plane in &mut self.planes {
                plane.truncate(first + kept);
                plane.drain(..first);
            }
        }
        self.position += kept as u64;
        kept > 0
    }
}
