//! Opus of any number of channels. libopus decodes streams of one or two; more of them lie in a packet
//! one behind the other.

use std::sync::{Mutex, PoisonError};

use opusic_c::{Decoder, SampleRate};
use symphonia::core::audio::{Audio, AudioBuffer, AudioMut, AudioSpec, Channels};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::{Result, decode_error};

use super::ours::{Codec, Ours};
use crate::decode::failure::{Failure, bad};

/// Opus is always decoded at its highest rate.
const RATE: u32 = 48_000;

/// The longest packet in frames: 120 ms.
const FRAMES: usize = 5760;

/// In the place of a stream's channel: there is none.
const SILENCE: u8 = 255;

const INFO: CodecInfo = CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] };

/// How the channels lie in the streams.
struct Mapping {
    /// Streams; the first `coupled` of them have two channels.
    streams: usize,
    coupled: usize,
    /// For each channel that is given, which of the streams' channels it is, or [`SILENCE`].
    channels: Vec<u8>,
    gain: f32,
}

/// Decodes Opus.
pub(super) struct Opus {
    mapping: Mapping,
    streams: Vec<Stream>,
    /// What a stream gives of a packet, one channel beside the other.
    decoded: Vec<f32>,
}

/// One of the streams, of one or two channels.
struct Stream {
    /// Never locked: symphonia wants decoders to be shared, and libopus's is not.
    decoder: Mutex<Decoder>,
    channels: usize,
}

impl Stream {
    /// A decoder of a stream. Of one with two channels it gives their mean where one is asked for: libopus
    /// mixes before the synthesis, which is then done once.
    fn new(channels: usize) -> std::result::Result<Self, Failure> {
        let failed = |error: opusic_c::ErrorCode| bad("codec", format!("opus: {}", error.message()));
        let kind = if channels == 2 { opusic_c::Channels::Stereo } else { opusic_c::Channels::Mono };
        let mut decoder = Decoder::new(kind, SampleRate::Hz48000).map_err(failed)?;
        // For one channel libopus would leave out that bands may be opposite, and give no mean.
        decoder.set_phase_inversion_disabled(false).map_err(failed)?;
        Ok(Self { decoder: Mutex::new(decoder), channels })
    }

    fn decoder(&mut self) -> &mut Decoder {
        self.decoder.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
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
        let family = head[10];
        if family == 0 {
            return (1..=2).contains(&channels).then(|| Self::plain(channels - 1, gain));
        }
        let (streams, coupled) = (usize::from(*head.get(11)?), usize::from(*head.get(12)?));
        let table = head.get(13..13 + channels)?;
        let last = streams + coupled;
        let valid = coupled <= streams
            && streams > 0
            && table.iter().all(|at| *at == SILENCE || usize::from(*at) < last);
        if !valid || !(1..=8).contains(&channels) {
            return None;
        }
        // Channels of family 1 are those of Vorbis; of ambisonics, and without a meaning, they stay as they are.
        let order = match family {
            1 => super::vorbis::order(channels),
            2 | 255 => &[],
            _ => return None,
        };
        let channels = (0..channels).map(|out| table[order.get(out).copied().unwrap_or(out)]).collect();
        Some(Self { streams, coupled, channels, gain })
    }

    /// One stream.
    fn plain(coupled: usize, gain: f32) -> Self {
        Self { streams: 1, coupled, channels: (0..=coupled as u8).collect(), gain }
    }

    /// Whether it is one stream with two channels.
    fn is_pair(&self) -> bool {
        self.streams == 1 && matches!(self.channels[..], [0, 1] | [1, 0])
    }
}

impl Opus {
    /// A decoder for a track. Where `mono` and it can be had for less, it gives the mean of the channels.
    pub(super) fn decoder(
        parameters: &AudioCodecParameters,
        mono: bool,
    ) -> std::result::Result<Ours<Self>, Failure> {
        let said = parameters.channels.as_ref().map_or(2, |channels| channels.count());
        let head = parameters.extra_data.as_deref().unwrap_or_default();
        let unknown = || bad("codec", "this kind of Opus cannot be decoded here: the channel mapping");
        let mut mapping = Mapping::read(head, said).ok_or_else(unknown)?;
        if mono && mapping.is_pair() {
            mapping = Mapping::plain(0, mapping.gain);
        }
        let streams = (0..mapping.streams).map(|index| Stream::new(1 + usize::from(index < mapping.coupled)));
        let streams = streams.collect::<std::result::Result<_, _>>()?;
        let channels = Channels::Discrete(u16::try_from(mapping.channels.len()).unwrap_or(u16::MAX));
        let mut parameters = parameters.clone();
        parameters.with_sample_rate(RATE).with_channels(channels.clone());
        let buffer = AudioBuffer::new(AudioSpec::new(RATE, channels), FRAMES);
        Ok(Ours::new(parameters, Self { mapping, streams, decoded: vec![0.0; 2 * FRAMES] }, buffer))
    }
}

impl Codec for Opus {
    fn info(&self) -> &'static CodecInfo {
        &INFO
    }

    fn reset(&mut self) {
        // It fails for what is no decoder only.
        self.streams.iter_mut().for_each(|stream| _ = stream.decoder().reset());
    }

    /// Decodes the streams of a packet and sorts their channels.
    fn decode(&mut self, packet: &[u8], buffer: &mut AudioBuffer<f32>) -> Result<()> {
        let (mut rest, last) = (packet, self.streams.len().saturating_sub(1));
        for (index, stream) in self.streams.iter_mut().enumerate() {
            let inner;
            let bytes = if index < last {
                let Some((taken, used)) = undelimited(rest) else {
                    return decode_error("opus: the streams of a packet are damaged");
                };
                (rest, inner) = (&rest[used..], taken);
                &inner[..]
            } else {
                rest
            };
            if bytes.is_empty() {
                // For libopus that would be a packet that is lost.
                return decode_error("opus: an empty packet");
            }
            let channels = stream.channels;
            let into = &mut self.decoded[..channels * FRAMES];
            let Ok(frames) = stream.decoder().decode_float_to_slice(bytes, into, false) else {
                return decode_error("opus: the packet is damaged");
            };
            if index == 0 {
                buffer.render_uninit(Some(frames));
                let silent = self.mapping.channels.iter().enumerate().filter(|(_, at)| **at == SILENCE);
                silent.for_each(|(out, _)| {
                    buffer.plane_mut(out).into_iter().for_each(|plane| plane.fill(0.0));
                });
            } else if frames != buffer.frames() {
                return decode_error("opus: the streams of a packet differ in length");
            }
            let first = if channels == 2 { 2 * index } else { index + self.mapping.coupled };
            for (out, at) in self.mapping.channels.iter().enumerate() {
                let Some(channel) = usize::from(*at).checked_sub(first).filter(|at| *at < channels) else {
                    continue;
                };
                let (gain, from) = (self.mapping.gain, self.decoded.chunks_exact(channels));
                if let Some(to) = buffer.plane_mut(out) {
                    to.iter_mut().zip(from).for_each(|(to, from)| *to = from[channel] * gain);
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
        head[18] = 255;
        assert_eq!(Mapping::read(&head, 6).unwrap().channels, [0, 4, 1, 2, 3, 5]);
        head[18] = 3;
        assert!(Mapping::read(&head, 6).is_none());
        head[18] = 1;
        head[21] = 9;
        assert!(Mapping::read(&head, 6).is_none());
    }
}
