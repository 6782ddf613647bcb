//! FLAC (RFC 9639).
//!
//! Most of a pipeline's time with FLAC is here, so the codes are read many bits at a time and both channels of a
//! pair are predicted side by side.

pub(in crate::decode) mod frame;
mod predict;
mod residual;
mod sample;
mod subframe;
#[cfg(test)]
mod tests;

use symphonia::core::audio::{AudioBuffer, AudioMut, AudioSpec, Channels};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::{Error, Result};

use super::Wanted;
use super::bits::Padded;
use super::ours::{Codec, Ours};
use crate::decode::failure::{Failure, bad};
use crate::flac::crc;
use frame::{Frame, Pair};
use sample::Sample;
use subframe::Subframe;

const INFO: CodecInfo =
    CodecInfo { short_name: "flac", long_name: "Free Lossless Audio Codec", profiles: &[] };

/// Decodes FLAC.
pub(super) struct Flac {
    /// Bits of a sample, where a frame does not say.
    bits: u32,
    /// Frames of the longest block.
    longest: usize,
    /// Channels of a frame.
    count: usize,
    /// Whether the mean of a pair is given.
    mono: bool,
    /// Whether checksums have been compared.
    checked: bool,
    /// A channel's samples each; …
    narrow: Vec<Vec<i32>>,
    /// … of frames of 32 bits, whose differences and sums have more.
    wide: Vec<Vec<i64>>,
}

impl Flac {
    /// A decoder for a track.
    pub(super) fn decoder(
        parameters: &AudioCodecParameters,
        wanted: Wanted,
    ) -> std::result::Result<Ours<Self>, Failure> {
        let info = parameters.extra_data.as_deref().and_then(|info| info.first_chunk::<18>());
        let info = info.ok_or_else(|| bad("codec", "flac: there is no stream info"))?;
        let longest = usize::from(u16::from_be_bytes([info[2], info[3]]));
        // 20 bits of rate, 3 of channels, 5 of bits.
        let packed = u32::from_be_bytes([info[10], info[11], info[12], info[13]]);
        let (rate, count, bits) = (packed >> 12, (packed >> 9 & 7) as usize + 1, (packed >> 4 & 31) + 1);
        let mono = wanted.mono && count == 2;
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
        let (narrow, wide) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        let flac = Self { bits, longest, count, mono, checked: wanted.checked, narrow, wide };
        Ok(Ours::new(parameters, flac, AudioBuffer::new(AudioSpec::new(rate, layout), longest)))
    }

    fn decode_frame(
        &mut self,
        bytes: &[u8],
        buffer: &mut AudioBuffer<f32>,
    ) -> std::result::Result<(), &'static str> {
        let (frame, at) = Frame::read(bytes).ok_or("flac: no head of a frame")?;
        if !self.checked && !is_whole(bytes) {
            return Err("flac: the checksum of a frame is another");
        }
        if frame.length > self.longest {
            return Err("flac: a block is longer than the stream's longest");
        }
        if frame.channels != self.count {
            return Err("flac: the frame has other channels");
        }
        let bits = frame.bits.unwrap_or(self.bits);
        if bits == 32 {
            let subframes = read(bytes, at, &frame, bits, &mut self.wide)?;
            self.wide.iter_mut().zip(&subframes).for_each(|(samples, of)| predict::one(samples, of));
            give(&self.wide, &frame, bits, self.mono, buffer);
            return Ok(());
        }
        let subframes = read(bytes, at, &frame, bits, &mut self.narrow)?;
        match (self.narrow.as_mut_slice(), &subframes) {
            ([first, second], [one, two, ..]) => predict::both(first, one, second, two),
            (channels, subframes) => {
                channels.iter_mut().zip(subframes).for_each(|(samples, of)| predict::one(samples, of));
            }
        }
        give(&self.narrow, &frame, bits, self.mono, buffer);
        Ok(())
    }
}

/// Reads the channels of a frame, whose head ends at a byte.
fn read<S: Sample>(
    bytes: &[u8],
    at: usize,
    frame: &Frame,
    bits: u32,
    channels: &mut [Vec<S>],
) -> std::result::Result<[Subframe; 8], &'static str> {
    let mut reader = Padded::new(bytes);
    reader.at = 8 * at;
    let end = 8 * bytes.len();
    let mut subframes = [const { Subframe::NONE }; 8];
    for (number, samples) in channels.iter_mut().enumerate() {
        // The difference of two channels has a bit more.
        let more = u32::from(frame.pair.difference() == Some(number));
        subframes[number] = Subframe::read(&mut reader, bits + more, frame.length, end, samples)?;
    }
    if reader.at > end {
        return Err("flac: a frame ends too early");
    }
    Ok(subframes)
}

/// Writes what was decoded as floats, or its mean.
fn give<S: Sample>(channels: &[Vec<S>], frame: &Frame, bits: u32, mono: bool, buffer: &mut AudioBuffer<f32>) {
    let scale = 1.0 / (1u64 << (bits - 1)) as f32;
    buffer.render_uninit(Some(frame.length));
    let ([first, second], pair) = (channels, frame.pair) else {
        for (number, samples) in channels.iter().enumerate() {
            if let Some(plane) = buffer.plane_mut(number) {
                plane.iter_mut().zip(samples).for_each(|(to, from)| *to = from.float() * scale);
            }
        }
        return;
    };
    let samples = first.iter().copied().zip(second.iter().copied());
    // Of the middle the lowest bit is left out, which is that of the difference.
    let sum = |mid: S, side: S| mid.twice().plus(side.odd());
    if mono {
        let Some(plane) = buffer.plane_mut(0) else { return };
        match pair {
            Pair::Apart => mix(plane, samples, scale, S::plus),
            Pair::LeftSide => mix(plane, samples, scale, |left, side| left.twice().minus(side)),
            Pair::SideRight => mix(plane, samples, scale, |side, right| right.twice().plus(side)),
            Pair::MidSide => mix(plane, samples, scale, sum),
        }
        return;
    }
    let Some(planes) = buffer.plane_pair_mut(0, 1) else { return };
    match pair {
        Pair::Apart => split(planes, samples, scale, |left, right| (left, right)),
        Pair::LeftSide => split(planes, samples, scale, |left, side| (left, left.minus(side))),
        Pair::SideRight => split(planes, samples, scale, |side, right| (right.plus(side), right)),
        Pair::MidSide => split(planes, samples, scale, |mid, side| {
            let sum = sum(mid, side);
            (sum.plus(side).halved(), sum.minus(side).halved())
        }),
    }
}

/// Whether a frame has the checksum that it ends with.
fn is_whole(frame: &[u8]) -> bool {
    frame.split_last_chunk().is_some_and(|(frame, last)| crc::crc16(frame) == u16::from_be_bytes(*last))
}

/// The mean of two channels, of which `sum` gives the sum.
#[inline(always)]
fn mix<S: Sample>(
    plane: &mut [f32],
    samples: impl Iterator<Item = (S, S)>,
    scale: f32,
    sum: impl Fn(S, S) -> S,
) {
    let scale = 0.5 * scale;
    plane.iter_mut().zip(samples).for_each(|(to, (first, second))| *to = sum(first, second).float() * scale);
}

/// Two channels out of what is coded.
#[inline(always)]
fn split<S: Sample>(
    (left, right): (&mut [f32], &mut [f32]),
    samples: impl Iterator<Item = (S, S)>,
    scale: f32,
    apart: impl Fn(S, S) -> (S, S),
) {
    for ((left, right), (first, second)) in left.iter_mut().zip(right).zip(samples) {
        let both = apart(first, second);
        (*left, *right) = (both.0.float() * scale, both.1.float() * scale);
    }
}

impl Codec for Flac {
    fn info(&self) -> &'static CodecInfo {
        &INFO
    }

    fn reset(&mut self) {}

    fn decode(&mut self, packet: &[u8], buffer: &mut AudioBuffer<f32>) -> Result<()> {
        self.decode_frame(packet, buffer).map_err(Error::DecodeError)
    }
}
