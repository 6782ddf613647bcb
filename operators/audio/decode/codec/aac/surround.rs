//! AAC of more than two channels, and of any whose elements a program configuration names. symphonia decodes one or
//! two; a packet of more is a row of elements of one or two channels, each of which is handed to a decoder of its own.
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

use super::layout::{DATA, FILL, Layout, PAIR, PROGRAM};
use crate::decode::codec::HE_AAC;
use crate::decode::codec::bits::High;
use crate::decode::codec::ours::{Codec, Ours};
use crate::decode::failure::{Failure, failure, not_here};

/// Frames of a packet.
const FRAMES: usize = 1024;

/// Bits of an element's head: which it is, and its number.
const HEAD: usize = 3 + 4;

const INFO: CodecInfo = CodecInfo { short_name: "aac", long_name: "Advanced Audio Coding", profiles: &[] };

/// Decodes AAC of any channels.
pub(in crate::decode::codec) struct Surround {
    rate: u32,
    /// None before the first packet, where only that tells.
    layout: Option<Layout>,
    /// One for each element.
    decoders: Vec<Box<dyn AudioDecoder>>,
    /// Decoders of one and of two channels that only look for the end of an element.
    probes: [Box<dyn AudioDecoder>; 2],
}

impl Surround {
    /// A decoder for a track, which says that it has so many channels, or 0 where it does not.
    pub(in crate::decode::codec) fn decoder(
        parameters: &AudioCodecParameters,
        channels: usize,
    ) -> std::result::Result<Ours<Self>, Failure> {
        let config = parameters.extra_data.as_deref();
        let layout = config.and_then(super::program).or_else(|| Layout::of(channels));
        if layout.is_none() && channels > 0 {
            return Err(not_here(&format!("AAC of {channels} channels")));
        }
        // A description's head has no room for high rates.
        let rate = config.and_then(super::rate).or(parameters.sample_rate).unwrap_or(0);
        let probes = inner(rate, false).and_then(|single| Ok([single, inner(rate, true)?]));
        let probes = probes.map_err(|error| failure("codec", error))?;
        let mut surround = Self { rate, layout: None, decoders: Vec::new(), probes };
        let (mut parameters, mut buffer) = (parameters.clone(), AudioBuffer::default());
        parameters.with_sample_rate(rate);
        if let Some(layout) = layout {
            parameters.with_channels(discrete(&layout));
            surround.begin(layout, &mut buffer).map_err(|error| failure("codec", error))?;
        }
        Ok(Ours::new(parameters, surround, buffer))
    }

    /// Makes what a layout needs.
    fn begin(&mut self, layout: Layout, buffer: &mut AudioBuffer<f32>) -> Result<()> {
        let elements = layout.elements.iter();
        self.decoders =
            elements.map(|element| inner(self.rate, element.kind == PAIR)).collect::<Result<_>>()?;
        *buffer = AudioBuffer::new(AudioSpec::new(self.rate, discrete(&layout)), FRAMES);
        self.layout = Some(layout);
        Ok(())
    }
}

fn discrete(layout: &Layout) -> Channels {
    Channels::Discrete(u16::try_from(layout.channels()).unwrap_or(u16::MAX))
}

impl Codec for Surround {
    fn info(&self) -> &'static CodecInfo {
        &INFO
    }

    fn reset(&mut self) {
        self.decoders.iter_mut().for_each(|decoder| decoder.reset());
    }

    fn decode(&mut self, packet: &[u8], buffer: &mut AudioBuffer<f32>) -> Result<()> {
        if self.layout.is_none() {
            let Some(layout) = program(packet) else {
                return unsupported_error("AAC with such a program configuration");
            };
            self.begin(layout, buffer)?;
        }
        let Some(layout) = &self.layout else { return decode_error("aac: the channels are not known") };
        buffer.render_silence(Some(FRAMES));
        let (mut at, mut found) = (0, vec![false; layout.elements.len()]);
        for count in 1..=layout.elements.len() {
            at = pass(packet, at)?;
            let mut head = High { bytes: packet, at };
            let (kind, tag) = (head.read(3), head.read(4));
            let ours = layout.elements.iter().zip(&found).position(|(element, found)| {
                !found && kind == Some(element.kind) && (element.tag.is_none() || element.tag == tag)
            });
            let Some(index) = ours else {
                return decode_error("aac: an element that does not belong to the channels");
            };
            found[index] = true;
            let channels = layout.elements[index].channels();
            let end = end(self.probes[channels - 1].as_mut(), packet, at, count == layout.elements.len())?;
            let element = element(packet, at, end);
            let GenericAudioBufferRef::F32(decoded) =
                self.decoders[index].decode_ref(&packet_of(&element))?
            else {
                return decode_error("aac: samples of another kind");
            };
            for channel in 0..channels {
                if let (Some(from), Some(to)) =
                    (decoded.plane(channel), buffer.plane_mut(layout.elements[index].first + channel))
                {
                    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                }
            }
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

/// What an element is.
enum Silent {
    /// It holds no sound, and was passed over.
    Passed,
    /// It says which elements there are. None is told for what cannot be decoded.
    Program(Option<Layout>),
    /// It holds a band of HE-AAC.
    Extended,
    Sound,
}

/// Passes over an element that holds no sound. `None` where it ends too early.
fn silent(bits: &mut High<'_>) -> Option<Silent> {
    match bits.read(3)? {
        FILL => {
            let mut count = bits.read(4)? as usize;
            if count == 15 {
                count = count + bits.read(8)? as usize - 1;
            }
            let content = bits.at;
            if count > 0 && matches!(bits.read(4)?, 13 | 14) {
                return Some(Silent::Extended);
            }
            bits.at = content + 8 * count;
            Some(Silent::Passed)
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
            Some(Silent::Passed)
        }
        PROGRAM => Some(Silent::Program(Layout::read(bits))),
        _ => Some(Silent::Sound),
    }
}

/// Passes over all elements that hold no sound.
fn pass(bytes: &[u8], at: usize) -> Result<usize> {
    let mut bits = High { bytes, at };
    loop {
        let before = bits.at;
        match silent(&mut bits) {
            Some(Silent::Passed | Silent::Program(Some(_))) => {}
            Some(Silent::Sound) => return Ok(before),
            Some(Silent::Extended) => return unsupported_error(HE_AAC),
            Some(Silent::Program(None)) => {
                return decode_error("aac: such a program configuration is not decoded");
            }
            None => return decode_error("aac: a packet ends too early"),
        }
    }
}

/// The program configuration of a packet, if it has one, and one that can be decoded.
fn program(bytes: &[u8]) -> Option<Layout> {
    let mut bits = High { bytes, at: 0 };
    loop {
        match silent(&mut bits)? {
            Silent::Passed => {}
            Silent::Program(layout) => return layout,
            Silent::Sound | Silent::Extended => return None,
        }
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
    if found == Bits::TooFew || enough <= few {
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
        assert_eq!(pass(&[0b1100_0010, 0b0000_0000, 0b0000_0000], 0).unwrap(), 15);
        // One with a band of HE-AAC.
        assert!(matches!(pass(&[0b1100_0011, 0b1010_0000, 0, 0], 0), Err(Error::Unsupported(HE_AAC))));
        assert!(pass(&[0b1101_1110], 0).is_err());
    }
}
