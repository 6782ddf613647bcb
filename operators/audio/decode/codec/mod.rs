//! The decoders.

pub(super) mod aac;
mod bits;
pub(super) mod flac;
mod mp3;
#[cfg(feature = "opus")]
mod opus;
mod ours;
mod vorbis;

use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_AC3, CODEC_ID_DCA, CODEC_ID_EAC3, CODEC_ID_FLAC, CODEC_ID_MONKEYS_AUDIO,
    CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_MUSEPACK, CODEC_ID_OPUS, CODEC_ID_SPEEX,
    CODEC_ID_TRUEHD, CODEC_ID_TTA, CODEC_ID_VORBIS, CODEC_ID_WAVPACK, CODEC_ID_WMA,
};
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions, CODEC_ID_NULL_AUDIO,
};
use symphonia::core::errors::Error;
use symphonia::default::get_codecs;

use super::failure::{Failure, bad, failure, not_here};

/// No recording has more channels; a header that says so is wrong.
pub(super) const MAX_CHANNELS: usize = 64;

/// The name under which a band is refused that only shows within packets.
pub(super) const HE_AAC: &str = "HE-AAC";

/// The longest packet of any codec in frames. A header that says more would only cost memory.
const MAX_FRAMES: u64 = 1 << 20;

/// What is wanted of a decoder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The mean of the channels: decoders that can have it for less give it, as one channel; the others give all.
    pub(super) mono: bool,
    /// Whether the demuxer has compared the checksums of packets.
    pub(super) checked: bool,
}

/// The decoder for a track.
pub(super) fn decoder(
    parameters: &AudioCodecParameters,
    wanted: Wanted,
) -> Result<Box<dyn AudioDecoder>, Failure> {
    if let Some(channels) = parameters.channels.as_ref().map(|channels| channels.count())
        && !(1..=MAX_CHANNELS).contains(&channels)
    {
        return Err(bad("format", format!("the header says {channels} channels")));
    }
    let frames = parameters.max_frames_per_packet.max(parameters.frames_per_block).unwrap_or(0);
    if frames > MAX_FRAMES {
        return Err(bad("format", format!("the header says {frames} frames a packet")));
    }
    if parameters.codec == CODEC_ID_AAC {
        match &parameters.extra_data {
            Some(config) => aac::check(config)?,
            // Without a description of its own the track is ADTS, whose header counts the channels.
            None => aac::check_channels(parameters.channels.as_ref().map_or(0, |channels| channels.count()))?,
        }
    }
    let config = parameters.extra_data.as_deref().filter(|_| parameters.codec == CODEC_ID_AAC);
    let mut parameters = parameters.clone();
    if let Some(plain) = config.and_then(aac::plain) {
        parameters.extra_data = Some(plain);
    }
    let parameters = &parameters;
    if let Some(decoder) = special(parameters, wanted) {
        return decoder;
    }
    get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default()).map_err(
        |error| match error {
            Error::Unsupported(what) => match name(parameters.codec) {
                Some(name) if get_codecs().get_audio_decoder(parameters.codec).is_none() => not_here(name),
                Some(name) => bad("codec", format!("this kind of {name} cannot be decoded here: {what}")),
                None => not_here(&format!("the codec with the number {}", parameters.codec)),
            },
            other => failure("codec", other),
        },
    )
}

/// A decoder for what symphonia has none for, or one that would get it wrong.
fn special(
    parameters: &AudioCodecParameters,
    wanted: Wanted,
) -> Option<Result<Box<dyn AudioDecoder>, Failure>> {
    let channels = parameters.channels.as_ref().map_or(0, |channels| channels.count());
    Some(match parameters.codec {
        CODEC_ID_AAC if aac::in_elements(parameters.extra_data.as_deref(), channels) => {
            boxed(aac::Surround::decoder(parameters, channels))
        }
        CODEC_ID_FLAC => boxed(flac::Flac::decoder(parameters, wanted)),
        CODEC_ID_MP3 => boxed(Ok(mp3::Mp3::decoder(parameters, wanted.mono))),
        #[cfg(feature = "opus")]
        CODEC_ID_OPUS => boxed(opus::Opus::decoder(parameters, wanted.mono)),
        CODEC_ID_VORBIS => {
            let headers = parameters.extra_data.as_deref()?;
            if vorbis::interleaved(headers)? {
                return None;
            }
            boxed(vorbis::Vorbis::decoder(parameters, headers))
        }
        _ => return None,
    })
}

fn boxed(
    decoder: Result<ours::Ours<impl ours::Codec + 'static>, Failure>,
) -> Result<Box<dyn AudioDecoder>, Failure> {
    decoder.map(|decoder| Box::new(decoder) as Box<dyn AudioDecoder>)
}

/// The name of a codec, short, as in `about`.
pub(super) fn short(codec: AudioCodecId) -> String {
    let registered =
        get_codecs().get_audio_decoder(codec).map(|codec| codec.codec.info.short_name.to_owned());
    registered.or_else(|| name(codec).map(str::to_lowercase)).unwrap_or_else(|| codec.to_string())
}

/// The name of a codec, for messages.
fn name(codec: AudioCodecId) -> Option<&'static str> {
    Some(match codec {
        CODEC_ID_AAC => "AAC",
        CODEC_ID_AC3 => "AC-3",
        CODEC_ID_DCA => "DTS",
        CODEC_ID_EAC3 => "E-AC-3",
        CODEC_ID_FLAC => "FLAC",
        CODEC_ID_MONKEYS_AUDIO => "Monkey's Audio (APE)",
        CODEC_ID_MP1 => "MP1",
        CODEC_ID_MP2 => "MP2",
        CODEC_ID_MP3 => "MP3",
        CODEC_ID_MUSEPACK => "Musepack",
        CODEC_ID_OPUS => "Opus",
        CODEC_ID_SPEEX => "Speex",
        CODEC_ID_TRUEHD => "TrueHD",
        CODEC_ID_TTA => "True Audio",
        CODEC_ID_VORBIS => "Vorbis",
        CODEC_ID_WAVPACK => "WavPack",
        CODEC_ID_WMA => "WMA",
        CODEC_ID_NULL_AUDIO => "a codec that the file does not name",
        _ => return None,
    })
}
