//! The reader and the decoder of what a source holds.

use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder};
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::FORMAT_ID_FLAC;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use crate::decode::Channels;
use crate::decode::codec::{self, Wanted};
use crate::decode::container::Frames;
use crate::decode::failure::{Failure, bad, failure};
use crate::decode::source::Shared;

/// The reader of what a source holds. Of a container that is known what is wrong with it is told.
pub(super) fn probe(source: Box<dyn MediaSource>, container: &str) -> Result<Box<dyn FormatReader>, Failure> {
    let source = Shared::new(source);
    let stream = MediaSourceStream::new(Box::new(source.clone()), Default::default());
    let reader = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|error| match failure("format", error) {
            Failure::Bad { class: "unsupported" | "truncated", .. } if container.is_empty() => {
                bad("format", "no known audio format is recognised in the content")
            }
            Failure::Bad { class: "unsupported", message } => bad("format", message),
            other => other,
        })?;
    if reader.format_info().format != FORMAT_ID_FLAC {
        return Ok(reader);
    }
    Frames::behind(reader, source)
        .map(|frames| Box::new(frames) as Box<dyn FormatReader>)
        .map_err(|error| failure("format", error))
}

/// The track to be decoded, and its decoder; that of a codec that is known, if one is.
pub(super) fn decoder(
    format: &dyn FormatReader,
    id: Option<u32>,
    known: Option<&(AudioCodecId, Box<[u8]>)>,
    wanted: Channels,
) -> Result<(u32, Box<dyn AudioDecoder>), Failure> {
    let track = id
        .and_then(|id| format.tracks().iter().find(|track| track.id == id))
        .or_else(|| format.default_track(TrackType::Audio))
        .or_else(|| format.first_track(TrackType::Audio))
        .ok_or_else(|| bad("format", "the file has no audio track"))?;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or_else(|| bad("format", "the audio track does not name its codec"))?;
    let mut parameters = parameters.clone();
    if let Some((codec, description)) = known {
        parameters.for_codec(*codec).with_extra_data(description.clone());
    }
    // FLAC's frames in files of their own are found by their checksums.
    let checked = format.format_info().format == FORMAT_ID_FLAC;
    Ok((track.id, codec::decoder(&parameters, Wanted { mono: wanted == Channels::Mono, checked })?))
}
