//! Which kinds of AAC can be decoded: low complexity. What has a band that only a decoder of HE-AAC would
//! give is refused, since its core alone is half of it.

mod layout;
mod surround;

use super::bits::High;
use crate::decode::failure::{Failure, not_here};
use layout::Layout;
pub(super) use surround::Surround;

impl High<'_> {
    /// A kind of audio object: five bits, or six more.
    fn object(&mut self) -> Option<u32> {
        match self.read(5)? {
            31 => Some(32 + self.read(6)?),
            object => Some(object),
        }
    }

    /// A rate: an index of four bits, or 24 more; 0 for an index that has none.
    fn rate(&mut self) -> Option<u32> {
        /// By their indices.
        const RATES: [u32; 13] = [
            96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000,
            7350,
        ];
        match self.read(4)? {
            15 => self.read(24),
            index => Some(RATES.get(index as usize).copied().unwrap_or(0)),
        }
    }

    /// What follows the channels: whether frames have 960 samples; else it passes over a core coder's delay, and an
    /// extension that low complexity has not.
    fn short(&mut self) -> Option<bool> {
        if self.read(1)? == 1 {
            return Some(true);
        }
        if self.read(1)? == 1 {
            self.read(14)?;
        }
        self.read(1)?;
        Some(false)
    }
}

/// Whether what an AudioSpecificConfig describes can be decoded.
pub(in crate::decode) fn check(config: &[u8]) -> Result<(), Failure> {
    let refused = refuse(config);
    refused.map_or(Ok(()), |name| Err(not_here(&name)))
}

/// Whether that many channels can be decoded.
pub(in crate::decode) fn check_channels(channels: usize) -> Result<(), Failure> {
    match channels {
        // The first packet tells.
        0 => Ok(()),
        1..=6 | 8 => Ok(()),
        more => Err(not_here(&format!("AAC of {more} channels"))),
    }
}

fn refuse(config: &[u8]) -> Option<String> {
    let mut bits = High { bytes: config, at: 0 };
    let object = bits.object()?;
    let kind = match object {
        1 => "AAC Main",
        2 => return low_complexity(&mut bits),
        3 => "AAC SSR",
        4 => "AAC LTP",
        5 => "HE-AAC",
        6 | 20 => "scalable AAC",
        17 => "error-resilient AAC",
        23 => "AAC-LD",
        29 => "HE-AAC v2",
        36 => "MPEG-4 ALS",
        37 | 38 => "MPEG-4 SLS",
        39 => "AAC-ELD",
        42 => "USAC (xHE-AAC)",
        other => return Some(format!("AAC with the object type {other}")),
    };
    Some(kind.to_owned())
}

fn low_complexity(bits: &mut High<'_>) -> Option<String> {
    bits.rate()?;
    let channels = bits.read(4)?;
    if channels > 7 {
        return Some(format!("AAC with the channel configuration {channels}"));
    }
    if bits.short()? {
        return Some("AAC of 960 samples a frame".into());
    }
    if channels == 0 && Layout::read(bits).is_none() {
        return Some("AAC with such a program configuration".into());
    }
    // An extension of the spectrum may be announced behind, where old decoders do not look.
    if bits.read(11)? != 0x2b7 {
        return None;
    }
    (bits.object()? == 5 && bits.read(1)? == 1).then(|| "HE-AAC".into())
}

/// The rate that a description tells.
fn rate(config: &[u8]) -> Option<u32> {
    let mut bits = High { bytes: config, at: 0 };
    bits.object()?;
    bits.rate().filter(|rate| *rate > 0)
}

/// Whether elements have to be told apart: there are more than two channels, or a program configuration names them.
pub(super) fn in_elements(config: Option<&[u8]>, channels: usize) -> bool {
    channels > 2 || config.map_or(channels == 0, |config| program(config).is_some())
}

/// What a description that has a program configuration says of the elements.
fn program(config: &[u8]) -> Option<Layout> {
    let mut bits = High { bytes: config, at: 0 };
    bits.object()?;
    bits.rate()?;
    if bits.read(4)? != 0 {
        return None;
    }
    bits.short()?;
    Layout::read(&mut bits)
}

/// A description that says nothing else than what [`check`] lets pass: some say that they depend on a core
/// coder, which there is none of.
pub(super) fn plain(config: &[u8]) -> Option<Box<[u8]>> {
    let mut bits = High { bytes: config, at: 0 };
    let object = bits.object().filter(|object| *object == 2)?;
    let index = bits.read(4)?;
    let rate = if index == 15 { Some(bits.read(24)?) } else { None };
    let channels = bits.read(4).filter(|channels| *channels > 0)?;
    let mut packed = u64::from(object) << 4 | u64::from(index);
    let mut count = 9;
    if let Some(rate) = rate {
        packed = packed << 24 | u64::from(rate);
        count += 24;
    }
    packed = packed << 4 | u64::from(channels);
    count += 4;
    let bytes = (packed << (64 - count)).to_be_bytes();
    Some(bytes[..usize::div_ceil(count + 3, 8)].into())
}

/// Whether a packet ends with a payload of spectral band replication, which need not be announced: the
/// last element before the end is a fill element that holds it.
pub(in crate::decode) fn extended(packet: &[u8]) -> bool {
    // The end is the element 7, and zeros up to the next byte.
    let Some(&last) = packet.last().filter(|last| **last != 0) else { return false };
    let end = packet.len() * 8 - last.trailing_zeros() as usize;
    if !ends(packet, end) {
        return false;
    }
    let end = end - 3;
    // A fill element: 3 bits of its number, 4 of its length (and 8 more from 15 on), bytes.
    (1..=269).any(|count: usize| {
        let long = count >= 15;
        let length = 7 + if long { 8 } else { 0 } + 8 * count;
        let Some(begin) = end.checked_sub(length) else { return false };
        let mut bits = High { bytes: packet, at: begin };
        let mut fill = || {
            let number = bits.read(3)?;
            let first = bits.read(4)? as usize;
            let said = if first == 15 { first + bits.read(8)? as usize - 1 } else { first };
            let kind = bits.read(4)?;
            Some(number == 6 && said == count && (first == 15) == long && matches!(kind, 13 | 14))
        };
        fill().unwrap_or(false)
    })
}

/// Whether the three bits before `end` are the last element.
fn ends(packet: &[u8], end: usize) -> bool {
    let Some(at) = end.checked_sub(3) else { return false };
    High { bytes: packet, at }.read(3) == Some(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(config: &[u8]) -> String {
        match check(config) {
            Err(Failure::Bad { class: "codec", message }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn low_complexity_is_decoded() {
        check(&[0x12, 0x10]).unwrap();
        check(&[0x12, 0x30]).unwrap();
        check(&[0x12, 0x08]).unwrap();
        // An announced extension that is not there.
        check(&[0x12, 0x10, 0x56, 0xe5, 0x00]).unwrap();
    }

    #[test]
    fn other_kinds_are_refused_by_name() {
        assert_eq!(message(&[0x2b, 0x92, 0x08, 0x00]), "HE-AAC cannot be decoded here");
        assert_eq!(message(&[0xeb, 0x8a, 0x08, 0x00]), "HE-AAC v2 cannot be decoded here");
        assert_eq!(message(&[0x13, 0x90, 0x56, 0xe5, 0x80]), "HE-AAC cannot be decoded here");
        assert_eq!(message(&[0x0a, 0x10]), "AAC Main cannot be decoded here");
        assert_eq!(message(&[0x12, 0x60]), "AAC with the channel configuration 12 cannot be decoded here");
        assert_eq!(message(&[0x12, 0x00]), "AAC with such a program configuration cannot be decoded here");
        assert_eq!(message(&[0x12, 0x14]), "AAC of 960 samples a frame cannot be decoded here");
        assert_eq!(message(&[0xf9, 0x4a, 0x40]), "USAC (xHE-AAC) cannot be decoded here");
    }

    #[test]
    fn the_rate_is_told() {
        assert_eq!(rate(&[0x12, 0x10]), Some(44_100));
        assert_eq!(rate(&[0x10, 0x30]), Some(96_000));
        assert_eq!(rate(&[0x17, 0x80, 0x56, 0x22, 0x10]), Some(44_100));
        assert_eq!(rate(&[0x17]), None);
    }

    #[test]
    fn what_is_not_needed_is_left_out_of_a_description() {
        assert_eq!(plain(&[0x12, 0x12]).as_deref(), Some(&[0x12, 0x10][..]));
        assert_eq!(plain(&[0x12, 0x10, 0x56, 0xe5, 0x00]).as_deref(), Some(&[0x12, 0x10][..]));
        let rate = [0x17, 0x80, 0x56, 0x22, 0x10];
        assert_eq!(plain(&rate).as_deref(), Some(&rate[..]));
    }

    #[test]
    fn an_extension_that_is_not_announced_is_seen_at_the_end_of_a_packet() {
        // A fill element of 3 bytes that begins with 13, then the end.
        let mut bits = String::from("0101101110");
        bits.push_str("110");
        bits.push_str("0011");
        bits.push_str("110100001111000011110000");
        bits.push_str("111");
        while bits.len() % 8 != 0 {
            bits.push('0');
        }
        let packet: Vec<u8> =
            (0..bits.len() / 8).map(|at| u8::from_str_radix(&bits[8 * at..8 * at + 8], 2).unwrap()).collect();
        assert!(extended(&packet));
        let plain = bits.replace("1101000011", "0000000011");
        let packet: Vec<u8> = (0..plain.len() / 8)
            .map(|at| u8::from_str_radix(&plain[8 * at..8 * at + 8], 2).unwrap())
            .collect();
        assert!(!extended(&packet));
        assert!(!extended(&[]) && !extended(&[0]) && !extended(&[7]));
    }
}
