//! A recording as a stream of packets.

use symphonia::core::io::MediaSource;

use super::Channels;
use super::coded::Decoded;
use super::failure::{Failure, bad, reading};
use super::open::{Engine, open};

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
    /// Samples that were not finite.
    not_finite: u64,
    planes: Vec<Vec<f32>>,
    /// The first packet, which tells rate and channels where the header does not, is decoded ahead …
    ahead: bool,
    /// … and so is what went wrong before it.
    pending: Option<Failure>,
}

impl Stream {
    /// Opens a recording. What it is is read from its content; the extension is for messages only.
    pub fn open(source: Box<dyn MediaSource>, extension: Option<&str>) -> Result<Self, Failure> {
        Self::of(source, extension, Channels::Keep)
    }

    /// Opens a recording of which some channels are wanted. The mean of all may be had for less than they are.
    pub fn of(
        source: Box<dyn MediaSource>,
        extension: Option<&str>,
        channels: Channels,
    ) -> Result<Self, Failure> {
        let engine = open(source, extension, channels)?;
        let mut stream = Self {
            engine,
            rate: 0,
            channels: 0,
            skip: 0,
            delay: 0,
            position: 0,
            end: None,
            frames: 0,
            not_finite: 0,
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
        if channels != Channels::Keep {
            stream.channels = stream.channels.min(1);
        }
        stream.ahead = stream.take(first);
        Ok(stream)
    }

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Number of channels that are given.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Frames given so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Samples so far that were not finite, for which 0 is given.
    pub fn not_finite(&self) -> u64 {
        self.not_finite
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

    /// The samples of the next packet, a vector a channel; none at the end. What is left out leaves them
    /// empty, so that whoever calls can stop in the middle of it.
    ///
    /// After a failure of class `decode` the next call goes on behind it.
    pub fn packet(&mut self) -> Result<Option<&mut [Vec<f32>]>, Failure> {
        if let Some(failure) = self.pending.take() {
            return Err(failure);
        }
        if !std::mem::take(&mut self.ahead) {
            if self.end.is_some_and(|end| self.position >= end) {
                return Ok(None);
            }
            let Some(decoded) = self.engine.decode(&mut self.planes)? else { return Ok(None) };
            let left = self.take(decoded);
            if let Some(failure) = self.pending.take() {
                self.ahead = left;
                return Err(failure);
            }
        }
        self.frames += self.held();
        Ok(Some(&mut self.planes))
    }

    /// Leaves out what does not belong to the recording; whether anything is left.
    fn take(&mut self, decoded: Decoded) -> bool {
        let Decoded { frames, mut lost, not_finite } = decoded;
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
        self.not_finite += if kept > 0 { not_finite } else { 0 };
        kept > 0
    }
}
