//! Ogg: which of the streams that begin together is decoded, and where the last page ends.

use symphonia::core::io::MediaSource;

use super::{Cut, Found, Span, Track, Trim, at_most, bytes_at};
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
        let mut track =
            Track { container: "ogg", id: serial, cut: cut(source, content)?, ..Track::default() };
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

/// The longest page.
const PAGE: u64 = 27 + 255 + 255 * 255;

/// Leaves out a page that the file ends within, for what symphonia reads at the end has to be whole.
fn cut(source: &mut dyn MediaSource, from: u64) -> Result<Option<Cut>, Failure> {
    let Some(length) = source.byte_len() else { return Ok(None) };
    let begin = length.saturating_sub(2 * PAGE).max(from);
    let tail = at_most(source, begin, 2 * PAGE as usize)?;
    let starts = |at: &usize| tail[*at..].starts_with(b"OggS");
    let Some(last) = (0..tail.len()).rev().find(starts) else { return Ok(None) };
    let whole = || {
        let count = usize::from(*tail.get(last + 26)?);
        let lengths = tail.get(last + 27..last + 27 + count)?;
        let content: usize = lengths.iter().map(|length| usize::from(*length)).sum();
        tail.get(last + 27 + count..last + 27 + count + content)
    };
    let end = begin + last as u64;
    Ok((whole().is_none() && end > from).then(|| Cut { end, patches: Vec::new() }))
}
