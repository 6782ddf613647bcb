//! AAC of more than two channels. symphonia decodes one or two; a packet of more is a row of elements of
//! one or two channels, each of which is handed to a decoder of its own.
//!
//! Where an element ends only its decoder can tell, and symphonia's does not say. But it says that bits are
//! missing when it gets too few, and that something strange follows when it gets too many: so the end is
//! found by halving.

use symphonia::core::audio::{
    Audio, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef, layouts,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::{Error, Result, decode_error, unsupported_error};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

use super::HE_AAC;
use super::bits::High;
use super::ours::{Codec, Ours};
use crate::decode::failure::{Failure, failure, not_here};

/// Frames of a packet.
const FRAMES: usize = 1024;

/// Bits of an element's head: which it is, and its number.
const HEAD: usize = 3 + 4;

/// The numbers of elements.
const SINGLE: u32 = 0;
const PAIR: u32 = 1;
const LOW: u32 = 3;
const DATA: u32 = 4;
const FILL: u32 = 6;

const INFO: CodecInfo = CodecInfo { short_name: "aac", long_name: "Advanced Audio Coding", profiles: &[] };

/// The elements of a packet and, for each channel in the order of WAV, its place in them.
fn layout(channels: usize) -> Option<(&'static [u32], &'static [usize])> {
    Some(match channels {
        3 => (&[SINGLE, PAIR], &[1, 2, 0]),
        4 => (&[SINGLE, PAIR, SINGLE], &[1, 2, 0, 3]),
        5 => (&[SINGLE, PAIR, PAIR], &[1, 2, 0, 3, 4]),
        6 => (&[SINGLE, PAIR, PAIR, LOW], &[1, 2, 0, 5, 3, 4]),
        8 => (&[SINGLE, PAIR, PAIR, PAIR, LOW], &[1, 2, 0, 7, 5, 6, 3, 4]),
        _ => return None,
    })
}

/// Decodes AAC of more than two channels.
pub(super) struct Surround {
    kinds: &'static [u32],
    order: &'static [usize],
    decoders: Vec<Box<dyn AudioDecoder>>,
    /// Decoders of one and of two channels that only look for the end of an element.
    probes: [Box<dyn AudioDecoder>; 2],
}

impl Surround {
    pub(super) fn decoder(
        parameters: &AudioCodecParameters,
        channels: usize,
    ) -> std::result::Result<Ours<Self>, Failure> {
        let Some((kinds, order)) = layout(channels) else {
            return Err(not_here(&format!("AAC of {channels} channels")));
        };
        let rate = parameters.sample_rate.unwrap_or(0);
        let decoders = kinds.iter().map(|kind| inner(rate, *kind == PAIR)).collect::<Result<_>>();
        let probes = inner(rate, false).and_then(|single| Ok([single, inner(rate, true)?]));
        let channels = Channels::Discrete(u16::try_from(channels).unwrap_or(u16::MAX));
        let mut parameters = parameters.clone();
        parameters.with_channels(channels.clone());
        let surround = Self {
            kinds,
            order,
            decoders: decoders.map_err(|error| failure("codec", error))?,
            probes: probes.map_err(|error| failure("codec", error))?,
        };
        let buffer = AudioBuffer::new(AudioSpec::new(rate, channels), FRAMES);
        Ok(Ours::new(parameters, surround, buffer))
    }
}

impl Codec for Surround {
    fn info(&self) -> &'static CodecInfo {
        &INFO
    }

    fn reset(&mut self) {
        self.decoders.iter_mut().for_each(|decoder| decoder.reset());
    }

    fn decode(&mut self, packet: &[u8], buffer: &mut AudioBuffer<f32>) -> Result<()> {
        buffer.render_silence(Some(FRAMES));
        let (mut at, mut first) = (0, 0);
        for (index, kind) in self.kinds.iter().enumerate() {
            at = fill(packet, at)?;
            if (High { bytes: packet, at }).read(3) != Some(*kind) {
                return decode_error("aac: an element that does not belong to the channels");
            }
            let last = index + 1 == self.kinds.len();
            let probe = &mut self.probes[usize::from(*kind == PAIR)];
            let end = end(probe.as_mut(), packet, at, last)?;
            let decoder = &mut self.decoders[index];
            let element = element(packet, at, end);
            let GenericAudioBufferRef::F32(decoded) = decoder.decode_ref(&packet_of(&element))? else {
                return decode_error("aac: samples of another kind");
            };
            for channel in 0..1 + usize::from(*kind == PAIR) {
                let out = self.order.iter().position(|place| *place == first + channel);
                if let (Some(out), Some(from)) = (out, decoded.plane(channel))
                    && let Some(to) = buffer.plane_mut(out)
                {
                    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                }
            }
            first += 1 + usize::from(*kind == PAIR);
            at = end;
        }
        Ok(())
    }
}

/// A decoder of one or two channels.
fn inner(rate: u32, pair: bool) -> Result<Box<dyn AudioDecoder>> {
    let layout = if pair { layouts::CHANNEL_LAYOUT_STEREO } else { layouts::CHANNEL_LAYOUT_MONO };
    let mut parameters = AudioCodecParameters::new();
    parameters.for_codec(CODEC_ID_AAC).with_sample_rate(rate).with_channels(layout);
    symphonia::default::get_codecs().make_audio_decoder(&parameters, &AudioDecoderOptions::default())
}

/// Passes over elements that hold no sound; a band of HE-AAC is not passed over.
fn fill(bytes: &[u8], at: usize) -> Result<usize> {
    let mut bits = High { bytes, at };
    let mut pass = || {
        loop {
            let before = bits.at;
            match bits.read(3)? {
                FILL => {
                    let mut count = bits.read(4)? as usize;
                    if count == 15 {
                        count = count + bits.read(8)? as usize - 1;
                    }
                    let content = bits.at;
                    if count > 0 && matches!(bits.read(4)?, 13 | 14) {
                        return Some(Err(()));
                    }
                    bits.at = content + 8 * count;
                }
                DATA => {
                    bits.read(4)?;
                    let aligned = bits.read(1)? == 1;
                    let mut count = bits.read(8)? as usize;
                    if count == 255 {
                        count += bits.read(8)? as usize;
                    }
                    if aligned {
                        bits.at = bits.at.next_multiple_of(8);
                    }
                    bits.at += 8 * count;
                }
                _ => return Some(Ok(before)),
            }
        }
    };
    match pass() {
        Some(Ok(at)) => Ok(at),
        Some(Err(())) => unsupported_error(HE_AAC),
        None => decode_error("aac: a packet ends too early"),
    }
}

/// The bits `from..to` as a packet that ends with its last bit: elements of seven bits that hold nothing
/// come before.
fn element(bytes: &[u8], from: usize, to: usize) -> Vec<u8> {
    let count = to - from;
    // Seven times this many and the bits make whole bytes.
    let before = count % 8;
    let length = (7 * before + count) / 8;
    // Each byte is taken from its last bit backwards; what lies before the element are empty ones.
    let byte = |index: usize| {
        let end = to - 8 * (length - 1 - index);
        let first = end as isize - 8;
        if first >= from as isize {
            let (at, shift) = (first as usize / 8, first as usize % 8);
            let next = bytes.get(at + 1).copied().unwrap_or(0);
            return (u16::from_be_bytes([bytes[at], next]) >> (8 - shift)) as u8;
        }
        (0..8).fold(0, |value, bit| {
            let place = first + bit;
            let one = match usize::try_from(place) {
                Ok(place) if place >= from => bytes[place / 8] >> (7 - place % 8) & 1 == 1,
                // Two ones and five zeros, over and over.
                _ => (8 * index + bit as usize) % 7 < 2,
            };
            value << 1 | u8::from(one)
        })
    };
    (0..length).map(byte).collect()
}

/// An element as symphonia's decoder wants it, which does not look at its place.
fn packet_of(element: &[u8]) -> PacketRef<'_> {
    PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, element)
}

/// Where the element ends that begins at a bit; of the last one, where the packet ends.
fn end(probe: &mut dyn AudioDecoder, packet: &[u8], at: usize, last: bool) -> Result<usize> {
    /// What a decoder says of a number of bits.
    #[derive(PartialEq)]
    enum Bits {
        TooFew,
        Right,
        TooMany,
    }
    let mut ask = |to: usize| match probe.decode_ref(&packet_of(&element(packet, at, to))) {
        Ok(_) => Bits::Right,
        Err(Error::IoError(_)) => Bits::TooFew,
        Err(_) => Bits::TooMany,
    };
    let (mut few, mut enough) = (at + HEAD, packet.len() * 8);
    let mut found = ask(enough);
    if found == Bits::TooFew {
        return decode_error("aac: a packet ends too early");
    }
    if last && found == Bits::Right {
        return Ok(enough);
    }
    while enough - few > 1 {
        let middle = few.midpoint(enough);
        match ask(middle) {
            Bits::TooFew => few = middle,
            other => (enough, found) = (middle, other),
        }
    }
    // What is strange is the head of the next element, which has to be complete to be so.
    Ok(if found == Bits::Right { enough } else { enough - HEAD })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_moved_so_that_they_end_with_a_byte() {
        let bytes = [0b1010_1100, 0b0111_0001];
        for (from, to) in [(0, 16), (3, 12), (1, 2), (5, 16)] {
            let moved = element(&bytes, from, to);
            let mut bits = High { bytes: &moved, at: 0 };
            for _ in 0..(to - from) % 8 {
                assert_eq!(bits.read(7), Some(FILL << 4));
            }
            let expected = High { bytes: &bytes, at: from }.read(to - from);
            assert_eq!(bits.read(to - from), expected);
            assert_eq!(bits.read(1), None);
        }
    }

    #[test]
    fn elements_without_sound_are_passed_over() {
        // A fill element of one byte, then a single channel.
        assert_eq!(fill(&[0b1100_0010, 0b0000_0000, 0b0000_0000], 0).unwrap(), 15);
        // One with a band of HE-AAC.
        assert!(matches!(fill(&[0b1100_0011, 0b1010_0000, 0, 0], 0), Err(Error::Unsupported(HE_AAC))));
        assert!(fill(&[0b1101_1110], 0).is_err());
    }
}
