//! What kind of file it is, and what its headers say that symphonia does not.

mod aiff;
mod caf;
mod cut;
mod flac;
mod magic;
mod mkv;
mod mp4;
mod ogg;
mod riff;
mod window;

use std::io::{self, Read, SeekFrom};

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::io::MediaSource;

use super::failure::{Failure, not_here, reading};
use super::pcm::Pcm;

pub(super) use cut::Cut;
pub(super) use flac::{Frames, Tail, place as flac_place, plain as plain_flac};
pub(super) use mkv::skip as skip_matroska;

/// What the headers of a file say.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    /// Samples that are stored as they are.
    Pcm(Pcm),
    /// The same, in pieces with their places and lengths; the samples' place is that in the pieces.
    Pieces(Pcm, Vec<(u64, u64)>),
    /// A file within the file.
    Inside { from: u64, to: Option<u64> },
    /// A container whose tracks are chosen and trimmed here and demuxed by symphonia.
    Track(Track),
    /// A container that symphonia knows better.
    Other(&'static str),
}

/// The track of a container that is decoded.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Track {
    pub(super) container: &'static str,
    /// symphonia's number of it; none when there is one track only.
    pub(super) id: Option<u32>,
    pub(super) trim: Trim,
    /// What is known of the length before trimming, in seconds.
    pub(super) seconds: Option<f64>,
    /// The codec and its description, where symphonia does not find them.
    pub(super) codec: Option<(AudioCodecId, Box<[u8]>)>,
    /// For Opus in containers that do not hold its own header as it is.
    pub(super) bit_rate: Option<u64>,
    /// Whether the file ends before the file within it does.
    pub(super) short: bool,
    /// What is read of a file that ends too early.
    pub(super) cut: Option<Cut>,
}

/// What is left out of what the codec gives.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Trim {
    /// Encoder delay at the begin.
    pub(super) start: Span,
    /// The length that is kept.
    pub(super) keep: Option<Span>,
    /// Padding at the end of the last packet.
    pub(super) end: Span,
}

/// A time as a file tells it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Span {
    pub(super) ticks: u64,
    /// Ticks a second; 0 when a tick is a frame.
    pub(super) scale: u64,
}

impl Span {
    pub(super) fn frames(ticks: u64) -> Self {
        Self { ticks, scale: 0 }
    }

    /// The nearest number of frames.
    pub(super) fn at(self, rate: u32) -> u64 {
        if self.scale == 0 {
            return self.ticks;
        }
        let exact = u128::from(self.ticks) * u128::from(rate);
        let rounded = (exact + u128::from(self.scale / 2)) / u128::from(self.scale);
        u64::try_from(rounded).unwrap_or(u64::MAX)
    }
}

/// How far audio is looked for behind what is none.
const JUNK: usize = 1 << 20;

/// Looks at the begin of a file. The source is left anywhere.
pub(super) fn find(source: &mut dyn MediaSource) -> Result<Found, Failure> {
    let begin = behind_tags(source)?;
    let head = at_most(source, begin, magic::LENGTH)?;
    match magic::kind(&head) {
        magic::Kind::Riff => riff::find(source, begin),
        magic::Kind::Aiff => aiff::find(source, begin),
        magic::Kind::Au => aiff::au(source, begin),
        magic::Kind::Caf => caf::find(source, begin),
        // Places in these count from their begin.
        magic::Kind::Mp4 | magic::Kind::Mkv if begin > 0 => Ok(Found::Inside { from: begin, to: None }),
        magic::Kind::Mp4 => mp4::find(source),
        magic::Kind::Mkv => mkv::find(source),
        magic::Kind::Ogg => ogg::find(source, begin),
        magic::Kind::Flac => Ok(Found::Other("flac")),
        magic::Kind::NotHere(codec) => Err(not_here(codec)),
        magic::Kind::NotAudio(what) => {
            Err(super::failure::bad("format", format!("this is {what}, not audio")))
        }
        magic::Kind::Unknown => {
            let head = at_most(source, begin, JUNK)?;
            Ok(match magic::behind_junk(&head) {
                Some(at) => Found::Inside { from: begin + at as u64, to: None },
                None => Found::Other(""),
            })
        }
    }
}

/// The place behind ID3v2 tags, of which there may be several.
pub(super) fn behind_tags(source: &mut dyn MediaSource) -> Result<u64, Failure> {
    let mut begin = 0;
    for _ in 0..8 {
        let head = at_most(source, begin, 10)?;
        // The length comes in four groups of seven bits; a footer is as long as the header.
        let Some([b'I', b'D', b'3', _, _, flags, size @ ..]) = bytes_at::<10>(&head, 0) else { break };
        if size.iter().any(|byte| byte & 0x80 != 0) {
            break;
        }
        let size = size.iter().fold(0, |size, byte| size << 7 | u64::from(*byte));
        begin += 10 + size + if flags & 0x10 != 0 { 10 } else { 0 };
    }
    Ok(begin)
}

/// The place where the tags at the end of a file begin: ID3v1, and APE before it.
pub(super) fn behind_music(source: &mut dyn MediaSource) -> Result<u64, Failure> {
    let mut end = source.byte_len().unwrap_or(u64::MAX);
    let tag = |source: &mut dyn MediaSource, end: u64, length: u64| match end.checked_sub(length) {
        Some(at) => at_most(source, at, 32),
        None => Ok(Vec::new()),
    };
    if tag(source, end, 128)?.starts_with(b"TAG") {
        end -= 128;
    }
    // The length of an APE tag is without its header.
    let footer = tag(source, end, 32)?;
    if footer.starts_with(b"APETAGEX")
        && let (Some(size), Some(flags)) = (bytes_at(&footer, 12), bytes_at(&footer, 20))
    {
        let header = if u32::from_le_bytes(flags) >> 31 == 1 { 32 } else { 0 };
        end = end.saturating_sub(u64::from(u32::from_le_bytes(size)) + header);
    }
    Ok(end)
}

/// The bytes at a place, fewer at the end of the file.
pub(super) fn at_most(source: &mut dyn MediaSource, at: u64, count: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read: io::Result<usize> = source.seek(SeekFrom::Start(at)).and_then(|_| {
        // Grows with what is there, not with what was asked for.
        source.take(count as u64).read_to_end(&mut bytes)
    });
    read.map(|_| bytes).map_err(|error| reading(&error))
}

/// A fixed number of bytes out of a slice.
pub(super) fn bytes_at<const COUNT: usize>(bytes: &[u8], at: usize) -> Option<[u8; COUNT]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes_at(bytes, at).map(u16::from_be_bytes)
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes_at(bytes, at).map(u32::from_be_bytes)
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes_at(bytes, at).map(u64::from_be_bytes)
}
