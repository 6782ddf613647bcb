//! Decodes recordings.

mod stream;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use etude_pipeline::flow::{Block, Flow, Header, SignalType, Unit};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Item, Operator, Output, Port, Scope, Step, Stop,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use symphonia::core::io::MediaSource;

pub use stream::{Failure, Stream};

/// Decodes recordings: WAV, FLAC, MP3 and Ogg Vorbis.
///
/// Encoder delay and padding are trimmed where the file tells them. What kind of file it is is
/// read from its content, not from its name. Samples are 32-bit floats, full scale is ±1.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decode {
    /// What becomes of several channels.
    #[serde(default)]
    channels: Channels,
    /// What becomes of a recording with a packet that cannot be decoded.
    #[serde(default)]
    errors: Errors,
}

/// What becomes of several channels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// All are kept.
    #[default]
    Keep,
    /// Their mean.
    Mono,
    /// The first one.
    First,
}

/// What becomes of a recording with a packet that cannot be decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Errors {
    /// It is rejected.
    #[default]
    Reject,
    /// The packet is left out and counted (`skipped_packets`); so is the end of a truncated file.
    Skip,
}

impl Declare for Decode {
    const NAME: &'static str = "decode";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[Port { name: "from", many: false, about: "the items of a scan" }];
}

impl Operator for Decode {
    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, String> {
        match inputs.one("from")? {
            Flow::Items => {}
            other => return Err(format!("expects the items of a scan, not {other}")),
        }
        let channels = if self.channels == Channels::Keep { None } else { Some(1) };
        Ok(Flow::Signal(SignalType {
            rate: None,
            hop: 1,
            channels,
            unit: Unit::Recording,
            frames: None,
            views: 1,
        }))
    }

    fn body(&self) -> Body {
        let decode = self.clone();
        Body::Read(Box::new(move |context| Box::new(Reader { decode: decode.clone(), context })))
    }
}

struct Reader {
    decode: Decode,
    context: Context,
}

impl operator::Read for Reader {
    fn read(&mut self, item: &Item, output: &mut dyn Output) -> Step {
        let position = Arc::new(AtomicU64::new(0));
        let transient = |error: io::Error| Stop::Transient { message: error.to_string() };
        let source = File::open(&item.path).map_err(transient)?;
        let source = Counted::new(source, position.clone()).map_err(transient)?;
        let extension = Path::new(&*item.key).extension().and_then(|extension| extension.to_str());
        let stop = |failure: Failure, seconds: Option<f64>| match failure {
            Failure::Io(message) => Stop::Transient { message },
            Failure::Bad { class, message } => {
                let byte = position.load(Ordering::Relaxed);
                let offset = match seconds {
                    Some(seconds) => format!("{seconds:.3} s, before byte {byte}"),
                    None => format!("before byte {byte}"),
                };
                Stop::Rejected { class, offset, message }
            }
        };
        if source.length == 0 {
            return Err(stop(Failure::Bad { class: "empty", message: "the file is empty".into() }, None));
        }
        let mut stream = Stream::open(Box::new(source), extension).map_err(|failure| stop(failure, None))?;
        let channels = if self.decode.channels == Channels::Keep { stream.channels() } else { 1 };
        output.begin(&Header {
            item: item.key.clone(),
            start: 0,
            rate: stream.rate(),
            hop: 1,
            channels: u16::try_from(channels).unwrap_or(u16::MAX),
            frames: None,
            view: 0,
        })?;
        let mut gather = Gather::new(channels, self.context.block);
        let (mut skipped, mut not_finite) = (0, 0);
        loop {
            self.context.check()?;
            let seconds = stream.frames() as f64 / f64::from(stream.rate());
            match stream.packet() {
                Ok(None) => break,
                Ok(Some(planes)) => {
                    not_finite += gather.push(planes, self.decode.channels, output)?;
                }
                Err(Failure::Bad { class, .. })
                    if self.decode.errors == Errors::Skip && class != "format" =>
                {
                    skipped += 1;
                    if class == "truncated" {
                        break;
                    }
                }
                Err(failure) => return Err(stop(failure, Some(seconds))),
            }
        }
        gather.flush(output)?;
        output.count("skipped_packets", skipped);
        output.count("not_finite_samples", not_finite);
        output.end()
    }
}

/// Collects packets into blocks of equal length.
struct Gather {
    planes: Vec<Vec<f32>>,
    block: usize,
}

impl Gather {
    fn new(channels: usize, block: usize) -> Self {
        Self { planes: vec![Vec::new(); channels], block: block.max(1) }
    }

    /// Takes a packet; gives the number of samples that were not finite and are now 0.
    fn push(
        &mut self,
        packet: &[Vec<f32>],
        channels: Channels,
        output: &mut dyn Output,
    ) -> Result<u64, Stop> {
        let mut bad = 0;
        let mut clean = |sample: f32| {
            let finite = sample.is_finite();
            bad += u64::from(!finite);
            if finite { sample } else { 0.0 }
        };
        match channels {
            Channels::Mono if packet.len() > 1 => {
                let share = 1.0 / packet.len() as f32;
                let frames = packet[0].len();
                self.planes[0].extend(
                    (0..frames)
                        .map(|frame| packet.iter().map(|plane| clean(plane[frame])).sum::<f32>() * share),
                );
            }
            _ => {
                for (plane, samples) in self.planes.iter_mut().zip(packet) {
                    plane.extend(samples.iter().map(|sample| clean(*sample)));
                }
            }
        }
        while self.planes[0].len() >= self.block {
            self.give(self.block, output)?;
        }
        Ok(bad)
    }

    fn flush(&mut self, output: &mut dyn Output) -> Step {
        match self.planes[0].len() {
            0 => Ok(()),
            frames => self.give(frames, output),
        }
    }

    fn give(&mut self, frames: usize, output: &mut dyn Output) -> Step {
        let mut samples = Vec::with_capacity(frames * self.planes.len());
        for plane in &mut self.planes {
            samples.extend(plane.drain(..frames));
        }
        output.block(Block::planar(self.planes.len(), samples))
    }
}

/// A file that tells how far it has been read, for messages. A FLAC file ends before an ID3v1 tag,
/// which its decoder would take for a damaged frame.
struct Counted {
    inner: File,
    length: u64,
    position: Arc<AtomicU64>,
}

/// The length of an ID3v1 tag.
const TAG_LENGTH: u64 = 128;

impl Counted {
    fn new(mut inner: File, position: Arc<AtomicU64>) -> io::Result<Self> {
        let mut length = inner.metadata()?.len();
        if length > TAG_LENGTH {
            let mut head = [0; 10];
            let id3 = inner.read_exact(&mut head).is_ok() && head.starts_with(b"ID3");
            // An ID3v2 tag tells its length in four groups of seven bits.
            let first = if id3 {
                head[6..].iter().fold(0, |size, byte| size << 7 | u64::from(*byte)) + 10
            } else {
                0
            };
            let mut begins = |at: u64, with: &[u8]| -> io::Result<bool> {
                let mut found = vec![0; with.len()];
                inner.seek(SeekFrom::Start(at))?;
                Ok(inner.read_exact(&mut found).is_ok() && found == with)
            };
            if begins(first, b"fLaC")? && begins(length - TAG_LENGTH, b"TAG")? {
                length -= TAG_LENGTH;
            }
            inner.rewind()?;
        }
        Ok(Self { inner, length, position })
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position.load(Ordering::Relaxed));
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(&mut buffer[..most])?;
        self.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            // The end is before the tag.
            SeekFrom::End(offset) => SeekFrom::Start(self.length.saturating_add_signed(offset)),
            other => other,
        };
        let at = self.inner.seek(to)?;
        self.position.store(at, Ordering::Relaxed);
        Ok(at)
    }
}

impl MediaSource for Counted {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}
