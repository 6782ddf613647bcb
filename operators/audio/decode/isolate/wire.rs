//! What the run and its helper say to each other: a line of JSON a request, and for the answer frames of
//! a kind, a length and that many bytes.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Context, Item, Stamp, Step, Stop};
use etude_pipeline::place::Place;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::decode::Decode;

/// The most bytes of a frame: 64 MiB are a block of 192,000 frames and 64 channels, and more.
const LONGEST: u32 = 64 << 20;

/// The most bytes of a message, and of a name.
const LONGEST_MESSAGE: usize = 4096;
const LONGEST_NAME: usize = 64;
/// More names than all decoders together have.
const NAMES: usize = 256;

/// What the helper is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    decode: Decode,
    key: String,
    place: Place,
    size: u64,
    digest: Arc<str>,
    stamp: Option<Stamp>,
    rows: Option<(u64, u64)>,
    seed: u64,
    stage: String,
    epoch: u64,
    block: usize,
}

impl Request {
    pub fn of(decode: &Decode, item: &Item, context: &Context) -> Self {
        Self {
            decode: decode.clone(),
            key: item.key.to_string(),
            place: item.place.clone(),
            size: item.size,
            digest: item.digest.clone(),
            stamp: item.stamp,
            rows: item.rows,
            seed: context.seed,
            stage: context.stage.to_string(),
            epoch: context.epoch,
            block: context.block,
        }
    }

    /// What the run had. Cancelling is the run's affair: it ends the helper.
    pub fn open(self) -> (Decode, Item, Context) {
        let item = Item {
            key: Arc::from(self.key),
            place: self.place,
            size: self.size,
            digest: self.digest,
            stamp: self.stamp,
            rows: self.rows,
        };
        let context = Context {
            seed: self.seed,
            stage: Arc::from(self.stage),
            epoch: self.epoch,
            block: self.block,
            cancel: Default::default(),
            sides: Default::default(),
        };
        (self.decode, item, context)
    }
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The helper has started: the version of its decoder.
    Ready,
    /// A signal begins: [`Begin`].
    Begin,
    /// Its next samples, channel after channel, as 32-bit floats with the low byte first.
    Block,
    /// Something was counted: [`Count`].
    Count,
    /// The signal is complete.
    End,
    /// The item is done with: [`Answer`].
    Done,
}

const KINDS: [Kind; 6] = [Kind::Ready, Kind::Begin, Kind::Block, Kind::Count, Kind::End, Kind::Done];

/// The header of audio without the item, which both sides know.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    pub start: u64,
    pub rate: u32,
    pub channels: u16,
    pub frames: Option<u64>,
}

impl From<&Header> for Begin {
    fn from(header: &Header) -> Self {
        let Header { start, rate, channels, frames, .. } = *header;
        Self { start, rate, channels, frames }
    }
}

/// Something that was counted.
#[derive(Debug, Serialize, Deserialize)]
pub struct Count {
    pub what: String,
    pub amount: u64,
}

/// How an item ended.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Complete,
    Filtered { reason: String },
    Rejected { class: String, offset: String, message: String },
    Transient { message: String },
    Cancelled,
}

impl Answer {
    /// What the decoder's step says.
    pub fn of(step: Step) -> Self {
        match step {
            Ok(()) => Self::Complete,
            Err(Stop::Filtered { reason }) => Self::Filtered { reason: short(reason) },
            Err(Stop::Rejected { class, offset, message }) => {
                Self::Rejected { class: class.to_owned(), offset: short(offset), message: short(message) }
            }
            Err(Stop::Transient { message }) => Self::Transient { message: short(message) },
            Err(Stop::Cancelled) => Self::Cancelled,
        }
    }

    pub fn step(self) -> Step {
        Err(match self {
            Self::Complete => return Ok(()),
            Self::Filtered { reason } => Stop::Filtered { reason },
            Self::Rejected { class, offset, message } => {
                Stop::Rejected { class: name(&class), offset, message }
            }
            Self::Transient { message } => Stop::Transient { message },
            Self::Cancelled => Stop::Cancelled,
        })
    }
}

/// A text of bounded length.
fn short(mut text: String) -> String {
    if text.len() > LONGEST_MESSAGE {
        text.truncate(text.floor_char_boundary(LONGEST_MESSAGE));
        text.push('…');
    }
    text
}

/// The name as one that lives as long as the program: the contract has such names. There are a few.
pub fn name(text: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = known.get(text) {
        return name;
    }
    if known.len() >= NAMES || text.len() > LONGEST_NAME {
        return "other";
    }
    let name: &'static str = Box::leak(text.to_owned().into_boxed_str());
    known.insert(name);
    name
}

/// A part of an answer.
#[derive(Debug)]
pub struct Frame {
    pub kind: Kind,
    payload: Vec<u8>,
}

impl Frame {
    /// The next frame; none where the other side has ended, be it within a frame.
    pub fn read(from: &mut dyn Read) -> io::Result<Option<Self>> {
        let mut head = [0; 5];
        if from.read_exact(&mut head).is_err() {
            return Ok(None);
        }
        let [kind, length @ ..] = head;
        let length = u32::from_le_bytes(length);
        let Some(kind) = KINDS.get(usize::from(kind)).copied().filter(|_| length <= LONGEST) else {
            let message = format!("the decoder sent a frame of kind {kind} and {length} bytes");
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        };
        // It grows with what is there, whatever the length says.
        let mut payload = Vec::new();
        let read = from.take(length.into()).read_to_end(&mut payload)?;
        Ok((read == length as usize).then_some(Self { kind, payload }))
    }

    pub fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.payload)
            .map_err(|error| format!("the decoder sent a broken message: {error}"))
    }

    /// The samples of a block of `channels` channels.
    pub fn samples(&self, channels: usize) -> Result<Vec<f32>, String> {
        let (samples, rest) = self.payload.as_chunks::<4>();
        if channels == 0 || !rest.is_empty() || !samples.len().is_multiple_of(channels) {
            return Err(format!(
                "the decoder sent a block of {} bytes for {channels} channels",
                self.payload.len()
            ));
        }
        Ok(samples.iter().map(|sample| f32::from_le_bytes(*sample)).collect())
    }
}

/// Writes a frame.
fn write(to: &mut dyn Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "a block is too long"))?;
    let [a, b, c, d] = length.to_le_bytes();
    to.write_all(&[kind as u8, a, b, c, d])?;
    to.write_all(payload)
}

/// Writes a frame that holds JSON.
pub fn say<T: Serialize>(to: &mut dyn Write, kind: Kind, value: &T) -> io::Result<()> {
    write(to, kind, &serde_json::to_vec(value)?)
}

/// Writes a frame that says all by its kind.
pub fn mark(to: &mut dyn Write, kind: Kind) -> io::Result<()> {
    write(to, kind, &[])
}

/// Writes the samples of a block; `buffer` is kept between blocks.
pub fn samples(to: &mut dyn Write, block: &Block, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    buffer.extend(block.samples().iter().flat_map(|sample| sample.to_le_bytes()));
    write(to, Kind::Block, buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_arrive_bit_for_bit() {
        let odd = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE / 3.0, -1.0];
        let (mut bytes, mut buffer) = (Vec::new(), Vec::new());
        samples(&mut bytes, &Block::planar(2, odd.to_vec()), &mut buffer).unwrap();
        let frame = Frame::read(&mut &bytes[..]).unwrap().unwrap();
        let bits = |samples: &[f32]| samples.iter().map(|sample| sample.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&frame.samples(2).unwrap()), bits(&odd));
        assert!(frame.samples(0).is_err() && frame.samples(4).is_err());
    }

    #[test]
    fn every_kind_arrives() {
        for kind in KINDS {
            let mut bytes = Vec::new();
            mark(&mut bytes, kind).unwrap();
            assert_eq!(Frame::read(&mut &bytes[..]).unwrap().unwrap().kind, kind);
        }
    }

    #[test]
    fn every_stop_arrives() {
        let stops = [
            Ok(()),
            Err(Stop::Filtered { reason: "too quiet".into() }),
            Err(Stop::Rejected { class: "decode", offset: "1.5 s".into(), message: "bad".into() }),
            Err(Stop::Transient { message: "no disk".into() }),
            Err(Stop::Cancelled),
        ];
        for step in stops {
            let mut bytes = Vec::new();
            say(&mut bytes, Kind::Done, &Answer::of(step.clone())).unwrap();
            let answer: Answer = Frame::read(&mut &bytes[..]).unwrap().unwrap().json().unwrap();
            assert_eq!(answer.step(), step);
        }
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        let mut bytes = vec![Kind::Block as u8];
        bytes.extend(u32::MAX.to_le_bytes());
        assert!(Frame::read(&mut &bytes[..]).unwrap_err().to_string().contains("4294967295 bytes"));
        let mut bytes = vec![Kind::Block as u8];
        bytes.extend(LONGEST.to_le_bytes());
        bytes.extend([0; 100]);
        assert!(Frame::read(&mut &bytes[..]).unwrap().is_none());
        assert!(Frame::read(&mut &[9, 0, 0, 0, 0][..]).is_err());
        assert!(Frame::read(&mut &[][..]).unwrap().is_none());
    }

    #[test]
    fn names_are_bounded() {
        assert_eq!(name("skipped_packets"), "skipped_packets");
        assert_eq!(name(&"x".repeat(100)), "other");
        assert!(short("é".repeat(5000)).len() <= LONGEST_MESSAGE + '…'.len_utf8());
    }
}
