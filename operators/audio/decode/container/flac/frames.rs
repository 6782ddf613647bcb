//! The frames of a FLAC file, one behind the other.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::errors::{Result, SeekErrorKind, seek_error};
use symphonia::core::formats::well_known::FORMAT_ID_FLAC;
use symphonia::core::formats::{FormatInfo, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::{Metadata, MetadataLog};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::{FRAME, is_frame, place};
use crate::decode::codec::flac::frame::Frame;
use crate::decode::source::Shared;
use crate::flac::crc::crc16_on;

const INFO: FormatInfo =
    FormatInfo { format: FORMAT_ID_FLAC, short_name: "flac", long_name: "Free Lossless Audio Codec" };

/// Bytes that are read at a time.
const READ: usize = 64 << 10;

/// The longest head of a frame in bytes.
const HEAD: usize = 16;

/// Within a frame nothing looks like the head of one so many times: it has no end.
const HEADS: usize = 16;

/// Reads a file whose blocks of metadata symphonia has read. A frame is passed over that does not end with its
/// checksum right before the head of another or the end of the file, and so is what stands between frames.
pub(in crate::decode) struct Frames {
    source: Shared,
    tracks: Vec<Track>,
    info: MediaInfo,
    metadata: MetadataLog,
    /// The length of the longest block, and of all but the last where they have one.
    block: u64,
    channels: Option<usize>,
    /// Where the first frame begins.
    first: u64,
    /// What was read: the bytes from `begin` on are to come, those from `end` on are none.
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
    /// Where in the file `bytes` begins.
    place: u64,
}

/// A frame that begins where the bytes to come do.
struct Whole {
    size: usize,
    /// Its first sample, and the number of samples.
    place: u64,
    length: usize,
}

impl Whole {
    fn end(&self) -> u64 {
        self.place.saturating_add(self.length as u64)
    }
}

impl Frames {
    /// Goes on behind the head that `reader` has read of the same source.
    pub(in crate::decode) fn behind(mut reader: Box<dyn FormatReader>, source: Shared) -> Result<Self> {
        let (tracks, info) = (reader.tracks().to_vec(), *reader.media_info());
        let mut metadata = MetadataLog::default();
        {
            let mut read = reader.metadata();
            while let Some(revision) = read.pop() {
                metadata.push(revision);
            }
            read.current().cloned().into_iter().for_each(|revision| metadata.push(revision));
        }
        let parameters = tracks.first().and_then(|track| track.codec_params.as_ref()?.audio());
        let channels = parameters.and_then(|parameters| Some(parameters.channels.as_ref()?.count()));
        let longest =
            parameters.and_then(|parameters| parameters.extra_data.as_deref()?.get(2..4)?.first_chunk());
        let block = longest.map_or(0, |longest| u64::from(u16::from_be_bytes(*longest)));
        let first = reader.into_inner().stream_position()?;
        let mut frames = Self {
            source,
            tracks,
            info,
            metadata,
            block,
            channels,
            first,
            bytes: Vec::new(),
            begin: 0,
            end: 0,
            place: 0,
        };
        frames.go(first)?;
        Ok(frames)
    }

    /// Goes to a byte of the file.
    fn go(&mut self, place: u64) -> io::Result<()> {
        (self.begin, self.end) = (0, 0);
        self.place = self.source.seek(SeekFrom::Start(place))?;
        Ok(())
    }

    /// Reads so many bytes to come, or all that there are.
    fn read(&mut self, count: usize) -> io::Result<&[u8]> {
        if self.end - self.begin < count {
            if self.begin > 0 {
                self.bytes.copy_within(self.begin..self.end, 0);
                self.place += self.begin as u64;
                (self.begin, self.end) = (0, self.end - self.begin);
            }
            let wanted = count.max(READ);
            if self.bytes.len() < wanted {
                self.bytes.resize(wanted, 0);
            }
            while self.end < count {
                match self.source.read(&mut self.bytes[self.end..]) {
                    Ok(0) => break,
                    Ok(read) => self.end += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(&self.bytes[self.begin..self.end])
    }

    /// The next head of a frame from some byte to come on; or the number of bytes to come, where there is none
    /// before the end of the file or within the longest frame.
    fn head(&mut self, from: usize) -> io::Result<std::result::Result<usize, usize>> {
        let mut from = from;
        loop {
            let wanted = from + READ / 2;
            let bytes = self.read(wanted)?;
            let ended = bytes.len() < wanted;
            // Where a head may be cut off, it is looked for when more is there.
            let sure = if ended { bytes.len() } else { bytes.len() - HEAD };
            let mut at = from.min(sure);
            while let Some(next) = memchr::memchr(0xff, &bytes[at..sure]) {
                at += next;
                if is_frame(&bytes[at..]) {
                    return Ok(Ok(at));
                }
                at += 1;
            }
            if ended || sure > FRAME {
                return Ok(Err(sure));
            }
            from = sure;
        }
    }

    /// Whether a frame is one of this file, not of another behind it.
    fn fits(&self, frame: &Frame) -> bool {
        frame.length as u64 <= self.block && self.channels.is_none_or(|channels| channels == frame.channels)
    }

    /// Goes to the next frame that is whole; none where it would begin at the byte `end` of the file or behind it.
    fn find(&mut self, end: u64) -> io::Result<Option<Whole>> {
        while self.place + (self.begin as u64) < end {
            match self.head(0)? {
                Ok(0) => {}
                Ok(head) => {
                    self.begin += head;
                    continue;
                }
                Err(0) => return Ok(None),
                Err(passed) => {
                    self.begin += passed;
                    continue;
                }
            }
            let (mut checksum, mut summed, mut after) = (0, 0, None);
            for _ in 0..HEADS {
                let (end, last) = match self.head(summed + 1)? {
                    Ok(end) => (end, false),
                    Err(end) => (end, true),
                };
                let bytes = &self.bytes[self.begin..self.begin + end];
                checksum = crc16_on(checksum, &bytes[summed..]);
                if checksum == 0
                    && let (Some((frame, _)), Some(place)) = (Frame::read(bytes), place(bytes, self.block))
                    && self.fits(&frame)
                {
                    return Ok(Some(Whole { size: end, place, length: frame.length }));
                }
                (summed, after) = (end, after.or(Some(end)));
                if last {
                    break;
                }
            }
            // It has no end: perhaps the next has.
            self.begin += after.unwrap_or(1);
        }
        Ok(None)
    }

    /// Goes to the frame that holds a sample, or the first behind it.
    fn search(&mut self, sample: u64) -> io::Result<Option<Whole>> {
        let (mut low, mut high) = (self.first, self.source.byte_len().unwrap_or(0));
        while high.saturating_sub(low) > READ as u64 {
            let middle = low + (high - low) / 2;
            self.go(middle)?;
            match self.find(high)? {
                Some(frame) if frame.place <= sample => {
                    low = self.place + self.begin as u64;
                    if sample < frame.end() {
                        break;
                    }
                }
                _ => high = middle,
            }
        }
        self.go(low)?;
        loop {
            match self.find(u64::MAX)? {
                Some(frame) if frame.end() <= sample => self.begin += frame.size,
                found => return Ok(found),
            }
        }
    }
}

impl FormatReader for Frames {
    fn format_info(&self) -> &FormatInfo {
        &INFO
    }

    fn media_info(&self) -> &MediaInfo {
        &self.info
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.metadata.metadata()
    }

    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn next_packet(&mut self) -> Result<Option<Packet>> {
        let Some(frame) = self.find(u64::MAX)? else { return Ok(None) };
        let bytes = &self.bytes[self.begin..self.begin + frame.size];
        self.begin += frame.size;
        let place = Timestamp::new(i64::try_from(frame.place).unwrap_or(i64::MAX));
        Ok(Some(Packet::new(0, place, Duration::from(frame.length as u64), bytes)))
    }

    fn seek(&mut self, _: SeekMode, to: SeekTo) -> Result<SeekedTo> {
        let SeekTo::Timestamp { ts, track_id } = to else { return seek_error(SeekErrorKind::Unseekable) };
        let sought = u64::try_from(ts.get()).ok().map(|sample| self.search(sample)).transpose()?.flatten();
        let Some(frame) = sought else { return seek_error(SeekErrorKind::OutOfRange) };
        let actual_ts = Timestamp::new(i64::try_from(frame.place).unwrap_or(i64::MAX));
        Ok(SeekedTo { track_id, actual_ts, required_ts: ts })
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        MediaSourceStream::new(Box::new(self.source), Default::default())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use symphonia::core::formats::FormatOptions;
    use symphonia::core::formats::probe::Hint;
    use symphonia::core::meta::MetadataOptions;

    use super::*;
    use crate::decode::{Channels, Stream};
    use crate::flac::Encoder;

    /// Noise at full scale, which is stored as it is; a block has 4096 samples.
    fn noise(length: u32) -> Vec<i16> {
        let mixed = |at: u32| {
            let at = (at ^ 0x9e37_79b9).wrapping_mul(0x85eb_ca6b);
            (at ^ at >> 13).wrapping_mul(0xc2b2_ae35)
        };
        (0..length).map(|at| (mixed(at) >> 16) as i16).collect()
    }

    fn file(samples: &[i16]) -> Vec<u8> {
        Encoder::new().encode::<i16, _>(&[samples], 44_100, 16).unwrap().to_vec()
    }

    fn open(bytes: &[u8]) -> Frames {
        let source = Shared::new(Box::new(Cursor::new(bytes.to_vec())));
        let stream = MediaSourceStream::new(Box::new(source.clone()), Default::default());
        let reader = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
            .unwrap();
        Frames::behind(reader, source).unwrap()
    }

    /// The place and the size of each frame.
    fn all(bytes: &[u8]) -> Vec<(i64, usize)> {
        let mut frames = open(bytes);
        std::iter::from_fn(|| frames.next_packet().unwrap())
            .map(|packet| (packet.pts.get(), packet.data.len()))
            .collect()
    }

    /// Where the frame with a number begins.
    fn begin(bytes: &[u8], frames: &[(i64, usize)], number: usize) -> usize {
        bytes.len() - frames[number..].iter().map(|(_, size)| size).sum::<usize>()
    }

    #[test]
    fn frames_follow_each_other() {
        let bytes = file(&noise(100_000));
        let frames = all(&bytes);
        let places: Vec<i64> = frames.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, (0..25).map(|number| number * 4096).collect::<Vec<_>>());
        assert!(is_frame(&bytes[begin(&bytes, &frames, 0)..]));
    }

    #[test]
    fn what_looks_like_the_head_of_a_frame_within_one_is_none() {
        let mut samples = noise(40_000);
        // 4096 samples at 44.1 kHz, one channel, 16 bits, number 0: the head has six bytes.
        for (sample, head) in samples[20_000..].iter_mut().zip([0xfff8u16, 0xc908, 0x0000]) {
            *sample = head as i16;
        }
        let checksum = crate::flac::crc::crc8(&[0xff, 0xf8, 0xc9, 0x08, 0x00]);
        samples[20_002] = i16::from(checksum);
        let bytes = file(&samples);
        let heads = (0..bytes.len()).filter(|at| is_frame(&bytes[*at..])).count();
        assert_eq!(heads, 11, "the frames' and another");
        assert_eq!(all(&bytes).len(), 10);
    }

    #[test]
    fn what_is_not_whole_is_passed_over() {
        let whole = file(&noise(100_000));
        let frames = all(&whole);
        let without = |number: usize| {
            let mut left = frames.clone();
            left.remove(number);
            left
        };
        for number in [0, 7, 23] {
            let at = begin(&whole, &frames, number);
            let mut damaged = whole.clone();
            damaged[at + 3000] ^= 0x10;
            assert_eq!(all(&damaged), without(number), "a bit of {number}");
            let mut cut = whole.clone();
            cut.drain(at + 100..at + 5000);
            assert_eq!(all(&cut), without(number), "a part of {number} is missing");
            let mut junk = whole.clone();
            junk.splice(at..at, [0xff; 300_000]);
            let before = if number == 0 { frames.clone() } else { without(number - 1) };
            assert_eq!(all(&junk), before, "junk before {number}");
        }
    }

    fn decode(bytes: Vec<u8>) -> Vec<i16> {
        let mut stream = Stream::of(Box::new(Cursor::new(bytes)), None, Channels::Keep).unwrap();
        let mut found = Vec::new();
        while let Some(planes) = stream.packet().unwrap() {
            found.extend(planes[0].iter().map(|sample| (sample * 32_768.0) as i16));
        }
        found
    }

    #[test]
    fn blocks_of_one_length_need_not_be_told() {
        let samples = noise(30_000);
        let mut bytes = file(&samples);
        // The shortest and the longest.
        bytes[8..12].copy_from_slice(&[0, 16, 0xff, 0xff]);
        assert_eq!(decode(bytes), samples);
    }

    #[test]
    fn another_file_behind_is_none_of_it() {
        let samples = noise(30_000);
        let other = Encoder::new().encode::<i16, _>(&[&samples[..], &samples], 44_100, 16).unwrap().to_vec();
        assert_eq!(decode([file(&samples), other].concat()), samples);
    }

    #[test]
    fn a_long_stretch_of_heads_ends() {
        let whole = file(&noise(20_000));
        let frames = all(&whole);
        let head = whole[begin(&whole, &frames, 1)..][..6].to_vec();
        let mut bytes = whole.clone();
        bytes.extend(head.repeat(100_000));
        assert_eq!(all(&bytes), frames);
    }

    #[test]
    fn the_frame_that_holds_a_sample_is_found() {
        let mut bytes = file(&noise(400_000));
        let frames = all(&bytes);
        let at = begin(&bytes, &frames, 50);
        bytes.splice(at + 2000..at + 2001, [0; 200_000]);
        let mut reader = open(&bytes);
        for sample in [399_999, 0, 4095, 4096, 12_345, 202_000, 206_000, 210_000, 300_000, 1] {
            let to = SeekTo::Timestamp { ts: Timestamp::new(sample), track_id: 0 };
            let sought = reader.seek(SeekMode::Accurate, to).unwrap();
            let number = sample / 4096;
            // The one that is not whole cannot be found, but the next.
            let expected = if number == 50 { 51 } else { number } * 4096;
            assert_eq!(sought.actual_ts.get(), expected, "{sample}");
            assert_eq!(reader.next_packet().unwrap().unwrap().pts.get(), expected);
        }
        let to = SeekTo::Timestamp { ts: Timestamp::new(400_000), track_id: 0 };
        assert!(reader.seek(SeekMode::Accurate, to).is_err());
    }
}
