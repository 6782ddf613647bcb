//! A FLAC encoder that is fast first. `benches/` compares its size and time with libFLAC's and ffmpeg's.
//!
//! Blocks of 4096 samples, fixed and linear predictors, partitioned Rice codes, and nothing that is
//! tried twice. The streams are of the streamable subset wherever the rate and the width allow it.
//! The MD5 of the samples is left out (zeros, "unknown" in the format): it would cost much of what the
//! encoding costs, and every frame has a checksum of its own.
//!
//! Whatever is computed in floating point only chooses between ways to keep the same samples, and is
//! made of operations that every machine rounds alike: the same samples give the same bytes.

mod bits;
pub(crate) mod crc;
mod encoder;
mod fixed;
mod header;
mod lpc;
mod rice;
mod subframe;
#[cfg(test)]
mod tests;

pub use encoder::Encoder;

/// Samples of a channel in a block.
const BLOCK: usize = 4096;
/// The highest rate that a frame can name; decoders refuse the few above it that a stream could.
pub const MAX_RATE: u32 = 655_350;
/// The most channels that the format has.
pub const MAX_CHANNELS: usize = 8;

/// Why samples cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("FLAC has 1 to {MAX_CHANNELS} channels, not {0}")]
    Channels(usize),
    #[error("FLAC has 1 to {MAX_RATE} samples a second, not {0}")]
    Rate(u32),
    #[error("samples of 8 to 24 bits can be encoded, not of {0}")]
    Bits(u32),
    #[error("the channels differ in length: {first} and {other} samples")]
    Lengths { first: usize, other: usize },
    #[error("a sample does not fit into {bits} bits")]
    Range { bits: u32 },
}

/// What is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    rate: u32,
    channels: usize,
    bits: u32,
}

impl Format {
    /// A format, if FLAC can express it.
    pub fn new(rate: u32, channels: usize, bits: u32) -> Result<Self, Error> {
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(Error::Channels(channels));
        }
        if !(1..=MAX_RATE).contains(&rate) {
            return Err(Error::Rate(rate));
        }
        if !(8..=24).contains(&bits) {
            return Err(Error::Bits(bits));
        }
        Ok(Self { rate, channels, bits })
    }
}
