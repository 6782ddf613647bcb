//! A track that symphonia demuxes: packets in, frames out, and whether any are missing.

mod probe;
mod seek;
mod tail;

use std::collections::VecDeque;

use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder};
use symphonia::core::errors::Error;
use symphonia::core::formats::well_known::{FORMAT_ID_MKV, FORMAT_ID_OGG, FORMAT_ID_WAVE};
use symphonia::core::formats::{FormatReader, Track};
use symphonia::core::io::MediaSource;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, TimeBase};

use super::Channels;
use super::codec::{HE_AAC, MAX_CHANNELS, aac};
use super::container;
use super::failure::{Failure, bad, failure, not_here};
use super::mix;
use super::open::RATES;
use probe::{decoder, probe};

/// The longest block of Vorbis: its packets' places are that exact.
const VORBIS_BLOCK: i64 = 8192;

/// The longest packet of Opus in frames, of which one may be lost at the border of two pages.
const OPUS_PACKET: i64 = 5760;

/// Encoders make no shorter packets than 128 frames of Vorbis and 120 of Opus: half of that is a gap.
const JUMP: i64 = 64;

/// Packets of AAC that are looked at before the first is decoded.
const AHEAD: usize = 12;

/// Errors in a row after which a file is given up.
const ERRORS: u32 = 1000;

/// A track that symphonia demuxes.
pub(super) struct Coded {
    /// None only while the end of a file is looked at.
    format: Option<Box<dyn FormatReader>>,
    decoder: Box<dyn AudioDecoder>,
    wanted: Channels,
    pub(super) track: container::Track,
    id: u32,
    /// Packets that were read ahead.
    packets: VecDeque<Packet>,
    /// How far packets may be from the places that they carry, where these can be trusted, and the
    /// place of the first.
    tolerance: Option<i64>,
    origin: Option<i64>,
    /// Where the next packet should be, in Ogg: a page that is lost leaves a gap.
    expected: Option<i64>,
    /// Frames that the file promises, where it can be trusted.
    promised: Option<u64>,
    /// For MP3, the frames that may still be trimmed at the end: those that the Info tag says are padding.
    padding: Option<u64>,
    /// A WAV file that was written to a pipe does not know its length: its end is no truncation.
    open_ended: bool,
    /// Frames of padding in the last packet, where the container says so.
    last: u64,
    /// Bytes of the packets so far; none when some were left out by seeking.
    bytes: Option<u64>,
    errors: u32,
    rate: u32,
    channels: usize,
    /// Frames of this stream so far, those that are missing included.
    decoded: u64,
}

/// Frames that were decoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Decoded {
    pub(super) frames: usize,
    /// Frames that are missing before them.
    pub(super) lost: u64,
    /// Samples that were not finite.
    pub(super) not_finite: u64,
}

impl Coded {
    /// Opens what a source holds. Only the channels that are wanted are given.
    pub(super) fn open(
        source: Box<dyn MediaSource>,
        found: container::Track,
        wanted: Channels,
    ) -> Result<Self, Failure> {
        let format = probe(source, found.container)?;
        let (id, decoder) = decoder(format.as_ref(), found.id, found.codec.as_ref(), wanted)?;
        let mut coded = Self {
            format: Some(format),
            decoder,
            wanted,
            track: found,
            id,
            packets: VecDeque::new(),
            tolerance: None,
            origin: None,
            expected: None,
            promised: None,
            padding: None,
            open_ended: false,
            last: 0,
            bytes: Some(0),
            errors: 0,
            rate: 0,
            channels: 0,
            decoded: 0,
        };
        coded.promise();
        if coded.codec() == CODEC_ID_AAC {
            coded.refuse_extended()?;
        }
        Ok(coded)
    }

    /// The symphonia reader; there is one but for the end of a file that has junk behind it.
    pub(super) fn format(&mut self) -> Option<&mut (dyn FormatReader + 'static)> {
        self.format.as_deref_mut()
    }

    pub(super) fn codec(&self) -> AudioCodecId {
        self.decoder.codec_params().codec
    }

    /// The decoder, for what it says of itself.
    pub(super) fn decoder(&self) -> &dyn AudioDecoder {
        self.decoder.as_ref()
    }

    /// The track as symphonia sees it.
    pub(super) fn symphonia(&self) -> Option<&Track> {
        self.format.as_ref()?.tracks().iter().find(|track| track.id == self.id)
    }

    /// Rate and channels of the first packet; 0 before it.
    pub(super) fn spec(&self) -> (u32, usize) {
        (self.rate, self.channels)
    }

    /// Frames that the file promises, where it can be trusted.
    pub(super) fn promised(&self) -> Option<u64> {
        self.promised
    }

    fn is(&self, format: symphonia::core::formats::FormatId) -> bool {
        self.format.as_ref().is_some_and(|reader| reader.format_info().format == format)
    }

    /// What the file says of the length, and whether it can be trusted.
    fn promise(&mut self) {
        let parameters = self.decoder.codec_params();
        let codec = parameters.codec;
        let (wave, ogg) = (self.is(FORMAT_ID_WAVE), self.is(FORMAT_ID_OGG));
        self.tolerance = match codec {
            // Matroska tells places in milliseconds.
            _ if self.is(FORMAT_ID_MKV) => None,
            CODEC_ID_FLAC => Some(0),
            CODEC_ID_VORBIS => Some(VORBIS_BLOCK),
            CODEC_ID_OPUS if ogg => Some(OPUS_PACKET),
            _ => None,
        };
        (self.origin, self.promised, self.padding, self.decoded) = (None, None, None, 0);
        self.expected = None;
        let Some(track) = self.symphonia() else { return };
        // Of an MP3 without an Info tag the length is an estimate.
        let tagged = codec == CODEC_ID_MP3 && (track.delay.is_some() || track.padding.is_some());
        // Of a stream that was recorded while it ran, what came before is not promised.
        let before = u64::try_from(track.start_ts.get()).unwrap_or(0);
        let promised = track.num_frames.map(|frames| frames.saturating_sub(before));
        // symphonia trims what lies behind its estimate: that would be music.
        let padding = (codec == CODEC_ID_MP3).then(|| u64::from(track.padding.unwrap_or(0)));
        self.padding = padding;
        if self.tolerance.is_some() || wave || tagged {
            self.promised = promised;
        }
        let parameters = self.decoder.codec_params();
        let bits = parameters.bits_per_coded_sample.or(parameters.bits_per_sample).unwrap_or(8);
        let channels = parameters.channels.as_ref().map_or(1, |channels| channels.count() as u64);
        let bytes = self.promised.unwrap_or(0).saturating_mul(u64::from(bits / 8) * channels);
        // What ffmpeg, SoX and arecord write where they cannot know.
        let unknown = [u32::MAX, 0x7fff_f000, 0x7fff_ffff, 0x8000_0000].map(u64::from);
        if wave && unknown.iter().any(|length| length.abs_diff(bytes) < 64) {
            self.promised = None;
        }
        self.open_ended = wave && self.promised.is_none();
    }

    /// Refuses AAC with a band that only a decoder of HE-AAC would give and that nothing announces.
    fn refuse_extended(&mut self) -> Result<(), Failure> {
        while self.packets.len() < AHEAD {
            // What is wrong comes up again when the packet is due.
            match self.demux() {
                Ok(Some(packet)) => self.packets.push_back(packet),
                _ => break,
            }
        }
        let full = self.packets.iter().filter(|packet| packet.data.len() > 8);
        let (all, extended) = full.fold((0, 0), |(all, extended), packet| {
            (all + 1, extended + usize::from(aac::extended(&packet.data)))
        });
        // By chance it looks so in one packet of a hundred.
        if extended >= 2 && extended * 4 >= all * 3 { Err(not_here(HE_AAC)) } else { Ok(()) }
    }

    /// The next packet of the track as it is in the file.
    fn demux(&mut self) -> Result<Option<Packet>, Error> {
        loop {
            let Some(format) = &mut self.format else { return Ok(None) };
            match format.next_packet()? {
                Some(packet) if packet.track_id == self.id => return Ok(Some(packet)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// The next packet, with what is to be trimmed of it.
    fn next(&mut self) -> Result<Option<Packet>, Error> {
        let packet = match self.packets.pop_front() {
            Some(packet) => packet,
            None => match self.demux()? {
                Some(packet) => packet,
                None => return Ok(None),
            },
        };
        // Only at the last packet the container's padding is to be left out.
        self.last = 0;
        if self.track.trim.end.ticks > 0 && self.packets.is_empty() {
            match self.demux() {
                Ok(Some(next)) => self.packets.push_back(next),
                Ok(None) => self.last = self.track.trim.end.at(self.rate),
                // It comes up again when the packet is due.
                Err(_) => {}
            }
        }
        Ok(Some(packet))
    }

    /// Decodes packets until one has frames; none at the end.
    ///
    /// After a failure of class `decode` the next call goes on behind it.
    pub(super) fn decode(&mut self, planes: &mut Vec<Vec<f32>>) -> Result<Option<Decoded>, Failure> {
        loop {
            // What follows the last frame of a FLAC file is none of it.
            if self.track.container == "flac"
                && self.promised.is_some_and(|promised| self.decoded >= promised)
            {
                return Ok(None);
            }
            let packet = match self.next() {
                Ok(Some(packet)) => packet,
                Ok(None) => match self.end()? {
                    Some(packet) => packet,
                    None => return Ok(None),
                },
                Err(Error::ResetRequired) => {
                    // Chained Ogg: another stream follows.
                    self.end()?;
                    let Some(format) = &self.format else { return Ok(None) };
                    (self.id, self.decoder) = decoder(format.as_ref(), None, None, self.wanted)?;
                    self.promise();
                    continue;
                }
                Err(error) => match failure("demux", error) {
                    Failure::Bad { class: "truncated", .. } if self.open_ended => return Ok(None),
                    truncated @ Failure::Bad { class: "truncated", .. } => match self.rescue() {
                        Some(packet) => packet,
                        None => return Err(truncated),
                    },
                    failure => return Err(self.count(failure)),
                },
            };
            self.bytes = self.bytes.map(|bytes| bytes + packet.data.len() as u64);
            if let Some(decoded) = self.decode_packet(packet, planes)? {
                self.errors = 0;
                return Ok(Some(decoded));
            }
        }
    }

    /// A file that gives nothing but errors ends some time.
    fn count(&mut self, failure: Failure) -> Failure {
        self.errors += 1;
        if self.errors < ERRORS {
            return failure;
        }
        bad("truncated", format!("nothing can be decoded behind {} errors in a row", self.errors))
    }

    fn decode_packet(
        &mut self,
        mut packet: Packet,
        planes: &mut Vec<Vec<f32>>,
    ) -> Result<Option<Decoded>, Failure> {
        if let Some(padding) = &mut self.padding {
            match padding.checked_sub(packet.trim_end.get()) {
                Some(left) => *padding = left,
                None => packet.trim_end = Duration::ZERO,
            }
        }
        let decoded = match self.decoder.decode(&packet) {
            Ok(decoded) => decoded,
            Err(error) => {
                let failure = failure("decode", error);
                // A packet that is too short for what it says is damaged; the file goes on.
                let failure = match failure {
                    Failure::Bad { class: "truncated", .. } => bad("decode", "a packet ends too early"),
                    Failure::Bad { class: "unsupported", message } if message.ends_with(HE_AAC) => {
                        return Err(not_here(HE_AAC));
                    }
                    other => other,
                };
                return Err(self.count(failure));
            }
        };
        let (rate, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
        if self.channels == 0 {
            check(rate, channels)?;
            (self.rate, self.channels) = (rate, channels);
        }
        if (rate, channels) != (self.rate, self.channels) {
            let message =
                format!("{} Hz and {} channels become {rate} Hz and {channels}", self.rate, self.channels);
            return Err(bad("format", message));
        }
        let not_finite = mix::take(&decoded, self.wanted, planes);
        let frames = planes.first().map_or(0, Vec::len);
        let kept = frames.saturating_sub(usize::try_from(self.last).unwrap_or(usize::MAX));
        planes.iter_mut().for_each(|plane| plane.truncate(kept));
        if frames == 0 {
            return Ok(None);
        }
        // A demuxer that has found its way again after damage does not say so; the places do.
        let mut lost = 0;
        let place = self.place(&packet);
        let origin = *self.origin.get_or_insert(place);
        let expected = self.expected.replace(place.saturating_add(frames as i64));
        if let Some(tolerance) = self.tolerance {
            let gap = place - origin - i64::try_from(self.decoded).unwrap_or(i64::MAX);
            if gap < -tolerance {
                // Another file may follow the last frame.
                return match self.rescue() {
                    Some(packet) => self.decode_packet(packet, planes),
                    None => Err(self.count(bad("decode", "frames are out of order"))),
                };
            }
            if gap > tolerance {
                lost = gap.unsigned_abs();
            } else if let Some(jump) = expected.map(|expected| place - expected).filter(|jump| *jump >= JUMP)
                && self.is(FORMAT_ID_OGG)
                // Of more channels the last page tells another place than the packets before it.
                && self.channels <= 2
            {
                lost = jump.unsigned_abs();
            }
        }
        self.decoded += frames as u64 + lost;
        Ok((kept > 0).then_some(Decoded { frames: kept, lost, not_finite }))
    }

    /// The place that a packet carries, in frames: that of the first frame that is not trimmed.
    fn place(&self, packet: &Packet) -> i64 {
        let ticks = packet.pts.saturating_add(packet.trim_start).get();
        match self.time_base() {
            Some(base) if base.denom.get() != self.rate || base.numer.get() != 1 => {
                let exact = i128::from(ticks) * i128::from(base.numer.get()) * i128::from(self.rate);
                let denominator = i128::from(base.denom.get());
                i64::try_from((exact + denominator / 2).div_euclid(denominator)).unwrap_or(i64::MAX)
            }
            _ => ticks,
        }
    }

    fn time_base(&self) -> Option<TimeBase> {
        self.symphonia()?.time_base
    }

    /// What comes at the end: perhaps a last packet, or that there are too few.
    fn end(&mut self) -> Result<Option<Packet>, Failure> {
        // Vorbis counts by halves of blocks.
        let slack = self.tolerance.map_or(0, i64::unsigned_abs);
        let short = self.promised.is_some_and(|promised| self.decoded + slack < promised);
        let unknown = self.codec() == CODEC_ID_FLAC && self.promised.is_none();
        if (short || unknown)
            && let Some(packet) = self.rescue()
        {
            return Ok(Some(packet));
        }
        if self.track.short {
            return Err(bad("truncated", "the file ends before its audio does"));
        }
        match self.promised.filter(|_| short) {
            Some(promised) => Err(bad(
                "truncated",
                format!("the file promises {promised} frames, there are {}", self.decoded),
            )),
            None => Ok(None),
        }
    }
}

/// What may be decoded at all.
pub(super) fn check(rate: u32, channels: usize) -> Result<(), Failure> {
    if !RATES.contains(&rate) {
        return Err(bad("format", format!("the header says {rate} samples a second")));
    }
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(bad("format", format!("the header says {channels} channels")));
    }
    Ok(())
}
