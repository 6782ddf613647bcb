//! The headers of the stream and of a frame.

use super::bits::Bits;
use super::crc::crc8;
use super::{BLOCK, Format};

/// Bytes up to the first frame: the marker, one metadata block's header, STREAMINFO.
const STREAM: usize = 4 + 4 + 34;

/// What the stream's header says that is known only at its end.
pub struct Totals {
    /// Frames (samples of one channel).
    pub samples: u64,
    /// Bytes of the shortest and of the longest coded frame.
    pub shortest: usize,
    pub longest: usize,
}

/// Leaves room for the stream's header.
pub fn begin(bits: &mut Bits) {
    for _ in 0..STREAM {
        bits.put(0, 8);
    }
}

/// Fills it in.
pub fn finish(bits: &mut Bits, format: Format, totals: &Totals) {
    let mut header = [0; STREAM];
    header[..4].copy_from_slice(b"fLaC");
    // The last metadata block, STREAMINFO, and its length.
    header[4..8].copy_from_slice(&[0x80, 0, 0, 34]);
    // The last block may be shorter than the shortest: these two being equal says that all others
    // have this length.
    header[8..10].copy_from_slice(&(BLOCK as u16).to_be_bytes());
    header[10..12].copy_from_slice(&(BLOCK as u16).to_be_bytes());
    let three = |bytes: usize| {
        // Zero is "unknown".
        let [a, b, c, d] = u32::try_from(bytes).unwrap_or(0).to_be_bytes();
        if a == 0 { [b, c, d] } else { [0; 3] }
    };
    header[12..15].copy_from_slice(&three(totals.shortest));
    header[15..18].copy_from_slice(&three(totals.longest));
    let samples = if totals.samples >> 36 == 0 { totals.samples } else { 0 };
    let word = u64::from(format.rate) << 44
        | (format.channels as u64 - 1) << 41
        | u64::from(format.bits - 1) << 36
        | samples;
    header[18..26].copy_from_slice(&word.to_be_bytes());
    // The MD5 of the samples stays zero, which is "unknown".
    bits.bytes_mut()[..STREAM].copy_from_slice(&header);
}

/// How the channels of a frame are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignment {
    Independent,
    LeftSide,
    SideRight,
    MidSide,
}

/// Writes a frame's header, which begins at a whole byte.
pub fn frame(bits: &mut Bits, format: Format, assignment: Assignment, number: u64, length: usize) {
    let begin = bits.len();
    // The synchronisation code, a reserved zero, and zero for blocks of a fixed length.
    bits.put(0b1111_1111_1111_1000, 16);
    let (length_code, length_bits) = match length {
        BLOCK => (0b1100, 0),
        1..=256 => (0b0110, 8),
        _ => (0b0111, 16),
    };
    bits.put(length_code, 4);
    let (rate_code, rate_value, rate_bits) = rate(format.rate);
    bits.put(rate_code, 4);
    let channels = match assignment {
        Assignment::Independent => format.channels as u64 - 1,
        Assignment::LeftSide => 8,
        Assignment::SideRight => 9,
        Assignment::MidSide => 10,
    };
    bits.put(channels, 4);
    let width = match format.bits {
        8 => 1,
        12 => 2,
        16 => 4,
        20 => 5,
        24 => 6,
        // As the stream's header says.
        _ => 0,
    };
    // Behind it another reserved zero.
    bits.put(width << 1, 4);
    coded_number(bits, number);
    if length_bits > 0 {
        bits.put(length as u64 - 1, length_bits);
    }
    if rate_bits > 0 {
        bits.put(u64::from(rate_value), rate_bits);
    }
    let crc = crc8(&bits.bytes()[begin..]);
    bits.put(u64::from(crc), 8);
}

/// The code of a rate, and the number and its width at the header's end.
fn rate(rate: u32) -> (u64, u32, u32) {
    let known = [88_200, 176_400, 192_000, 8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
    match known.iter().position(|&known| known == rate) {
        Some(place) => (place as u64 + 1, 0, 0),
        None if rate.is_multiple_of(1000) && rate <= 255_000 => (12, rate / 1000, 8),
        None if rate <= 65_535 => (13, rate, 16),
        None if rate.is_multiple_of(10) && rate <= 655_350 => (14, rate / 10, 16),
        // As the stream's header says.
        None => (0, 0, 0),
    }
}

/// A number of up to 36 bits as UTF-8 would code it.
fn coded_number(bits: &mut Bits, number: u64) {
    if number < 0x80 {
        bits.put(number, 8);
        return;
    }
    let width = u64::BITS - number.leading_zeros();
    // A byte behind the first has six bits, and each costs the first one.
    let behind = (1..=6).find(|behind| width <= if *behind == 6 { 36 } else { 6 + 5 * behind }).unwrap_or(6);
    let first = 0xff << (7 - behind) & 0xff | number >> (6 * behind);
    bits.put(first, 8);
    for index in (0..behind).rev() {
        bits.put(0x80 | number >> (6 * index) & 0x3f, 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_coded_as_utf8() {
        for number in [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd000, 0xffff, 0x1_0000, 0x10_ffff] {
            let mut bits = Bits::default();
            coded_number(&mut bits, u64::from(number));
            let expected = char::from_u32(number).unwrap().to_string();
            assert_eq!(bits.bytes(), expected.as_bytes(), "{number:x}");
        }
        let mut bits = Bits::default();
        coded_number(&mut bits, (1 << 36) - 1);
        assert_eq!(bits.bytes(), [0xfe, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]);
        bits.clear();
        coded_number(&mut bits, 0x7fff_ffff);
        assert_eq!(bits.bytes(), [0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]);
    }
}
