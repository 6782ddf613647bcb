//! Apple's Core Audio Format.

use symphonia::core::io::MediaSource;

use super::{Found, Span, Track, Trim, at_most, be32, be64, bytes_at};
use crate::decode::codec::aac;
use crate::decode::container::mp4::descriptors;
use crate::decode::failure::{Failure, bad, not_here};
use crate::decode::pcm::{Pcm, Sample};

/// The most chunks that are looked at.
const CHUNKS: usize = 10_000;

/// The longest description of a codec.
const COOKIE: usize = 64 << 10;

/// What the `desc` chunk says.
struct Description {
    rate: f64,
    format: [u8; 4],
    flags: u32,
    bytes_per_packet: u32,
    frames_per_packet: u32,
    channels: u32,
    bits: u32,
}

/// What else is in the file.
#[derive(Default)]
struct Chunks {
    data: Option<(u64, Option<u64>)>,
    packets: Option<u64>,
    trim: Trim,
    cookie: Vec<u8>,
}

/// Finds the samples or the track.
pub(super) fn find(source: &mut dyn MediaSource, begin: u64) -> Result<Found, Failure> {
    let (mut description, mut chunks) = (None, Chunks::default());
    let mut at = begin + 8;
    for _ in 0..CHUNKS {
        let head = at_most(source, at, 12)?;
        let (Some(name), Some(length)) = (bytes_at::<4>(&head, 0), be64(&head, 4)) else { break };
        let content = at + 12;
        match &name {
            b"desc" => description = Some(read_description(&at_most(source, content, 32)?)?),
            // An edit count comes first. The length -1 means to the end of the file.
            b"data" => {
                let length = i64::try_from(length).ok();
                let to = length.and_then(|length| content.checked_add_unsigned_length(length));
                chunks.data = Some((content + 4, to));
            }
            b"pakt" => {
                let table = at_most(source, content, 24)?;
                let field = |at| be64(&table, at).and_then(|value| u64::try_from(value as i64).ok());
                let span = |at| be32(&table, at).and_then(|value| u64::try_from(value as i32).ok());
                chunks.packets = field(0);
                chunks.trim.start = Span::frames(span(16).unwrap_or(0));
                chunks.trim.keep = field(8).map(Span::frames);
            }
            b"kuki" => {
                let most = usize::try_from(length).unwrap_or(COOKIE).min(COOKIE);
                chunks.cookie = at_most(source, content, most)?;
            }
            _ => {}
        }
        match i64::try_from(length).ok().and_then(|length| content.checked_add_unsigned_length(length)) {
            Some(next) => at = next,
            None => break,
        }
    }
    let description = description.ok_or_else(|| bad("format", "the CAF file has no `desc` chunk"))?;
    decide(&description, chunks)
}

/// Adds a length that a file claims.
trait AddLength {
    fn checked_add_unsigned_length(self, length: i64) -> Option<u64>;
}

impl AddLength for u64 {
    fn checked_add_unsigned_length(self, length: i64) -> Option<u64> {
        self.checked_add(u64::try_from(length).ok()?)
    }
}

fn read_description(content: &[u8]) -> Result<Description, Failure> {
    let short = || bad("truncated", "the `desc` chunk ends too early");
    let word = |at| be32(content, at).ok_or_else(short);
    Ok(Description {
        rate: bytes_at(content, 0).map(f64::from_be_bytes).ok_or_else(short)?,
        format: bytes_at(content, 8).ok_or_else(short)?,
        flags: word(12)?,
        bytes_per_packet: word(16)?,
        frames_per_packet: word(20)?,
        channels: word(24)?,
        bits: word(28)?,
    })
}

fn decide(description: &Description, chunks: Chunks) -> Result<Found, Failure> {
    let (float, little) = (description.flags & 1 != 0, description.flags & 2 != 0);
    let sample = match &description.format {
        b"lpcm" => {
            let width = description.bytes_per_packet / description.channels.max(1);
            let sample =
                if float { Sample::float(description.bits) } else { Sample::integer(8 * width, true) };
            Some(sample.ok_or_else(|| {
                bad("format", format!("the header says {} bits a sample", description.bits))
            })?)
        }
        b"alaw" => Some(Sample::ALaw),
        b"ulaw" => Some(Sample::MuLaw),
        _ => None,
    };
    if let Some(sample) = sample {
        let (from, to) = chunks.data.ok_or_else(|| bad("truncated", "the CAF file has no `data` chunk"))?;
        let channels = u16::try_from(description.channels).unwrap_or(u16::MAX);
        return Ok(Found::Pcm(Pcm {
            container: "caf",
            sample,
            stride: sample.width(),
            big: !little,
            channels,
            rate: description.rate.round() as u32,
            bits: 8 * sample.width() as u32,
            from,
            to,
            tags: Vec::new(),
        }));
    }
    match &description.format {
        b"aac " => {
            if let Some(config) = descriptors(&chunks.cookie).config {
                aac::check(&config)?;
            }
        }
        b"alac" | b".mp3" | b"flac" | b"opus" | b".mp1" | b".mp2" => {}
        // symphonia's decoder of it is not exact: it takes the coarse value that begins each packet.
        b"ima4" => return Err(not_here("IMA ADPCM in CAF")),
        b"aach" | b"aace" => return Err(not_here("HE-AAC")),
        b"aacp" => return Err(not_here("HE-AAC v2")),
        b"aacl" => return Err(not_here("AAC-LD")),
        b"aacf" | b"aacg" => return Err(not_here("AAC-ELD")),
        b"usac" => return Err(not_here("USAC (xHE-AAC)")),
        b"ac-3" | b"cac3" => return Err(not_here("AC-3")),
        b"ec-3" => return Err(not_here("E-AC-3")),
        b"samr" | b"sawb" => return Err(not_here("AMR")),
        b"ilbc" => return Err(not_here("iLBC")),
        b"MAC3" | b"MAC6" => return Err(not_here("MACE")),
        b"QDM2" | b"QDMC" => return Err(not_here("QDesign")),
        b"Qclp" => return Err(not_here("QCELP")),
        b"agsm" => return Err(not_here("GSM 6.10")),
        other => {
            let name = String::from_utf8_lossy(other).trim().to_owned();
            return Err(not_here(&format!("the codec {name} of CAF")));
        }
    }
    // More frames a packet than any codec has would only cost memory.
    if description.frames_per_packet > 1 << 16 {
        let frames = description.frames_per_packet;
        return Err(bad("format", format!("the header says {frames} frames a packet")));
    }
    let seconds = chunks.trim.keep.map(|keep| keep.ticks as f64 / description.rate);
    Ok(Found::Track(Track { container: "caf", trim: chunks.trim, seconds, ..Track::default() }))
}
