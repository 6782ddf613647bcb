//! AIFF, AIFF-C and Sun's AU: samples with a header before them.

use symphonia::core::io::MediaSource;

use super::{Found, at_most, be16, be32, bytes_at};
use crate::decode::failure::{Failure, bad, not_here};
use crate::decode::pcm::{Pcm, Sample};

/// The most chunks that are looked at.
const CHUNKS: usize = 10_000;

/// The most bytes of a text.
const TEXT: u64 = 4096;

/// What the `COMM` chunk says.
struct Common {
    channels: u16,
    frames: u32,
    bits: u32,
    rate: u32,
    compression: [u8; 4],
}

/// Finds the samples of AIFF and AIFF-C.
pub(super) fn find(source: &mut dyn MediaSource, begin: u64) -> Result<Found, Failure> {
    let (mut common, mut from, mut tags) = (None, None, Vec::new());
    let mut at = begin + 12;
    for _ in 0..CHUNKS {
        let head = at_most(source, at, 8)?;
        let (Some(name), Some(length)) = (bytes_at::<4>(&head, 0), be32(&head, 4)) else { break };
        let (content, length) = (at + 8, u64::from(length));
        match &name {
            b"COMM" => {
                // The compression is there in AIFF-C only.
                let most = usize::try_from(length.min(22)).unwrap_or(22);
                common = Some(read_common(&at_most(source, content, most)?)?);
            }
            b"SSND" => {
                let skip = at_most(source, content, 4)?;
                from = Some(content + 8 + u64::from(be32(&skip, 0).unwrap_or(0)));
                // What a file says behind its samples is not waited for once they are known.
                if common.is_some() {
                    break;
                }
            }
            b"NAME" | b"AUTH" | b"ANNO" | b"(c) " if length <= TEXT => {
                let text = at_most(source, content, usize::try_from(length).unwrap_or(0))?;
                let text = String::from_utf8_lossy(&text).trim_end_matches('\0').trim().to_owned();
                let key = match &name {
                    b"NAME" => "title",
                    b"AUTH" => "artist",
                    b"ANNO" => "comment",
                    _ => "copyright",
                };
                tags.push((key.to_owned(), text));
            }
            _ => {}
        }
        at = content + length + length % 2;
    }
    let common = common.ok_or_else(|| bad("format", "the AIFF file has no `COMM` chunk"))?;
    let from = match from {
        Some(from) => from,
        None if common.frames == 0 => return Err(bad("empty", "the file has no audio frame")),
        None => return Err(bad("truncated", "the AIFF file has no `SSND` chunk")),
    };
    let integer = Sample::integer(common.bits, true);
    let (sample, big, bits) = match &common.compression {
        b"NONE" | b"twos" => (integer, true, common.bits),
        b"sowt" | b"SOWT" => (integer, false, common.bits),
        b"raw " => (Some(Sample::U8), true, 8),
        b"in24" => (Some(Sample::I24), true, 24),
        b"in32" => (Some(Sample::I32), true, 32),
        b"23ni" => (Some(Sample::I32), false, 32),
        b"42ni" => (Some(Sample::I24), false, 24),
        b"fl32" | b"FL32" => (Some(Sample::F32), true, 32),
        b"fl64" | b"FL64" => (Some(Sample::F64), true, 64),
        b"alaw" | b"ALAW" => (Some(Sample::ALaw), true, 8),
        b"ulaw" | b"ULAW" => (Some(Sample::MuLaw), true, 8),
        b"ima4" => return Err(not_here("IMA ADPCM in AIFF")),
        b"MAC3" | b"MAC6" => return Err(not_here("MACE")),
        b"GSM " | b"agsm" => return Err(not_here("GSM 6.10")),
        b"QDMC" | b"QDM2" => return Err(not_here("QDesign")),
        other => {
            let name = String::from_utf8_lossy(other).trim().to_owned();
            return Err(not_here(&format!("the compression {name} of AIFF")));
        }
    };
    let sample =
        sample.ok_or_else(|| bad("format", format!("the header says {} bits a sample", common.bits)))?;
    let frame = sample.width() as u64 * u64::from(common.channels);
    Ok(Found::Pcm(Pcm {
        container: "aiff",
        sample,
        stride: sample.width(),
        big,
        channels: common.channels,
        rate: common.rate,
        bits,
        from,
        to: Some(from.saturating_add(frame * u64::from(common.frames))),
        tags,
    }))
}

fn read_common(content: &[u8]) -> Result<Common, Failure> {
    let short = || bad("truncated", "the `COMM` chunk ends too early");
    let float = bytes_at::<10>(content, 8).ok_or_else(short)?;
    Ok(Common {
        channels: be16(content, 0).ok_or_else(short)?,
        frames: be32(content, 2).ok_or_else(short)?,
        bits: u32::from(be16(content, 6).ok_or_else(short)?),
        rate: rate(float),
        compression: bytes_at(content, 18).unwrap_or(*b"NONE"),
    })
}

/// A rate as a float of 80 bits: a sign, 15 bits of exponent, and a mantissa with its first bit.
fn rate(bytes: [u8; 10]) -> u32 {
    let [sign, low, mantissa @ ..] = bytes;
    let exponent = i32::from(u16::from_be_bytes([sign & 0x7f, low])) - 16_383 - 63;
    let value = u64::from_be_bytes(mantissa) as f64 * f64::from(exponent).exp2();
    if sign & 0x80 == 0 { value.round() as u32 } else { 0 }
}

/// Finds the samples of AU.
pub(super) fn au(source: &mut dyn MediaSource, begin: u64) -> Result<Found, Failure> {
    let head = at_most(source, begin, 24)?;
    let word = |at| be32(&head, at).ok_or_else(|| bad("truncated", "the file ends within its header"));
    let (offset, length, encoding) = (word(4)?, word(8)?, word(12)?);
    let (rate, channels) = (word(16)?, word(20)?);
    let sample = match encoding {
        1 => Sample::MuLaw,
        2 => Sample::I8,
        3 => Sample::I16,
        4 => Sample::I24,
        5 => Sample::I32,
        6 => Sample::F32,
        7 => Sample::F64,
        27 => Sample::ALaw,
        23..=26 => return Err(not_here("G.72x ADPCM")),
        other => return Err(not_here(&format!("the encoding {other} of AU"))),
    };
    let from = begin + u64::from(offset);
    let channels =
        u16::try_from(channels).map_err(|_| bad("format", format!("the header says {channels} channels")))?;
    Ok(Found::Pcm(Pcm {
        container: "au",
        sample,
        stride: sample.width(),
        big: true,
        channels,
        rate,
        bits: 8 * sample.width() as u32,
        from,
        to: (length != u32::MAX).then_some(from + u64::from(length)),
        tags: Vec::new(),
    }))
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates_are_floats_of_80_bits() {
        assert_eq!(rate([0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0]), 44_100);
        assert_eq!(rate([0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0]), 8000);
        assert_eq!(rate([0xc0, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0]), 0);
        assert_eq!(rate([0x7f, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0]), u32::MAX);
    }
}
