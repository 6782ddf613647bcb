//! Opus of any number of channels. libopus decodes streams of one or two; more of them lie in a packet
//! one behind the other.

use symphonia::core::audio::{
    AsGenericAudioBufferRef, Audio, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
    layouts,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{
    AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult,
};
use symphonia::core::codecs::registry::{RegisterableAudioDecoder, SupportedAudioCodec};
use symphonia::core::errors::{Result, decode_error, unsupported_error};
use symphonia::core::packet::PacketRef;
use symphonia_adapter_libopus::OpusDecoder;

/// Opus is always decoded at its highest rate.
const RATE: u32 = 48_000;

/// The longest packet in frames: 120 ms.
const FRAMES: usize = 5760;

const CODECS: &[SupportedAudioCodec] = &[SupportedAudioCodec {
    id: CODEC_ID_OPUS,
    info: CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] },
}];

/// How the channels lie in the streams.
struct Mapping {
    /// Streams; the first `coupled` of them have two channels.
    streams: usize,
    coupled: usize,
    /// For each channel that is given, which of the streams' channels it is; 255 is silence.
    channels: Vec<u8>,
    gain: f32,
}

/// Decodes Opus.
pub(super) struct Opus {
    parameters: AudioCodecParameters,
    mapping: Mapping,
    streams: Vec<Box<dyn AudioDecoder>>,
    /// What is given where it is not what the only stream gives.
    buffer: AudioBuffer<f32>,
}

impl Mapping {
    /// Reads the identification header.
    fn read(head: &[u8], channels: usize) -> Option<Self> {
        let Some(head) = head.strip_prefix(b"OpusHead").filter(|head| head.len() >= 11) else {
            let coupled = usize::from(channels == 2);
            return (1..=2).contains(&channels).then(|| Self::plain(coupled, 1.0));
        };
        let channels = usize::from(head[1]);
        // In 256ths of a decibel. MP4 has version 0, and the most significant byte first.
        let bytes = [head[8], head[9]];
        let gain = if head[0] == 0 { i16::from_be_bytes(bytes) } else { i16::from_le_bytes(bytes) };
        let decibels = f32::from(gain) / 256.0;
        let gain = if decibels == 0.0 { 1.0 } else { 10f32.powf(decibels / 20.0) };
        if head[10] == 0 {
            return (1..=2).contains(&channels).then(|| Self::plain(channels - 1, gain));
        }
        let (streams, coupled) = (usize::from(*head.get(11)?), usize::from(*head.get(12)?));
        let table = head.get(13..13 + channels)?;
        let last = streams + coupled;
        let valid =
            coupled <= streams && streams > 0 && table.iter().all(|at| *at == 255 || usize::from(*at) < last);
        if !valid || !(1..=8).contains(&channels) {
            return None;
        }
        let order = super::vorbis::order(channels);
        let channels = (0..channels).map(|out| table[order.get(out).copied().unwrap_or(out)]).collect();
        Some(Self { streams, coupled, channels, gain })
    }

    /// One stream.
    fn plain(coupled: usize, gain: f32) -> Self {
        Self { streams: 1, coupled, channels: (0..=coupled as u8).collect(), gain }
    }

    /// Whether what the stream gives is what is asked for.
    fn is_plain(&self) -> bool {
        let straight = self.channels.iter().enumerate().all(|(at, channel)| at == usize::from(*channel));
        self.streams == 1 && straight && self.channels.len() == 1 + self.coupled && self.gain == 1.0
    }
}

impl AudioDecoder for Opus {
    fn codec_info(&self) -> &CodecInfo {
        &CODECS[0].info
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.parameters
    }

    fn reset(&mut self) {
        self.streams.iter_mut().for_each(|stream| stream.reset());
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        if packet.data.is_empty() {
            return decode_error("opus: an empty packet");
        }
        if self.mapping.is_plain() {
            return match self.streams.first_mut() {
                Some(stream) => stream.decode_ref(packet),
                None => decode_error("opus: no stream"),
            };
        }
        self.decode_all(packet)?;
        self.buffer.trim(packet.trim_start.get() as usize, packet.trim_end.get() as usize);
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        match self.streams.first() {
            Some(stream) if self.mapping.is_plain() => stream.last_decoded(),
            _ => self.buffer.as_generic_audio_buffer_ref(),
        }
    }
}

impl Opus {
    /// Decodes the streams of a packet and sorts their channels.
    fn decode_all(&mut self, packet: &PacketRef<'_>) -> Result<()> {
        let (mut rest, last) = (packet.data, self.streams.len().saturating_sub(1));
        self.buffer.clear();
        for (index, stream) in self.streams.iter_mut().enumerate() {
            let inner = if index < last {
                let Some((inner, used)) = undelimited(rest) else {
                    return decode_error("opus: the streams of a packet are damaged");
                };
                rest = &rest[used..];
                inner
            } else {
                rest.to_vec()
            };
            let inner = PacketRef::new(packet.track_id, packet.pts, packet.dur, &inner);
            let GenericAudioBufferRef::F32(decoded) = stream.decode_ref(&inner)? else {
                return decode_error("opus: samples of another kind");
            };
            if index == 0 {
                if decoded.frames() > FRAMES {
                    return decode_error("opus: a packet of more than 120 ms");
                }
                self.buffer.render_silence(Some(decoded.frames()));
            } else if decoded.frames() != self.buffer.frames() {
                return decode_error("opus: the streams of a packet differ in length");
            }
            let coupled = index < self.mapping.coupled;
            let first = if coupled { 2 * index } else { index + self.mapping.coupled };
            for channel in 0..=usize::from(coupled) {
                for (out, at) in self.mapping.channels.iter().enumerate() {
                    if usize::from(*at) == first + channel
                        && let (Some(to), Some(from)) = (self.buffer.plane_mut(out), decoded.plane(channel))
                    {
                        let gain = self.mapping.gain;
                        to.iter_mut().zip(from).for_each(|(to, from)| *to = from * gain);
                    }
                }
            }
        }
        Ok(())
    }
}

/// A length of one or two bytes, and the bytes used.
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes {
        [first @ 0..=251, ..] => Some((usize::from(*first), 1)),
        [first, second, ..] => Some((usize::from(*first) + 4 * usize::from(*second), 2)),
        _ => None,
    }
}

/// Takes a packet that tells its own length (RFC 6716, appendix B) out of the begin of `bytes`, as one that
/// does not; and how long it is.
fn undelimited(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let code = bytes.first()? & 3;
    // What stands before the length that is added, and what the frames take.
    let (head, tail) = match code {
        0 => (1, length(bytes.get(1..)?)?.0),
        1 => (1, 2 * length(bytes.get(1..)?)?.0),
        2 => {
            let (first, used) = length(bytes.get(1..)?)?;
            (1 + used, first + length(bytes.get(1 + used..)?)?.0)
        }
        _ => {
            let count = *bytes.get(1)?;
            let (frames, padded, variable) =
                (usize::from(count & 0x3f), count & 0x40 != 0, count & 0x80 != 0);
            let (mut at, mut padding) = (2, 0);
            let mut more = padded;
            while more {
                let byte = usize::from(*bytes.get(at)?);
                at += 1;
                padding += byte.min(254);
                more = byte == 255;
            }
            if variable {
                let mut sum = 0;
                for _ in 1..frames {
                    let (size, used) = length(bytes.get(at..)?)?;
                    (sum, at) = (sum + size, at + used);
                }
                (at, sum + length(bytes.get(at..)?)?.0 + padding)
            } else {
                (at, frames * length(bytes.get(at..)?)?.0 + padding)
            }
        }
    };
    let (_, added) = length(bytes.get(head..)?)?;
    let end = head + added + tail;
    let mut packet = bytes.get(..head)?.to_vec();
    packet.extend_from_slice(bytes.get(head + added..end)?);
    Some((packet, end))
}

impl RegisterableAudioDecoder for Opus {
    fn try_registry_new(
        parameters: &AudioCodecParameters,
        options: &AudioDecoderOptions,
    ) -> Result<Box<dyn AudioDecoder>> {
        let said = parameters.channels.as_ref().map_or(2, |channels| channels.count());
        let head = parameters.extra_data.as_deref().unwrap_or_default();
        let Some(mapping) = Mapping::read(head, said) else {
            return unsupported_error("the channel mapping");
        };
        let mut streams = Vec::new();
        for index in 0..mapping.streams {
            let layout = match index < mapping.coupled {
                true => layouts::CHANNEL_LAYOUT_STEREO,
                false => layouts::CHANNEL_LAYOUT_MONO,
            };
            // Without the header, which would make each of them leave out the begin.
            let mut inner = AudioCodecParameters::new();
            inner.for_codec(CODEC_ID_OPUS).with_sample_rate(RATE).with_channels(layout);
            streams.push(OpusDecoder::try_registry_new(&inner, options)?);
        }
        let channels = Channels::Discrete(u16::try_from(mapping.channels.len()).unwrap_or(u16::MAX));
        let mut parameters = parameters.clone();
        parameters.with_sample_rate(RATE).with_channels(channels.clone());
        let buffer = AudioBuffer::new(AudioSpec::new(RATE, channels), FRAMES);
        Ok(Box::new(Self { parameters, mapping, streams, buffer }))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        CODECS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_that_tell_their_length_are_taken_out() {
        // One frame of 3 bytes.
        assert_eq!(undelimited(&[0x00, 3, 1, 2, 3, 9, 9]), Some((vec![0x00, 1, 2, 3], 5)));
        // Two frames of 2 bytes each.
        assert_eq!(undelimited(&[0x01, 2, 1, 2, 3, 4, 9]), Some((vec![0x01, 1, 2, 3, 4], 6)));
        // Two frames of 1 and 2 bytes.
        assert_eq!(undelimited(&[0x02, 1, 2, 1, 2, 3, 9]), Some((vec![0x02, 1, 1, 2, 3], 6)));
        // Two frames of 1 and 2 bytes, and a byte of padding.
        assert_eq!(
            undelimited(&[0x03, 0xc2, 1, 1, 2, 1, 2, 3, 0, 9]),
            Some((vec![0x03, 0xc2, 1, 1, 1, 2, 3, 0], 9))
        );
        // Three frames of 1 byte each.
        assert_eq!(undelimited(&[0x03, 0x03, 1, 1, 2, 3, 9]), Some((vec![0x03, 0x03, 1, 2, 3], 6)));
        assert_eq!(undelimited(&[0x00, 200, 1]), None);
        assert_eq!(undelimited(&[]), None);
    }

    #[test]
    fn channels_come_in_the_order_of_wav() {
        let mut head = b"OpusHead\x01\x06\x38\x01\x80\xbb\x00\x00\x00\x00\x01\x04\x02".to_vec();
        head.extend([0, 4, 1, 2, 3, 5]);
        let mapping = Mapping::read(&head, 6).unwrap();
        assert_eq!((mapping.streams, mapping.coupled, mapping.gain), (4, 2, 1.0));
        assert_eq!(mapping.channels, [0, 1, 4, 5, 2, 3]);
        head[21] = 9;
        assert!(Mapping::read(&head, 6).is_none());
    }
}
