//! What is measured of audio while it streams by: level, clipping and loudness.
//!
//! Nothing here depends on how a signal is cut into blocks, down to the last bit.

mod level;
mod loudness;
#[cfg(test)]
mod tests;

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::Stop;

pub use level::{FULL_SCALE, Level};
pub use loudness::{Loudness, MEMORY};

/// What is known of a signal so far.
#[derive(Debug)]
pub struct Measure {
    level: Level,
    loudness: Option<Loudness>,
}

impl Measure {
    /// Nothing measured yet. Loudness costs more than all the rest, so it has to be asked for.
    pub fn new(header: &Header, loudness: bool) -> Result<Self, Stop> {
        let loudness = loudness.then(|| Loudness::new(header.channels, header.rate)).transpose()?;
        Ok(Self { level: Level::new(usize::from(header.channels)), loudness })
    }

    /// Takes the frames `from..to` of a block.
    pub fn add(&mut self, block: &Block, from: usize, to: usize) -> Result<(), Stop> {
        self.level.add(block, from, to);
        self.loudness.as_mut().map_or(Ok(()), |loudness| loudness.add(block, from, to))
    }

    /// Level and clipping.
    pub fn level(&self) -> &Level {
        &self.level
    }

    /// The integrated loudness in LUFS, −∞ for silence and where it was not asked for.
    pub fn lufs(&self) -> f64 {
        self.loudness.as_ref().map_or(f64::NEG_INFINITY, Loudness::lufs)
    }
}

/// A factor of amplitude in dB, −∞ for 0.
pub fn to_db(factor: f64) -> f64 {
    20.0 * factor.log10()
}

/// dB as a factor of amplitude.
pub fn from_db(db: f64) -> f64 {
    10f64.powf(db / 20.0)
}
