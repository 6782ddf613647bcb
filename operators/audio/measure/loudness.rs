//! Integrated loudness after EBU R 128.

use ebur128::{EbuR128, Mode};
use etude_pipeline::flow::Block;
use etude_pipeline::operator::Stop;

/// Samples a second, all channels together, that are measured at most: 384 kHz in 8 channels and a
/// little more. What is beyond is a header that lies, and the meter's window is allocated from it.
const MOST: u64 = 4_000_000;

/// The lowest rate that is measured: the K-weighting's shelf at 1.68 kHz has to lie below half of it,
/// or the filter is not stable.
const LOWEST: u32 = 4000;

/// Bytes that a meter takes: a window of 0.4 s, and 8 bytes for each tenth of a second. At 48 kHz in
/// stereo, and for an hour, it is less than this.
pub const MEMORY: u64 = 1 << 20;

/// Below this a block is silence: the absolute gate of ITU-R BS.1770.
const GATE: f64 = -70.0;

/// The integrated loudness of a signal: ITU-R BS.1770-4 with both gates, over blocks of 0.4 s.
///
/// A signal that is shorter than one block is one block of its own length. Channels are taken for
/// left, right, centre, LFE (which does not count), left and right surround; of four for left, right
/// and the surrounds, of five for those without LFE; those after the sixth do not count.
pub struct Loudness {
    meter: EbuR128,
    frames: u64,
    /// Frames of a block.
    block: u64,
}

impl std::fmt::Debug for Loudness {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Loudness").field("frames", &self.frames).finish_non_exhaustive()
    }
}

fn rejected(message: String) -> Stop {
    Stop::Rejected { class: "loudness", offset: String::new(), message }
}

impl Loudness {
    /// What is wrong with a rate that is known before anything runs.
    pub fn check_rate(rate: Option<u32>) -> Result<(), String> {
        match rate.filter(|rate| *rate < LOWEST) {
            Some(rate) => Err(format!("loudness is measured from {LOWEST} Hz on, found {rate} Hz")),
            None => Ok(()),
        }
    }

    /// Of so many channels at that rate.
    pub fn new(channels: u16, rate: u32) -> Result<Self, Stop> {
        let refuse = || {
            rejected(format!(
                "loudness is measured from {LOWEST} Hz on, and of up to {MOST} samples a second, all channels \
                 together; found {channels} channels at {rate} Hz"
            ))
        };
        if rate < LOWEST || u64::from(channels) * u64::from(rate) > MOST {
            return Err(refuse());
        }
        let meter = EbuR128::new(u32::from(channels), rate, Mode::I).map_err(|_| refuse())?;
        Ok(Self { meter, frames: 0, block: (u64::from(rate) + 5) / 10 * 4 })
    }

    /// Takes the frames `from..to` of a block.
    pub fn add(&mut self, block: &Block, from: usize, to: usize) -> Result<(), Stop> {
        let planes: Vec<&[f32]> =
            (0..block.channels()).map(|channel| &block.channel(channel)[from..to]).collect();
        self.frames += (to - from) as u64;
        self.meter.add_frames_planar_f32(&planes).map_err(|error| rejected(error.to_string()))
    }

    /// The integrated loudness in LUFS; −∞ if no block is louder than −70 LUFS.
    pub fn lufs(&self) -> f64 {
        if self.frames >= self.block {
            return self.meter.loudness_global().unwrap_or(f64::NEG_INFINITY);
        }
        // What has not come yet is silence in the meter's window: its mean is over too many frames.
        let window = self.meter.loudness_momentary().unwrap_or(f64::NEG_INFINITY);
        let whole = window + 10.0 * (self.block as f64 / self.frames.max(1) as f64).log10();
        if whole >= GATE { whole } else { f64::NEG_INFINITY }
    }
}
