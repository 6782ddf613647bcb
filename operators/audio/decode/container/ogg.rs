//! Ogg: which of the streams that begin together is decoded.

use symphonia::core::io::MediaSource;

use super::{Found, Span, Track, Trim, at_most, bytes_at};
use crate::decode::failure::{Failure, not_here};

/// The most streams that begin together.
const STREAMS: usize = 64;

/// Finds the first stream that can be decoded, else names the first one that cannot.
pub(super) fn find(source: &mut dyn MediaSource, begin: u64) -> Result<Found, Failure> {
    let (mut at, mut refused) = (begin, None);
    for _ in 0..STREAMS {
        let head = at_most(source, at, 27)?;
        let first = head.starts_with(b"OggS") && head.get(5).is_some_and(|flags| flags & 2 != 0);
        let (true, Some(&segments)) = (first, head.get(26)) else { break };
        let lengths = at_most(source, at + 27, usize::from(segments))?;
        let length: usize = lengths.iter().map(|length| usize::from(*length)).sum();
        let content = at + 27 + u64::from(segments);
        let packet = at_most(source, content, length.min(64))?;
        let serial = bytes_at(&head, 14).map(u32::from_le_bytes);
        let mut track = Track { container: "ogg", id: serial, ..Track::default() };
        if packet.starts_with(b"OpusHead") {
            match packet.get(18) {
                Some(0 | 1) => {}
                Some(family) => {
                    return Err(not_here(&format!("Opus with the channel mapping {family}")));
                }
                None => {}
            }
            let skip = bytes_at(&packet, 10).map_or(0, u16::from_le_bytes);
            track.trim = Trim { start: Span::frames(u64::from(skip)), ..Trim::default() };
            return Ok(Found::Track(track));
        }
        if packet.starts_with(b"\x01vorbis") || packet.starts_with(b"\x7fFLAC") {
            return Ok(Found::Track(track));
        }
        let name = match &packet[..] {
            [b'S', b'p', b'e', b'e', b'x', b' ', ..] => Some("Speex"),
            [b'C', b'E', b'L', b'T', b' ', ..] => Some("CELT"),
            [b'P', b'C', b'M', b' ', ..] => Some("PCM in Ogg"),
            [b'M', b'i', b'd', b'i', ..] => Some("MIDI"),
            _ => None,
        };
        refused = refused.or(name);
        at = content + length as u64;
    }
    match refused {
        Some(name) => Err(not_here(name)),
        None => Ok(Found::Other("ogg")),
    }
}
