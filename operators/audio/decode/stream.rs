//! A recording as a stream of packets, by symphonia.

use std::io::ErrorKind;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

/// No recording has more channels or a higher rate; a header that says so is wrong.
const MAX_CHANNELS: usize = 64;
const MAX_RATE: u32 = 768_000;

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
    rate: u32,
    channels: usize,
    frames: u64,
    planes: Vec<Vec<f32>>,
    /// The first packet, which tells rate and channels where the header does not.
    ahead: bool,
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
            rate: 0,
            channels: 0,
            frames: 0,
            planes: Vec::new(),
            ahead: false,
        };
        stream.ahead = stream.decode()?;
        Ok(stream)
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
    pub fn packet(&mut self) -> Result<Option<&[Vec<f32>]>, Failure> {
        if !std::mem::take(&mut self.ahead) && !self.decode()? {
            return Ok(None);
        }
        self.frames += self.planes.first().map_or(0, |plane| plane.len() as u64);
        Ok(Some(&self.planes))
    }

    /// Decodes packets until one has frames; false at the end.
    fn decode(&mut self) -> Result<bool, Failure> {
        loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(false),
                Err(Error::ResetRequired) => {
                    // Chained Ogg: another stream follows.
                    (self.track, self.decoder) = decoder(self.format.as_ref())?;
                    continue;
                }
                Err(error) => return Err(failure("demux", error)),
            };
            if packet.track_id != self.track {
                continue;
            }
            let decoded = self.decoder.decode(&packet).map_err(|error| failure("decode", error))?;
            let (rate, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
            if self.channels == 0 {
                if !(1..=MAX_RATE).contains(&rate) {
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
            if self.planes.first().is_some_and(|plane| !plane.is_empty()) {
                return Ok(true);
            }
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
