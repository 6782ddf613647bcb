//! Opus of any number of channels. Streams have one or two; more of them lie in a packet one behind the other.

mod celt;
mod packet;
mod stream;
#[cfg(test)]
mod tests;

use symphonia::core::audio::{Audio, AudioBuffer, AudioMut, AudioSpec, Channels};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::{Result, decode_error};

use super::ours::{Codec, Ours};
use crate::decode::failure::{Failure, bad};
use packet::undelimited;
use stream::{FRAMES, Stream};

/// Opus is always decoded at its highest rate.
const RATE: u32 = 48_000;

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
        let streams = streams.collect();
        let channels = Channels::Discrete(u16::try_from(mapping.channels.len()).unwrap_or(u16::MAX));
        let mut parameters = parameters.clone();
        parameters.with_sample_rate(RATE).with_channels(channels.clone());
        let buffer = AudioBuffer::new(AudioSpec::new(RATE, channels), FRAMES);
        Ok(Ours::new(parameters, Self { mapping, streams }, buffer))
    }
}

impl Codec for Opus {
    fn info(&self) -> &'static CodecInfo {
        &INFO
    }

    fn reset(&mut self) {
        self.streams.iter_mut().for_each(Stream::reset);
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
            let channels = stream.channels();
            let frames = stream.decode(bytes)?;
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
                let (gain, from) = (self.mapping.gain, stream.decoded(channel));
                if let Some(to) = buffer.plane_mut(out) {
                    to.iter_mut().zip(from).for_each(|(to, from)| *to = from * gain);
                }
            }
        }
        Ok(())
    }
}
