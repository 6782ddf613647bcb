//! FLAC (RFC 9639).
//!
//! Most of a pipeline's time with FLAC is here, so the codes are read many bits at a time and both channels of a
//! pair are predicted side by side.

mod frame;
mod predict;
mod residual;
mod subframe;
#[cfg(test)]
mod tests;

use symphonia::core::audio::{
    AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, FinalizeResult};
use symphonia::core::errors::{Error, Result};
use symphonia::core::packet::PacketRef;

use super::Wanted;
use super::bits::Padded;
use crate::decode::failure::{Failure, bad};
use crate::flac::crc;
use frame::{Frame, Pair};
use subframe::Subframe;

const INFO: CodecInfo =
    CodecInfo { short_name: "flac", long_name: "Free Lossless Audio Codec", profiles: &[] };

/// Decodes FLAC.
pub(super) struct Flac {
    parameters: AudioCodecParameters,
    /// Bits of a sample, where a frame does not say.
    bits: u32,
    /// Frames of the longest block.
    longest: usize,
    /// Whether the mean of a pair is given.
    mono: bool,
    /// Whether checksums have been compared.
    checked: bool,
    /// A channel's samples each.
    channels: Vec<Vec<i32>>,
    buffer: AudioBuffer<f32>,
}

impl Flac {
    /// A decoder for a track.
    pub(super) fn new(
        parameters: &AudioCodecParameters,
        wanted: Wanted,
    ) -> std::result::Result<Self, Failure> {
        let info = parameters.extra_data.as_deref().and_then(|info| info.first_chunk::<18>());
        let info = info.ok_or_else(|| bad("codec", "flac: there is no stream info"))?;
        let longest = usize::from(u16::from_be_bytes([info[2], info[3]]));
        // 20 bits of rate, 3 of channels, 5 of bits.
        let packed = u32::from_be_bytes([info[10], info[11], info[12], info[13]]);
        let (rate, count, bits) = (packed >> 12, (packed >> 9 & 7) as usize + 1, (packed >> 4 & 31) + 1);
        // The sum of two samples of 32 bits has 33.
        let mono = wanted.mono && count == 2 && bits < 32;
        let given = if mono { 1 } else { count };
        let layout = parameters.channels.clone().filter(|channels| channels.count() == given);
        let layout = layout.unwrap_or(Channels::Discrete(given as u16));
        let mut parameters = parameters.clone();
        parameters
            .with_sample_rate(rate)
            .with_bits_per_sample(bits)
            .with_max_frames_per_packet(longest as u64);
        if parameters.channels.is_none() {
            parameters.with_channels(Channels::Discrete(count as u16));
        }
        Ok(Self {
            parameters,
            bits,
            longest,
            mono,
            checked: wanted.checked,
            channels: vec![Vec::new(); count],
            buffer: AudioBuffer::new(AudioSpec::new(rate, layout), longest),
        })
    }

    fn decode_frame(&mut self, bytes: &[u8]) -> std::result::Result<(), &'static str> {
        let (frame, at) = Frame::read(bytes).ok_or("flac: no head of a frame")?;
        if !self.checked && !is_whole(bytes) {
            return Err("flac: the checksum of a frame is another");
        }
        let bits = frame.bits.unwrap_or(self.bits);
        if frame.length > self.longest {
            return Err("flac: a block is longer than the stream's longest");
        }
        if frame.channels != self.channels.len() {
            return Err("flac: the frame has other channels");
        }
        let mut reader = Padded::new(bytes);
        reader.at = 8 * at;
        let end = 8 * bytes.len();
        let mut subframes = [const { Subframe::NONE }; 8];
        for (number, samples) in self.channels.iter_mut().enumerate() {
            // The difference of two channels has a bit more.
            let wide = u32::from(frame.pair.difference() == Some(number));
            subframes[number] = Subframe::read(&mut reader, bits + wide, frame.length, end, samples)?;
        }
        if reader.at > end {
            return Err("flac: a frame ends too early");
        }
        match (self.channels.as_mut_slice(), &subframes) {
            ([first, second], [one, two, ..]) => predict::both(first, one, second, two),
            (channels, subframes) => {
                channels.iter_mut().zip(subframes).for_each(|(samples, of)| predict::one(samples, of));
            }
        }
        self.give(&frame, bits);
        Ok(())
    }

    /// Writes what was decoded as floats.
    fn give(&mut self, frame: &Frame, bits: u32) {
        let scale = 1.0 / (1u64 << (bits - 1)) as f32;
        self.buffer.clear();
        self.buffer.render_uninit(Some(frame.length));
        let ([first, second], pair) = (self.channels.as_slice(), frame.pair) else {
            for (number, samples) in self.channels.iter().enumerate() {
                if let Some(plane) = self.buffer.plane_mut(number) {
                    plane.iter_mut().zip(samples).for_each(|(to, from)| *to = *from as f32 * scale);
                }
            }
            return;
        };
        let samples = first.iter().copied().zip(second.iter().copied());
        if self.mono {
            let Some(plane) = self.buffer.plane_mut(0) else { return };
            match pair {
                Pair::Apart => mix(plane, samples, scale, |left, right| left.wrapping_add(right)),
                Pair::LeftSide => mix(plane, samples, scale, |left, side| (left << 1).wrapping_sub(side)),
                Pair::SideRight => mix(plane, samples, scale, |side, right| (right << 1).wrapping_add(side)),
                Pair::MidSide => mix(plane, samples, scale, |mid, side| mid << 1 | side & 1),
            }
            return;
        }
        let Some((left, right)) = self.buffer.plane_pair_mut(0, 1) else { return };
        let planes = (left, right);
        match pair {
            Pair::Apart => split(planes, samples, scale, |left, right| (left, right)),
            Pair::LeftSide => split(planes, samples, scale, |left, side| (left, left.wrapping_sub(side))),
            Pair::SideRight => split(planes, samples, scale, |side, right| (right.wrapping_add(side), right)),
            Pair::MidSide => split(planes, samples, scale, |mid, side| {
                let sum = mid << 1 | side & 1;
                (sum.wrapping_add(side) >> 1, sum.wrapping_sub(side) >> 1)
            }),
        }
    }
}

/// Whether a frame has the checksum that it ends with.
fn is_whole(frame: &[u8]) -> bool {
    frame.split_last_chunk().is_some_and(|(frame, last)| crc::crc16(frame) == u16::from_be_bytes(*last))
}

/// The mean of two channels, of which `sum` gives the sum.
#[inline(always)]
fn mix(
    plane: &mut [f32],
    samples: impl Iterator<Item = (i32, i32)>,
    scale: f32,
    sum: impl Fn(i32, i32) -> i32,
) {
    let scale = 0.5 * scale;
    plane.iter_mut().zip(samples).for_each(|(to, (first, second))| *to = sum(first, second) as f32 * scale);
}

/// Two channels out of what is coded.
#[inline(always)]
fn split(
    (left, right): (&mut [f32], &mut [f32]),
    samples: impl Iterator<Item = (i32, i32)>,
    scale: f32,
    apart: impl Fn(i32, i32) -> (i32, i32),
) {
    for ((left, right), (first, second)) in left.iter_mut().zip(right).zip(samples) {
        let both = apart(first, second);
        (*left, *right) = (both.0 as f32 * scale, both.1 as f32 * scale);
    }
}

impl AudioDecoder for Flac {
    fn codec_info(&self) -> &CodecInfo {
        &INFO
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.parameters
    }

    fn reset(&mut self) {}

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buffer.clear();
        self.decode_frame(packet.data).map_err(Error::DecodeError)?;
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}
