//! WAV in all its sizes: RIFF, RIFX, RF64, BW64 and Sony's W64.

use symphonia::core::io::MediaSource;

use super::{Found, at_most, bytes_at};
use crate::decode::failure::{Failure, bad, not_here};
use crate::decode::pcm::{Pcm, Sample};

/// The most chunks that are looked at.
const CHUNKS: usize = 10_000;

/// The most bytes of a chunk of text.
const TEXT: u64 = 64 << 10;

/// The begin of a W64 file, and of its form.
pub(super) const W64: &[u8] = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00";

/// Data lengths that ffmpeg, SoX and arecord write where they cannot know, within a header's length.
const UNKNOWN: [u64; 4] = [u32::MAX as u64, 0x7fff_f000, 0x7fff_ffff, 0x8000_0000];

/// The length of a file without samples, with some chunks of text.
const HEADER: u32 = 512;

/// How the file is laid out.
struct Layout {
    container: &'static str,
    /// Numbers have the most significant byte first.
    big: bool,
    /// Chunks have names of 16 bytes and lengths of 8, which include both.
    wide: bool,
    /// What the file says of its own length.
    length: u32,
}

/// A chunk: its name, and where its content begins and how long it says to be.
struct Chunk {
    name: [u8; 4],
    at: u64,
    length: u64,
}

/// What the `fmt ` chunk says.
struct Format {
    tag: u16,
    channels: u16,
    rate: u32,
    /// Bytes of a frame.
    block: u16,
    bits: u32,
}

/// Finds the samples.
pub(super) fn find(source: &mut dyn MediaSource, begin: u64) -> Result<Found, Failure> {
    let head = at_most(source, begin, 40)?;
    let said = bytes_at(&head, 4).map_or(0, u32::from_le_bytes);
    let layout = match head.get(..4) {
        Some(b"RIFF") => Layout { container: "wav", big: false, wide: false, length: said },
        Some(b"RIFX") => Layout { container: "rifx", big: true, wide: false, length: said.swap_bytes() },
        Some(b"RF64" | b"BW64") => Layout { container: "rf64", big: false, wide: false, length: said },
        _ => Layout { container: "w64", big: false, wide: true, length: said },
    };
    let form = if layout.wide { head.get(24..28) } else { head.get(8..12) };
    match form {
        Some(b"WAVE" | b"wave") => {}
        Some(b"RMID") => return Err(not_here("MIDI")),
        Some(form) => {
            let form = String::from_utf8_lossy(form).trim().to_owned();
            return Err(bad("format", format!("a RIFF file of the form {form} is not audio")));
        }
        None => return Err(bad("truncated", "the file ends within its header")),
    }
    let mut at = begin + if layout.wide { 40 } else { 12 };
    let (mut format, mut data, mut long, mut tags) = (None, None, None, Vec::new());
    for _ in 0..CHUNKS {
        let Some(chunk) = next(source, &layout, at)? else { break };
        match &chunk.name {
            b"fmt " if format.is_none() => {
                let content = at_most(source, chunk.at, usize::try_from(chunk.length.min(64)).unwrap_or(64))?;
                format = Some(read_format(&content, layout.big)?);
            }
            b"ds64" => {
                let content = at_most(source, chunk.at, 16)?;
                long = content.get(8..16).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
            }
            b"LIST" if chunk.length <= TEXT => {
                tags.extend(texts(&at_most(source, chunk.at, usize::try_from(chunk.length).unwrap_or(0))?));
            }
            b"data" => {
                data = Some(length(&layout, &chunk, long));
                at = chunk.at;
                if format.is_some() {
                    break;
                }
            }
            _ => {}
        }
        let padding = if layout.wide { chunk.length.wrapping_neg() % 8 } else { chunk.length % 2 };
        let Some(next) = chunk.at.checked_add(chunk.length).and_then(|end| end.checked_add(padding)) else {
            break;
        };
        if data.is_none() || format.is_none() {
            at = next;
        }
    }
    let format = format.ok_or_else(|| bad("format", "the WAV file has no `fmt ` chunk"))?;
    let length = data.ok_or_else(|| bad("format", "the WAV file has no `data` chunk"))?;
    samples(&layout, &format, at, length, tags)
}

/// The length of the samples; none when the file does not know it.
fn length(layout: &Layout, chunk: &Chunk, long: Option<u64>) -> Option<u64> {
    if layout.wide {
        return Some(chunk.length);
    }
    if layout.container == "rf64" && chunk.length == u64::from(u32::MAX) && long.is_some() {
        return long;
    }
    // A recorder that was switched off has written neither this length nor that of the whole file.
    if chunk.length == 0 {
        return (layout.length > HEADER).then_some(0);
    }
    let unknown = UNKNOWN.iter().any(|length| length.abs_diff(chunk.length) < 64);
    (!unknown).then_some(chunk.length)
}

/// What is to be done with the samples.
fn samples(
    layout: &Layout,
    format: &Format,
    from: u64,
    length: Option<u64>,
    tags: Vec<(String, String)>,
) -> Result<Found, Failure> {
    let sample = match format.tag {
        0x0001 => Sample::integer(format.bits, false),
        0x0003 => Sample::float(format.bits),
        0x0006 => Some(Sample::ALaw),
        0x0007 => Some(Sample::MuLaw),
        // ADPCM, which symphonia decodes.
        0x0002 | 0x0011 if layout.container == "wav" => return Ok(Found::Other("wav")),
        // MPEG audio and AAC in ADTS frames: the samples are a file of their own.
        0x0050 | 0x0055 | 0x1600 => {
            return Ok(Found::Inside { from, to: length.map(|length| from.saturating_add(length)) });
        }
        tag => return Err(not_here(name(tag))),
    };
    let sample =
        sample.ok_or_else(|| bad("format", format!("the header says {} bits a sample", format.bits)))?;
    // Some write 24 bits in four bytes.
    let stride = match format.block / format.channels.max(1) {
        4 if sample == Sample::I24 => 4,
        _ => sample.width(),
    };
    Ok(Found::Pcm(Pcm {
        container: layout.container,
        sample,
        stride,
        big: layout.big,
        channels: format.channels,
        rate: format.rate,
        bits: if sample.width() == 1 { 8 } else { format.bits },
        from,
        to: length.map(|length| from.saturating_add(length)),
        tags,
    }))
}

/// The chunk at a place; none behind the last.
fn next(source: &mut dyn MediaSource, layout: &Layout, at: u64) -> Result<Option<Chunk>, Failure> {
    let size = if layout.wide { 24 } else { 8 };
    let head = at_most(source, at, size)?;
    let (Some(name), true) = (bytes_at::<4>(&head, 0), head.len() == size) else { return Ok(None) };
    let length = if layout.wide {
        let length = bytes_at::<8>(&head, 16).map_or(0, u64::from_le_bytes);
        match length.checked_sub(24) {
            Some(length) => length,
            None => return Ok(None),
        }
    } else {
        let bytes = bytes_at::<4>(&head, 4).unwrap_or_default();
        u64::from(if layout.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    Ok(Some(Chunk { name, at: at + size as u64, length }))
}

fn read_format(content: &[u8], big: bool) -> Result<Format, Failure> {
    let short = |at| {
        let bytes = bytes_at::<2>(content, at).unwrap_or_default();
        if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    };
    if content.len() < 16 {
        return Err(bad("format", format!("the `fmt ` chunk has {} bytes, not 16 or more", content.len())));
    }
    let rate = bytes_at::<4>(content, 4).unwrap_or_default();
    let rate = if big { u32::from_be_bytes(rate) } else { u32::from_le_bytes(rate) };
    // An extensible header names the format in the first bytes of a GUID.
    let tag = if short(0) == 0xfffe && content.len() >= 26 { short(24) } else { short(0) };
    Ok(Format { tag, channels: short(2), rate, block: short(12), bits: u32::from(short(14)) })
}

/// The texts of an `INFO` list.
fn texts(content: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let Some(mut rest) = content.strip_prefix(b"INFO") else { return found };
    while let (Some(name), Some(length)) = (bytes_at::<4>(rest, 0), bytes_at::<4>(rest, 4)) {
        let length = u32::from_le_bytes(length) as usize;
        let Some(text) = rest.get(8..).and_then(|rest| rest.get(..length)) else { break };
        let text = String::from_utf8_lossy(text).trim_end_matches('\0').trim().to_owned();
        let key = match &name {
            b"INAM" => "title".to_owned(),
            b"IART" => "artist".to_owned(),
            b"IPRD" => "album".to_owned(),
            b"IGNR" => "genre".to_owned(),
            b"ICRD" => "date".to_owned(),
            b"ITRK" | b"IPRT" => "track".to_owned(),
            b"ICMT" => "comment".to_owned(),
            b"ISFT" => "encoder".to_owned(),
            other => String::from_utf8_lossy(other).trim().to_owned(),
        };
        if !text.is_empty() {
            found.push((key, text));
        }
        rest = rest.get(8 + length + length % 2..).unwrap_or_default();
    }
    found
}

/// The name of a format that is not decoded.
pub(super) fn name(tag: u16) -> &'static str {
    match tag {
        0x0002 | 0x0010 | 0x0011 | 0x0017 | 0x0020 | 0x0045 | 0x0064 | 0x0065 => "this kind of ADPCM",
        0x0008 | 0x2001 => "DTS",
        0x0022 => "TrueSpeech",
        0x0031 | 0x0032 => "GSM 6.10",
        0x0092 | 0x2000 => "AC-3",
        0x00ff | 0x1610 => "AAC in WAV",
        0x0130 => "ACELP.net",
        0x0160..=0x0163 => "WMA",
        0x0270 => "ATRAC3",
        0x028f => "G.722",
        0x0401..=0x0402 => "Indeo audio",
        0x566f | 0x674f..=0x6771 => "Vorbis in WAV",
        0x704f => "Opus in WAV",
        0x7a21 | 0x7a22 => "AMR",
        0xa109 => "Speex",
        0xf1ac => "FLAC in WAV",
        0x5756 => "WavPack",
        _ => "a codec of WAV that is not known",
    }
}
