//! FLAC in files of its own: where its frames begin and end.

mod frames;
mod tail;

use symphonia::core::io::MediaSource;

use super::{at_most, bytes_at};
use crate::decode::codec::flac::frame::Frame;
use crate::decode::failure::Failure;
use crate::flac::crc::crc8;

pub(in crate::decode) use frames::Frames;
pub(in crate::decode) use tail::Tail;

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
    // symphonia takes none that are shorter.
    let length = Frame::read(&bytes[at..])
        .and_then(|(frame, _)| u16::try_from(frame.length).ok())
        .filter(|length| *length >= 16);
    let blocks = match length.map(u16::to_be_bytes) {
        // Where blocks have one length this is it, whatever the file says of the shortest and the longest.
        Some([high, low]) if bytes[at + 1] & 1 == 0 => [high, low, high, low],
        _ => blocks,
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_known_by_the_checksum_of_its_head() {
        // 4096 samples at 44.1 kHz, two channels, 16 bits, number 0.
        assert!(is_frame(&[0xff, 0xf8, 0xc9, 0x18, 0x00, 0xc2, 0, 0]));
        assert!(!is_frame(&[0xff, 0xf8, 0xc9, 0x18, 0x00, 0xc3, 0, 0]));
        assert!(!is_frame(&[0xff, 0xf8]));
        assert_eq!(place(&[0xff, 0xf8, 0xc9, 0x18, 0x05], 4096), Some(5 * 4096));
        assert_eq!(place(&[0xff, 0xf9, 0xc9, 0x18, 0xc4, 0x80], 4096), Some(256));
    }
}
