//! The last frame of a FLAC file with something behind it.

use symphonia::core::io::MediaSource;

use super::{FRAME, is_frame, place};
use crate::decode::container::{at_most, behind_tags, bytes_at};
use crate::flac::crc::crc16_on;

/// The end of a frame is found by the begin of the next, or by the end of the file. Where tags or junk lie
/// behind the last frame there is neither. Each frame ends with a checksum, though.
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
            checksum = crc16_on(checksum, &next[..1]);
            matches.then(|| &self.bytes[..end + 2])
        })
    }
}

/// Where the first frame is, behind the blocks of metadata.
fn music(source: &mut dyn MediaSource) -> Option<u64> {
    let mut at = behind_tags(source).ok()? + 4;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flac::crc::crc16;

    #[test]
    fn a_frame_ends_where_its_checksum_is() {
        let mut bytes: Vec<u8> = (0..40).collect();
        let checksum = crc16(&bytes);
        bytes.extend(checksum.to_be_bytes());
        let frame = bytes.clone();
        bytes.extend(b"TAG and what else there is");
        let tail = Tail { bytes };
        assert_eq!(tail.frames().next(), Some(&frame[..]));
    }
}
