//! The head of a frame: RFC 9639, section 9.1.

/// How two channels are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    /// Each by itself; so are more than two.
    Apart,
    LeftSide,
    SideRight,
    MidSide,
}

impl Pair {
    /// Which of both is the difference.
    pub(super) fn difference(self) -> Option<usize> {
        match self {
            Self::Apart => None,
            Self::SideRight => Some(0),
            Self::LeftSide | Self::MidSide => Some(1),
        }
    }
}

/// What the head of a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::decode) struct Frame {
    /// Samples of each channel.
    pub(in crate::decode) length: usize,
    pub(in crate::decode) channels: usize,
    pub(super) pair: Pair,
    /// Of a sample; none when they are those of the stream.
    pub(super) bits: Option<u32>,
}

impl Frame {
    /// Reads the head; and its length in bytes, of which the last is a checksum.
    pub(in crate::decode) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let &[0xff, 0xf8 | 0xf9, sizes, kinds, number] = bytes.first_chunk()? else { return None };
        if kinds & 1 == 1 {
            return None;
        }
        // The number of the frame, or of its first sample, is as long as its first byte says.
        let mut at = 4 + match number.leading_ones() {
            0 => 1,
            ones @ 2..=7 => ones as usize,
            _ => return None,
        };
        let mut take = |count: usize| {
            let value = bytes.get(at..at + count)?;
            at += count;
            Some(value.iter().fold(0, |value, byte| value << 8 | usize::from(*byte)))
        };
        let length = match sizes >> 4 {
            0 => return None,
            1 => 192,
            size @ 2..6 => 576 << (size - 2),
            6 => take(1)? + 1,
            7 => take(2)? + 1,
            size => 256 << (size - 8),
        };
        // The rate is the stream's.
        match sizes & 15 {
            12 => take(1)?,
            13 | 14 => take(2)?,
            15 => return None,
            _ => 0,
        };
        // A checksum.
        take(1)?;
        let (channels, pair) = match kinds >> 4 {
            channels @ 0..8 => (usize::from(channels) + 1, Pair::Apart),
            8 => (2, Pair::LeftSide),
            9 => (2, Pair::SideRight),
            10 => (2, Pair::MidSide),
            _ => return None,
        };
        let bits = match kinds >> 1 & 7 {
            0 => None,
            1 => Some(8),
            2 => Some(12),
            4 => Some(16),
            5 => Some(20),
            6 => Some(24),
            7 => Some(32),
            _ => return None,
        };
        Some((Self { length, channels, pair, bits }, at))
    }
}
