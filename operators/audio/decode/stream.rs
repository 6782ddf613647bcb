//! A recording as a stream of packets, by symphonia.

use std::io::ErrorKind;
use std::ops::RangeInclusive;

use symphonia::core::codecs::audio::well_known::{CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::FORMAT_ID_WAVE;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::Duration;

/// No recording has more channels or another rate; a header that says so is wrong.
const MAX_CHANNELS: usize = 64;
const RATES: RangeInclusive<u32> = 1000..=768_000;

/// The longest block of Vorbis: its packets' places are that exact.
const VORBIS_BLOCK: i64 = 8192;

/// Why a stream cannot go on.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// Reading failed; the content is not to blame.
    Io(String),
    /// The content is bad.
    Bad { class: &'static str, message: String },
}

fn bad(class: &'static str, message: impl Into<String>) -> Failure {
    Failure::Bad { class, message: message.into() }
}

fn failure(class: &'static str, error: Error) -> Failure {
    match error {
        Error::IoError(error) => match error.kind() {
            ErrorKind::UnexpectedEof => bad("truncated", "the file ends too early"),
            ErrorKind::Other | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
                bad(class, error.to_string())
            }
            _ => Failure::Io(error.to_string()),
        },
        Error::Unsupported(what) => bad("unsupported", format!("not supported: {what}")),
        other => bad(class, other.to_string()),
    }
}

/// A recording being decoded.
pub struct Stream {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    /// How far packets may be from the places that they carry, where these can be trusted, and the
    /// place of the first.
    tolerance: Option<i64>,
    origin: Option<i64>,
    /// Frames that the file promises, where it can be trusted.
    promised: Option<u64>,
    /// For MP3, the frames that may still be trimmed at the end: those that the Info tag says are padding.
    padding: Option<u64>,
    /// A WAV file that was written to a pipe does not know its length: its end is no truncation.
    open_ended: bool,
    rate: u32,
    channels: usize,
    /// Frames decoded, and frames given.
    decoded: u64,
    frames: u64,
    planes: Vec<Vec<f32>>,
    /// The first packet, which tells rate and channels where the header does not, is decoded ahead …
    ahead: bool,
    /// … and so is what went wrong before it.
    pending: Option<Failure>,
}

impl Stream {
    /// Opens a recording. The extension is a hint only.
    pub fn open(source: Box<dyn MediaSource>, extension: Option<&str>) -> Result<Self, Failure> {
        let source = MediaSourceStream::new(source, Default::default());
        let mut hint = Hint::new();
        if let Some(extension) = extension {
            hint.with_extension(extension);
        }
        let format = symphonia::default::get_probe()
            .probe(&hint, source, FormatOptions::default(), MetadataOptions::default())
            .map_err(|error| match error {
                Error::Unsupported(_) | Error::IoError(_) => match failure("format", error) {
                    Failure::Io(message) => Failure::Io(message),
                    Failure::Bad { .. } => {
                        bad("format", "no known audio format is recognised in the content")
                    }
                },
                other => failure("format", other),
            })?;
        let (track, decoder) = decoder(format.as_ref())?;
        let mut stream = Self {
            format,
            decoder,
            track,
            tolerance: None,
            origin: None,
            promised: None,
            padding: None,
            open_ended: false,
            rate: 0,
            channels: 0,
            decoded: 0,
            frames: 0,
            planes: Vec::new(),
            ahead: false,
            pending: None,
        };
        stream.promise();
        loop {
            match stream.decode() {
                Ok(true) => break,
                Ok(false) => {
                    return Err(stream
                        .pending
                        .unwrap_or_else(|| bad("empty", "the file has no audio frame")));
                }
                Err(failure @ Failure::Bad { class: "decode", .. }) => {
                    stream.pending.get_or_insert(failure);
                    // A packet behind a gap is there already.
                    if stream.ahead {
                        break;
                    }
                }
                Err(failure) => return Err(stream.pending.unwrap_or(failure)),
            }
        }
        stream.ahead = true;
        Ok(stream)
    }

    /// What the file says of the length, and whether it can be trusted.
    fn promise(&mut self) {
        let parameters = self.decoder.codec_params();
        let codec = parameters.codec;
        self.tolerance = match codec {
            CODEC_ID_FLAC => Some(0),
            CODEC_ID_VORBIS => Some(VORBIS_BLOCK),
            _ => None,
        };
        (self.origin, self.promised, self.padding, self.decoded) = (None, None, None, 0);
        let Some(track) = self.format.tracks().iter().find(|track| track.id == self.track) else { return };
        let wave = self.format.format_info().format == FORMAT_ID_WAVE;
        // Of an MP3 without an Info tag the length is an estimate.
        let tagged = codec == CODEC_ID_MP3 && (track.delay.is_some() || track.padding.is_some());
        if self.tolerance.is_some() || wave || tagged {
            // Of a stream that was recorded while it ran, what came before is not promised.
            let before = u64::try_from(track.start_ts.get()).unwrap_or(0);
            self.promised = track.num_frames.map(|frames| frames.saturating_sub(before));
        }
        // symphonia trims what lies behind its estimate: that would be music.
        self.padding = (codec == CODEC_ID_MP3).then(|| u64::from(track.padding.unwrap_or(0)));
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

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Frames given so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The samples of the next packet, a vector a channel; none at the end.
    ///
    /// After a failure of class `decode` the next call goes on behind it.
    pub fn packet(&mut self) -> Result<Option<&[Vec<f32>]>, Failure> {
        if let Some(failure) = self.pending.take() {
            return Err(failure);
        }
        if !std::mem::take(&mut self.ahead) && !self.decode()? {
            return Ok(None);
        }
        self.frames += self.planes.first().map_or(0, |plane| plane.len() as u64);
        Ok(Some(&self.planes))
    }

    /// Decodes packets until one has frames; false at the end.
    fn decode(&mut self) -> Result<bool, Failure> {
        loop {
            let mut packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return self.end(),
                Err(Error::ResetRequired) => {
                    // Chained Ogg: another stream follows.
                    self.end()?;
                    (self.track, self.decoder) = decoder(self.format.as_ref())?;
                    self.promise();
                    continue;
                }
                Err(error) => match failure("demux", error) {
                    Failure::Bad { class: "truncated", .. } if self.open_ended => return Ok(false),
                    failure => return Err(failure),
                },
            };
            if packet.track_id != self.track {
                continue;
            }
            if let Some(padding) = &mut self.padding {
                match padding.checked_sub(packet.trim_end.get()) {
                    Some(left) => *padding = left,
                    None => packet.trim_end = Duration::ZERO,
                }
            }
            let decoded = self.decoder.decode(&packet).map_err(|error| failure("decode", error))?;
            let (rate, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
            if self.channels == 0 {
                if !RATES.contains(&rate) {
                    return Err(bad("format", format!("the header says {rate} samples a second")));
                }
                if !(1..=MAX_CHANNELS).contains(&channels) {
                    return Err(bad("format", format!("the header says {channels} channels")));
                }
                (self.rate, self.channels) = (rate, channels);
            }
            if (rate, channels) != (self.rate, self.channels) {
                return Err(bad(
                    "format",
                    format!(
                        "{} Hz and {} channels become {rate} Hz and {channels}",
                        self.rate, self.channels
                    ),
                ));
            }
            decoded.copy_to_vecs_planar(&mut self.planes);
            let frames = self.planes.first().map_or(0, |plane| plane.len() as u64);
            // A demuxer that has found its way again after damage does not say so; the places do.
            let mut lost = 0;
            if let Some(tolerance) = self.tolerance {
                let place = packet.pts.get();
                let origin = *self.origin.get_or_insert(place);
                let gap = place - origin - i64::try_from(self.decoded).unwrap_or(i64::MAX);
                if gap < -tolerance {
                    return Err(bad("decode", "frames are out of order"));
                }
                if gap > tolerance {
                    lost = gap.unsigned_abs();
                }
            }
            self.decoded += frames + lost;
            if frames > 0 && lost > 0 {
                self.ahead = true;
                return Err(bad("decode", format!("{lost} frames are missing")));
            }
            if frames > 0 {
                return Ok(true);
            }
        }
    }

    fn end(&self) -> Result<bool, Failure> {
        // Vorbis counts by halves of blocks.
        let slack = self.tolerance.map_or(0, i64::unsigned_abs);
        match self.promised {
            Some(promised) if self.decoded + slack < promised => Err(bad(
                "truncated",
                format!("the file promises {promised} frames, there are {}", self.decoded),
            )),
            _ => Ok(false),
        }
    }
}

fn decoder(format: &dyn FormatReader) -> Result<(u32, Box<dyn AudioDecoder>), Failure> {
    let track = format
        .default_track(TrackType::Audio)
        .or_else(|| format.first_track(TrackType::Audio))
        .ok_or_else(|| bad("format", "the file has no audio track"))?;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or_else(|| bad("format", "the audio track does not name its codec"))?;
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|error| match error {
            Error::Unsupported(_) => {
                bad("codec", format!("codec {} cannot be decoded here", parameters.codec))
            }
            other => failure("codec", other),
        })?;
    Ok((track.id, decoder))
}
