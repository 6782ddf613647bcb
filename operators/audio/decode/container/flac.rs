//! The last frame of a FLAC file with something behind it.

use symphonia::core::io::MediaSource;

use super::{at_most, bytes_at};
use crate::decode::codec::flac::frame::Frame;
use crate::decode::failure::Failure;
use crate::flac::crc::crc8;

/// The most bytes that a frame may take: eight channels of 65,535 samples of 32 bits, stored as they are.
const FRAME: usize = 3 << 20;

/// The marker, and the first block of metadata with its head.
const HEAD: u64 = 4 + 4 + 34;

/// How far a first frame is looked for.
const SEARCH: usize = 1 << 20;

/// A FLAC file without what stands between its first block and its first frame.
pub(in crate::decode) struct Plain {
    /// Bytes of the begin that stay.
    pub(in crate::decode) head: u64,
    /// Where the first frame is.
    pub(in crate::decode) music: u64,
    /// What is to stand behind the marker: the block is the last one, and frames have any length.
    pub(in crate::decode) bytes: Vec<u8>,
}

/// Finds the first frame of a FLAC file that begins at a place; none when the first block is not the one
/// that tells rate and channels.
pub(in crate::decode) fn plain(source: &mut dyn MediaSource, begin: u64) -> Result<Option<Plain>, Failure> {
    let head = at_most(source, begin, 42)?;
    let (Some([0 | 0x80, 0, 0, 34]), Some(blocks)) = (bytes_at::<4>(&head, 4), bytes_at::<4>(&head, 8))
    else {
        return Ok(None);
    };
    let from = begin + HEAD;
    let bytes = at_most(source, from, SEARCH)?;
    let frame = (0..bytes.len()).find(|at| is_frame(&bytes[*at..]));
    let Some(at) = frame else { return Ok(None) };
    let mut replaced = vec![0x80, 0, 0, 34];
    replaced.extend(blocks);
    replaced.extend([0; 6]);
    Ok(Some(Plain { head: HEAD, music: from + at as u64, bytes: replaced }))
}

/// Whether bytes begin with the head of a frame, which ends with a checksum.
fn is_frame(bytes: &[u8]) -> bool {
    let head = Frame::read(bytes).and_then(|(_, length)| bytes[..length].split_last());
    head.is_some_and(|(checksum, head)| *checksum == crc8(head))
}

/// The number in the head of a frame, coded as UTF-8 codes characters, and its length in bytes.
fn number(frame: &[u8]) -> Option<(u64, usize)> {
    let first = *frame.get(4)?;
    let length = match first.leading_ones() {
        0 => return Some((u64::from(first), 1)),
        ones @ 2..=7 => ones as usize,
        _ => return None,
    };
    let low = u64::from(first) & (0x7f >> length);
    let more = frame.get(5..4 + length)?;
    Some((more.iter().fold(low, |value, byte| value << 6 | u64::from(byte & 0x3f)), length))
}

/// The place of a frame: it tells its number or, where they differ in length, its first sample. `block` is
/// the length of all but the last.
pub(in crate::decode) fn place(frame: &[u8], block: u64) -> Option<u64> {
    let (number, _) = number(frame)?;
    let by_sample = frame.get(1)? & 1 == 1;
    if by_sample { Some(number) } else { number.checked_mul(block) }
}

/// symphonia finds the end of a frame by the begin of the next, or by the end of the file. Where tags or
/// junk lie behind the last frame it finds neither. Each frame ends with a checksum, though.
pub(in crate::decode) struct Tail {
    /// The bytes from the last frame on.
    bytes: Vec<u8>,
}

impl Tail {
    /// The bytes from the frame on that stands at a place in the music, of blocks of a length. `used` are
    /// the bytes of all frames before it, where they are known.
    pub(in crate::decode) fn read(
        source: &mut dyn MediaSource,
        used: Option<u64>,
        at: u64,
        block: u64,
    ) -> Option<Self> {
        let from = match used {
            Some(used) => music(source)?.checked_add(used)?,
            // It is not far from the end.
            None => source.byte_len()?.saturating_sub(FRAME as u64 / 2),
        };
        let mut bytes = at_most(source, from, FRAME).ok()?;
        let ours = |bytes: &[u8]| is_frame(bytes) && place(bytes, block) == Some(at);
        let begin = (0..bytes.len()).find(|begin| ours(&bytes[*begin..]))?;
        bytes.drain(..begin);
        Some(Self { bytes })
    }

    /// The places where a frame may end: where what comes before has the checksum that follows.
    pub(in crate::decode) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let mut checksum = 0u16;
        self.bytes.windows(2).enumerate().filter_map(move |(end, next)| {
            let matches = end > 8 && u16::from_be_bytes([next[0], next[1]]) == checksum;
            checksum = update(checksum, next[0]);
            matches.then(|| &self.bytes[..end + 2])
        })
    }
}

/// Where the first frame is, behind the blocks of metadata.
fn music(source: &mut dyn MediaSource) -> Option<u64> {
    let mut at = super::behind_tags(source).ok()? + 4;
    for _ in 0..1000 {
        // Whether it is the last, and its length in 24 bits.
        let head = at_most(source, at, 4).ok()?;
        let head = u32::from_be_bytes(bytes_at(&head, 0)?);
        at += 4 + u64::from(head & 0xff_ffff);
        if head >> 31 == 1 {
            return Some(at);
        }
    }
    None
}

/// The cyclic redundancy check of FLAC's frames: x^16 + x^15 + x^2 + 1.
fn update(checksum: u16, byte: u8) -> u16 {
    (0..8).fold(checksum ^ u16::from(byte) << 8, |value, _| {
        if value & 0x8000 == 0 { value << 1 } else { value << 1 ^ 0x8005 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_ends_where_its_checksum_is() {
        let mut bytes: Vec<u8> = (0..40).collect();
        let checksum = bytes.iter().fold(0, |checksum, byte| update(checksum, *byte));
        bytes.extend(checksum.to_be_bytes());
        let frame = bytes.clone();
        bytes.extend(b"TAG and what else there is");
        let tail = Tail { bytes };
        assert_eq!(tail.frames().next(), Some(&frame[..]));
    }

    #[test]
    fn a_frame_is_known_by_the_checksum_of_its_head() {
        // 4096 samples at 44.1 kHz, two channels, 16 bits, number 0.
        assert!(is_frame(&[0xff, 0xf8, 0xc9, 0x18, 0x00, 0xc2, 0, 0]));
        assert!(!is_frame(&[0xff, 0xf8, 0xc9, 0x18, 0x00, 0xc3, 0, 0]));
        assert!(!is_frame(&[0xff, 0xf8]));
        assert_eq!(place(&[0xff, 0xf8, 0xc9, 0x18, 0x05], 4096), Some(5 * 4096));
        assert_eq!(place(&[0xff, 0xf9, 0xc9, 0x18, 0xc4, 0x80], 4096), Some(256));
    }

    #[test]
    fn the_checksum_is_the_one_of_flac() {
        // The check value of CRC-16/UMTS.
        assert_eq!(b"123456789".iter().fold(0, |checksum, byte| update(checksum, *byte)), 0xfee8);
    }
}
