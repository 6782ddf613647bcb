//! MP4, M4A and QuickTime: which track is decoded, its codec's name, and what its edit list and
//! iTunes' own tag leave out.

use symphonia::core::io::MediaSource;

use super::window::Window;
use super::{Found, Span, Track, Trim, be16, be32, be64, bytes_at};
use crate::decode::codec::aac;
use crate::decode::coded;
use crate::decode::pcm::{Pcm, Sample};
use crate::decode::failure::{Failure, bad, not_here};

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

/// An audio track.
#[derive(Debug, Default, Clone)]
struct Audio {
    id: u32,
    scale: u64,
    duration: u64,
    sound: bool,
    /// Edits: their length on the movie's scale, and where they begin on the track's.
    edits: Vec<(u64, i64)>,
    entry: [u8; 4],
    /// The entry that an encrypted one stands for.
    original: Option<[u8; 4]>,
    descriptors: Descriptors,
    entries: u32,
    raw: Raw,
    /// Where the tables of chunks are: samples a chunk, and places of four or of eight bytes.
    chunks: Option<Atom>,
    places: Option<(Atom, usize)>,
    /// Number of samples.
    samples: u64,
}

/// What a description says of samples that are stored as they are.
#[derive(Debug, Default, Clone)]
struct Raw {
    version: u16,
    channels: u32,
    bits: u32,
    rate: f64,
    /// Of version 2: 1 float, 2 the most significant byte first, 4 signed.
    flags: u32,
    /// Said to have the least significant byte first.
    little: bool,
}

/// What the descriptors of MPEG-4 systems say.
#[derive(Debug, Default, Clone)]
pub(in crate::decode) struct Descriptors {
    /// Which codec.
    pub(in crate::decode) object: Option<u8>,
    pub(in crate::decode) bit_rate: Option<u32>,
    /// The codec's own description.
    pub(in crate::decode) config: Option<Vec<u8>>,
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
            Ok(()) => return Ok(Found::Track(movie.track(track))),
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
        Track { container: "mp4", id: Some(audio.id), trim, seconds, bit_rate }
    }

    /// Where the samples of a track are that are stored as they are.
    fn pieces(&self, window: &mut Window<'_>, audio: &Audio) -> Result<Found, Failure> {
        let (sample, big) = audio.sample()?;
        let channels = u16::try_from(audio.raw.channels).unwrap_or(u16::MAX);
        let frame = sample.width() as u64 * u64::from(channels);
        let mut pieces: Vec<(u64, u64)> = Vec::new();
        let mut left = audio.samples;
        audio.each_chunk(window, |place, samples| {
            let samples = samples.min(left);
            left -= samples;
            let size = samples.saturating_mul(frame);
            match pieces.last_mut() {
                Some((from, length)) if from.saturating_add(*length) == place => *length += size,
                _ => pieces.push((place, size)),
            }
            left > 0
        })?;
        let trim = self.track(audio).trim;
        let rate = audio.raw.rate.round() as u32;
        let from = trim.start.at(rate).saturating_mul(frame);
        let all = audio.samples.saturating_mul(frame);
        let kept = trim.keep.map_or(all, |keep| from.saturating_add(keep.at(rate).saturating_mul(frame)));
        let pcm = Pcm {
            container: "mp4",
            sample,
            stride: sample.width(),
            big,
            channels,
            rate,
            bits: 8 * sample.width() as u32,
            from,
            to: Some(kept.min(all)),
            tags: Vec::new(),
        };
        Ok(Found::Pieces(pcm, pieces))
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

impl Audio {
    fn look(&mut self, window: &mut Window<'_>, atom: Atom, name: [u8; 4]) -> Result<(), Failure> {
        match &name {
            b"tkhd" => {
                let head = content(window, atom)?;
                let at = if head.first() == Some(&1) { 20 } else { 12 };
                self.id = be32(&head, at).unwrap_or(0);
            }
            b"mdhd" => (self.scale, self.duration) = times(&content(window, atom)?, 12, 20),
            b"hdlr" => self.sound |= content(window, atom)?.get(8..12) == Some(b"soun"),
            b"elst" => self.edits = edits(&content(window, atom)?),
            b"stsd" => self.describe(&content(window, atom)?),
            b"stsz" => self.samples = be32(&content(window, atom)?, 8).map_or(0, u64::from),
            b"stsc" => self.chunks = Some(atom),
            b"stco" => self.places = Some((atom, 4)),
            b"co64" => self.places = Some((atom, 8)),
            _ => {}
        }
        Ok(())
    }

    /// Reads the description of the samples.
    fn describe(&mut self, content: &[u8]) {
        self.entries = be32(content, 4).unwrap_or(0);
        let Some(entry) = content.get(8..) else { return };
        let length = be32(entry, 0).map_or(0, |length| length as usize).min(entry.len());
        self.entry = bytes_at(entry, 4).unwrap_or_default();
        self.raw = Raw {
            version: be16(entry, 16).unwrap_or(0),
            channels: be16(entry, 24).map_or(0, u32::from),
            bits: be16(entry, 26).map_or(0, u32::from),
            rate: be32(entry, 32).map_or(0.0, |rate| f64::from(rate) / 65_536.0),
            ..Raw::default()
        };
        let head = match self.raw.version {
            1 => 52,
            2 => {
                self.raw.rate = bytes_at(entry, 40).map_or(0.0, f64::from_be_bytes);
                self.raw.channels = be32(entry, 48).unwrap_or(0);
                self.raw.bits = be32(entry, 56).unwrap_or(0);
                self.raw.flags = be32(entry, 60).unwrap_or(0);
                72
            }
            _ => 36,
        };
        if let Some(inner) = entry.get(head..length) {
            self.inside(inner, 0);
        }
    }

    /// Reads the boxes inside of a description.
    fn inside(&mut self, mut rest: &[u8], depth: usize) {
        while let (Some(length), Some(name)) = (be32(rest, 0), bytes_at::<4>(rest, 4)) {
            let length = length as usize;
            let Some(content) = rest.get(8..length) else { break };
            match &name {
                b"esds" => self.descriptors = descriptors(content.get(4..).unwrap_or_default()),
                b"enda" => self.raw.little = content.get(1) == Some(&1),
                b"pcmC" => {
                    self.raw.little = content.get(4).is_some_and(|flags| flags & 1 == 1);
                    self.raw.bits = content.get(5).map_or(0, |bits| u32::from(*bits));
                }
                b"frma" => self.original = bytes_at(content, 0),
                b"wave" | b"sinf" if depth < 2 => self.inside(content, depth + 1),
                _ => {}
            }
            rest = &rest[length..];
        }
    }

    /// Whether samples are stored as they are.
    fn is_raw(&self) -> bool {
        matches!(
            &self.entry,
            b"lpcm" | b"sowt" | b"twos" | b"in24" | b"in32" | b"fl32" | b"fl64" | b"alaw" | b"ulaw" | b"raw "
                | b"ipcm" | b"fpcm"
        )
    }

    /// How they are stored, and whether the most significant byte comes first.
    fn sample(&self) -> Result<(Sample, bool), Failure> {
        let raw = &self.raw;
        let signed = |bits| Sample::integer(bits, true);
        let (sample, big) = match &self.entry {
            b"sowt" => (signed(raw.bits), false),
            b"twos" => (signed(raw.bits), true),
            b"in24" => (Some(Sample::I24), !raw.little),
            b"in32" => (Some(Sample::I32), !raw.little),
            b"fl32" => (Some(Sample::F32), !raw.little),
            b"fl64" => (Some(Sample::F64), !raw.little),
            b"alaw" => (Some(Sample::ALaw), true),
            b"ulaw" => (Some(Sample::MuLaw), true),
            b"ipcm" => (signed(raw.bits), !raw.little),
            b"fpcm" => (Sample::float(raw.bits), !raw.little),
            b"lpcm" if raw.version == 2 => {
                let sample = match raw.flags {
                    flags if flags & 1 != 0 => Sample::float(raw.bits),
                    flags => Sample::integer(raw.bits, flags & 4 != 0),
                };
                (sample, raw.flags & 2 != 0)
            }
            // 8 bits are without a sign, 16 have one.
            _ => (Sample::integer(raw.bits, false), true),
        };
        let sample = sample.ok_or_else(|| bad("format", format!("the header says {} bits a sample", raw.bits)))?;
        coded::check(raw.rate.round() as u32, raw.channels as usize)?;
        Ok((sample, big))
    }

    /// Calls `take` with the place and the number of samples of each chunk, until it says that it is enough.
    fn each_chunk(
        &self,
        window: &mut Window<'_>,
        mut take: impl FnMut(u64, u64) -> bool,
    ) -> Result<(), Failure> {
        let (Some(chunks), Some((places, width))) = (self.chunks, self.places) else {
            return Err(bad("format", "the MP4 track has no table of chunks"));
        };
        // Each entry holds for chunks from the one it names on; they are counted from 1.
        let runs = u64::from(u32::from_be_bytes(window.exact(chunks.from + 4)?));
        let (mut run, mut samples, mut next) = (0, 0, 1);
        for chunk in 1..=u64::from(u32::from_be_bytes(window.exact(places.from + 4)?)) {
            while run < runs && chunk >= next {
                let at = chunks.from + 8 + 12 * run;
                samples = u64::from(u32::from_be_bytes(window.exact(at + 4)?));
                run += 1;
                if run < runs {
                    next = u64::from(u32::from_be_bytes(window.exact(at + 12)?));
                }
            }
            let at = places.from + 8 + width as u64 * (chunk - 1);
            let place = match width {
                4 => u64::from(u32::from_be_bytes(window.exact(at)?)),
                _ => u64::from_be_bytes(window.exact(at)?),
            };
            if !take(place, samples) {
                break;
            }
        }
        Ok(())
    }

    /// Whether the track can be decoded.
    fn check(&self) -> Result<(), Failure> {
        if self.entries > 1 {
            return Err(not_here("an MP4 track with several descriptions"));
        }
        match &self.entry {
            b"mp4a" => self.check_mpeg(),
            b"alac" | b"fLaC" | b"Opus" | b".mp3" | b"ms\0\x55" => Ok(()),
            _ if self.is_raw() => Ok(()),
            other => Err(not_here(&name(other, self.original))),
        }
    }

    /// `mp4a` stands for many codecs.
    fn check_mpeg(&self) -> Result<(), Failure> {
        match self.descriptors.object {
            None | Some(0x40 | 0x66..=0x68) => {
                self.descriptors.config.as_deref().map_or(Ok(()), aac::check)
            }
            Some(0x69 | 0x6b) => Ok(()),
            Some(0xa5) => Err(not_here("AC-3")),
            Some(0xa6) => Err(not_here("E-AC-3")),
            Some(0xa9..=0xac) => Err(not_here("DTS")),
            Some(0xdd) => Err(not_here("Vorbis in MP4")),
            Some(0xe1) => Err(not_here("QCELP")),
            Some(0xa3) => Err(not_here("SMV")),
            Some(other) => Err(not_here(&format!("the MPEG-4 object type {other:#04x}"))),
        }
    }
}

/// The name of a sample entry that is not decoded.
fn name(entry: &[u8; 4], original: Option<[u8; 4]>) -> String {
    match entry {
        b"drms" => "DRM-protected AAC (FairPlay)",
        b"enca" => {
            let inner = original.map(|name| String::from_utf8_lossy(&name).trim().to_owned());
            return format!("encrypted audio ({})", inner.unwrap_or_else(|| "Common Encryption".into()));
        }
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"ac-4" => "AC-4",
        b"dtsc" | b"dtse" | b"dtsh" | b"dtsl" | b"dtsx" => "DTS",
        b"samr" => "AMR",
        b"sawb" | b"sawp" => "AMR-WB",
        b"mlpa" => "TrueHD",
        b"mha1" | b"mha2" | b"mhm1" | b"mhm2" => "MPEG-H audio",
        b"ima4" | b"ms\0\x11" | b"ms\0\x02" | b"dvi " => "ADPCM in MP4",
        b"MAC3" | b"MAC6" => "MACE",
        b"QDM2" | b"QDMC" => "QDesign",
        b"Qclp" | b"sqcp" => "QCELP",
        b"sevc" => "EVRC",
        b"agsm" => "GSM 6.10",
        b"wma " => "WMA",
        b"spex" => "Speex",
        b"iamf" => "IAMF",
        b"vdva" | b"dvca" => "DV audio",
        other => {
            let name: String = other.iter().map(|byte| char::from(*byte)).collect();
            return format!("the codec `{}` of MP4", name.escape_default());
        }
    }
    .to_owned()
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

fn edits(content: &[u8]) -> Vec<(u64, i64)> {
    let count = be32(content, 4).unwrap_or(0) as usize;
    let long = content.first() == Some(&1);
    let size = if long { 20 } else { 12 };
    let entries = content.get(8..).unwrap_or_default().chunks_exact(size).take(count);
    let entry = |entry: &[u8]| {
        if long {
            Some((be64(entry, 0)?, be64(entry, 8)? as i64))
        } else {
            Some((u64::from(be32(entry, 0)?), i64::from(be32(entry, 4)? as i32)))
        }
    };
    entries.filter_map(entry).collect()
}

/// Descriptors: a tag, a length of seven bits a byte, the content.
pub(in crate::decode) fn descriptors(content: &[u8]) -> Descriptors {
    let mut found = Descriptors::default();
    describe(content, &mut found, 0);
    found
}

fn describe(mut rest: &[u8], found: &mut Descriptors, depth: usize) {
    while let Some((&tag, more)) = rest.split_first() {
        let (mut length, mut used) = (0usize, 0);
        for byte in more.iter().take(4) {
            length = length << 7 | usize::from(byte & 0x7f);
            used += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let content = more.get(used..).unwrap_or_default();
        let content = &content[..length.min(content.len())];
        match tag {
            // The stream: a number, flags, and what these announce.
            3 if depth == 0 => {
                let flags = content.get(2).copied().unwrap_or(0);
                let mut skip = 3 + if flags & 0x80 != 0 { 2 } else { 0 };
                if flags & 0x40 != 0 {
                    skip += 1 + content.get(skip).map_or(0, |length| usize::from(*length));
                }
                skip += if flags & 0x20 != 0 { 2 } else { 0 };
                describe(content.get(skip..).unwrap_or_default(), found, 1);
            }
            4 if depth <= 1 => {
                found.object = content.first().copied();
                found.bit_rate = be32(content, 9);
                describe(content.get(13..).unwrap_or_default(), found, 2);
            }
            5 => found.config = Some(content.to_vec()),
            _ => {}
        }
        rest = more.get(used + content.len()..).unwrap_or_default();
    }
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
    fn descriptors_lead_to_the_codec() {
        let bytes = [
            3, 0x80, 0x80, 0x80, 0x19, 0, 1, 0, 4, 0x11, 0x40, 0x15, 0, 0, 0, 0, 1, 0xf4, 0, 0, 1, 0xf4, 0, 5,
            2, 0x12, 0x10, 6, 1, 2,
        ];
        let found = descriptors(&bytes);
        assert_eq!((found.object, found.bit_rate), (Some(0x40), Some(128_000)));
        assert_eq!(found.config.as_deref(), Some(&[0x12, 0x10][..]));
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
