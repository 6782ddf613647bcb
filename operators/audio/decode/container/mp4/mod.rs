//! MP4, M4A and QuickTime: which track is decoded, its codec's name, and what its edit list and
//! iTunes' own tag leave out.

mod audio;
mod cut;
mod descriptors;
mod raw;

use symphonia::core::codecs::audio::well_known::CODEC_ID_ALAC;
use symphonia::core::io::MediaSource;

use super::window::{self, Window};
use super::{Found, Span, Track, Trim, be32, be64, bytes_at};
use crate::decode::failure::{Failure, bad};
use audio::Audio;

pub(in crate::decode) use descriptors::descriptors;

/// The most boxes that are looked at, and how deep they lie.
const BOXES: usize = 100_000;
const DEPTH: usize = 10;

/// The longest description of a codec, tag or edit list that is read.
const CONTENT: u64 = 64 << 10;

/// A box: its name, and the place of its content.
#[derive(Debug, Clone, Copy)]
struct Atom {
    name: [u8; 4],
    from: u64,
    to: u64,
}

/// What a whole file says.
#[derive(Default)]
struct Movie {
    scale: u64,
    duration: u64,
    fragmented: bool,
    tracks: Vec<Audio>,
    /// Delay, padding and length by iTunes.
    smpb: Option<[u64; 3]>,
    boxes: usize,
}

/// Finds the first audio track that can be decoded, else names the first one that cannot.
pub(super) fn find(source: &mut dyn MediaSource) -> Result<Found, Failure> {
    let mut window = Window::new(source);
    let mut movie = Movie::default();
    let end = window.length();
    movie.walk(&mut window, 0, end, 0)?;
    if movie.boxes == 0 || movie.scale == 0 && movie.tracks.is_empty() {
        return Err(bad("truncated", "the MP4 file has no `moov` box: its end is missing"));
    }
    let mut refused = None;
    for track in movie.tracks.iter().filter(|track| track.sound) {
        match track.check() {
            Ok(()) if track.is_raw() => return movie.pieces(&mut window, track),
            Ok(()) => {
                let cut = cut::cut(&mut window)?;
                return Ok(Found::Track(Track { cut, ..movie.track(track) }));
            }
            Err(failure) => refused = refused.or(Some(failure)),
        }
    }
    Err(refused.unwrap_or_else(|| bad("format", "the file has no audio track")))
}

impl Movie {
    /// Looks at the boxes between two places.
    fn walk(&mut self, window: &mut Window<'_>, from: u64, to: u64, depth: usize) -> Result<(), Failure> {
        let mut at = from;
        while at + 8 <= to && self.boxes < BOXES {
            let Some(atom) = next(window, at, to)? else { break };
            self.boxes += 1;
            self.look(window, atom, depth)?;
            // The rest of a file is sound, or fragments of it.
            if depth == 0 && &atom.name == b"moov" {
                break;
            }
            at = atom.to;
        }
        Ok(())
    }

    fn look(&mut self, window: &mut Window<'_>, atom: Atom, depth: usize) -> Result<(), Failure> {
        let Atom { from, to, .. } = atom;
        match &atom.name {
            b"trak" => self.tracks.push(Audio::default()),
            b"moov" | b"mdia" | b"minf" | b"stbl" | b"edts" | b"udta" | b"ilst" => {}
            b"mvex" => self.fragmented = true,
            b"----" => {
                self.smpb = self.smpb.or(smpb(&content(window, atom)?));
                return Ok(());
            }
            b"meta" => {
                // In QuickTime it has no version before its boxes.
                let bare = &window.exact::<8>(from)?[4..] == b"hdlr";
                return if depth < DEPTH {
                    self.walk(window, if bare { from } else { from + 4 }, to, depth + 1)
                } else {
                    Ok(())
                };
            }
            b"mvhd" => {
                let head = content(window, atom)?;
                (self.scale, self.duration) = times(&head, 12, 20);
                return Ok(());
            }
            name => {
                let name = *name;
                return match self.tracks.last_mut() {
                    Some(track) => track.look(window, atom, name),
                    None => Ok(()),
                };
            }
        }
        if depth < DEPTH { self.walk(window, from, to, depth + 1) } else { Ok(()) }
    }

    /// The track with what is left out of it.
    fn track(&self, audio: &Audio) -> Track {
        let first = audio.edits.iter().find(|(_, start)| *start >= 0);
        let start = first.map_or(0, |(_, start)| start.unsigned_abs());
        let mut trim = Trim::default();
        match (start, self.smpb) {
            (0, Some([delay, _, length])) if delay > 0 => {
                trim.start = Span::frames(delay);
                trim.keep = Some(Span::frames(length)).filter(|length| length.ticks > 0);
            }
            _ => {
                trim.start = Span { ticks: start, scale: audio.scale };
                trim.keep = self.kept(audio, start);
            }
        }
        let seconds = if audio.duration > 0 && audio.scale > 0 {
            Some(audio.duration as f64 / audio.scale as f64)
        } else {
            (self.scale > 0 && self.duration > 0).then(|| self.duration as f64 / self.scale as f64)
        };
        let bit_rate = audio.descriptors.bit_rate.filter(|rate| *rate > 0).map(u64::from);
        let codec = audio.alac.clone().filter(|_| &audio.entry == b"alac");
        let codec = codec.map(|description| (CODEC_ID_ALAC, description));
        Track { container: "mp4", id: Some(audio.id), trim, seconds, codec, bit_rate, ..Track::default() }
    }

    /// How long an edit lasts.
    fn kept(&self, audio: &Audio, start: u64) -> Option<Span> {
        let mut edits = audio.edits.iter().filter(|(_, start)| *start >= 0);
        let (Some((length, _)), None) = (edits.next(), edits.next()) else { return None };
        if *length == 0 || self.scale == 0 || audio.scale == 0 {
            return None;
        }
        // The movie's scale is often coarse: where it says the same as the track's, that one is exact.
        let rest = audio.duration.saturating_sub(start);
        let tick = audio.scale.div_ceil(self.scale);
        let scale = u32::try_from(audio.scale).unwrap_or(u32::MAX);
        let said = Span { ticks: *length, scale: self.scale }.at(scale);
        if said.abs_diff(rest) <= tick || said > rest {
            return (!self.fragmented).then_some(Span { ticks: rest, scale: audio.scale });
        }
        Some(Span { ticks: said, scale: audio.scale })
    }
}

/// The box at a place; none where there is none.
fn next(window: &mut Window<'_>, at: u64, end: u64) -> Result<Option<Atom>, Failure> {
    let head = window.at_most(at, 16)?.to_vec();
    let (Some(length), Some(name)) = (be32(&head, 0), bytes_at::<4>(&head, 4)) else { return Ok(None) };
    let (from, to) = match length {
        0 => (at + 8, Some(end)),
        1 => (at + 16, be64(&head, 8).and_then(|length| at.checked_add(length))),
        length => (at + 8, at.checked_add(u64::from(length))),
    };
    // What reaches beyond the file is read as far as it goes.
    Ok(to.filter(|to| *to >= from).map(|to| Atom { name, from, to: to.min(end.max(from)) }))
}

/// The content of a box, not more than a description needs.
fn content(window: &mut Window<'_>, atom: Atom) -> Result<Vec<u8>, Failure> {
    let count = usize::try_from((atom.to - atom.from).min(CONTENT)).unwrap_or(0);
    Ok(window.at_most(atom.from, count)?.to_vec())
}

/// Scale and duration out of a header with times of 4 or of 8 bytes.
fn times(head: &[u8], short: usize, long: usize) -> (u64, u64) {
    let at = if head.first() == Some(&1) { long } else { short };
    let scale = be32(head, at).map_or(0, u64::from);
    let duration = if head.first() == Some(&1) {
        be64(head, at + 4).filter(|duration| *duration != u64::MAX)
    } else {
        be32(head, at + 4).filter(|duration| *duration != u32::MAX).map(u64::from)
    };
    (scale, duration.unwrap_or(0))
}

/// What iTunes says of delay, padding and length, in hexadecimal.
fn smpb(content: &[u8]) -> Option<[u64; 3]> {
    let place = content.windows(8).position(|name| name == b"iTunSMPB")?;
    // The value's box comes behind that of the name: length, `data`, type and language, text.
    let rest = content.get(place + 8..)?;
    let value = rest.get(16..).filter(|_| rest.get(4..8) == Some(b"data"))?;
    let text = std::str::from_utf8(value.get(..value.len().min(128))?).ok()?;
    let mut numbers = text.split_ascii_whitespace().map(|word| u64::from_str_radix(word, 16));
    let mut number = || numbers.next()?.ok();
    number()?;
    Some([number()?, number()?, number()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn itunes_tells_delay_padding_and_length() {
        let mut tag = b"\0\0\0\x14name\0\0\0\0iTunSMPB\0\0\0\x9cdata\0\0\0\x01\0\0\0\0".to_vec();
        tag.extend(b" 00000000 00000840 000001CA 00000000003F31F6 00000000");
        assert_eq!(smpb(&tag), Some([0x840, 0x1ca, 0x3f_31f6]));
        assert_eq!(smpb(b"iTunSMPB\0\0\0\x9cdata"), None);
    }

    #[test]
    fn an_edit_is_as_exact_as_the_track_where_both_agree() {
        let audio = Audio { scale: 44_100, duration: 45_124, edits: vec![(1000, 1024)], ..Audio::default() };
        let movie = Movie { scale: 1000, ..Movie::default() };
        assert_eq!(movie.kept(&audio, 1024), Some(Span { ticks: 44_100, scale: 44_100 }));
        let shorter = Audio { edits: vec![(500, 1024)], ..audio };
        assert_eq!(movie.kept(&shorter, 1024), Some(Span { ticks: 22_050, scale: 44_100 }));
    }
}
