//! The front-end of encoders that look at a spectrogram.

use etude_audio::mel::Mel;
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A mel spectrogram, computed on the device; its constants travel with the checkpoint as these parameters.
///
/// Frames of `n_fft` samples, `hop` apart, without padding: 1 + (samples − n_fft) / hop of them.
/// Periodic Hann window; power spectrum; triangles on the HTK scale, of height 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spectrogram {
    /// Samples of a frame, 16 to 65536.
    #[serde(default = "default_n_fft")]
    #[schemars(range(min = 16, max = 65536))]
    pub n_fft: usize,
    /// Samples from one frame to the next, 1 to 65536.
    #[serde(default = "default_hop")]
    #[schemars(range(min = 1, max = 65536))]
    pub hop: usize,
    /// Mel bands, 1 to 1024.
    #[serde(default = "default_n_mels")]
    #[schemars(range(min = 1, max = 1024))]
    pub n_mels: usize,
    /// Where the lowest band begins, in Hz.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub f_min: f64,
    /// Where the highest band ends, in Hz; half the rate by default.
    #[serde(default)]
    pub f_max: Option<f64>,
    /// What is done to the power of a band.
    #[serde(default)]
    pub compress: Compress,
    /// What is brought to mean 0 and deviation 1.
    #[serde(default)]
    pub standardise: Standardise,
}

/// What is done to the power of a band.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compress {
    /// ln(power + 10⁻⁶).
    #[default]
    Log,
    /// log10(10⁴ · power + 1), as MULE has it.
    Log10,
    /// Nothing, as Myna has it.
    None,
}

/// What is brought to mean 0 and deviation 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standardise {
    /// Each clip as a whole.
    #[default]
    Clip,
    /// Nothing.
    None,
}

fn default_n_fft() -> usize {
    Mel::default().n_fft
}

fn default_hop() -> usize {
    Mel::default().hop
}

fn default_n_mels() -> usize {
    Mel::default().n_mels
}

impl Default for Spectrogram {
    fn default() -> Self {
        Self {
            n_fft: default_n_fft(),
            hop: default_hop(),
            n_mels: default_n_mels(),
            f_min: 0.0,
            f_max: None,
            compress: Compress::default(),
            standardise: Standardise::default(),
        }
    }
}

impl Spectrogram {
    /// Its bands.
    pub fn mel(&self) -> Mel {
        let Self { n_fft, hop, n_mels, f_min, f_max, .. } = *self;
        Mel { n_fft, hop, n_mels, f_min, f_max }
    }

    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        self.mel().check("mel.")
    }

    /// Checks the bands against a rate, and that a clip holds a frame.
    pub fn check_signal(&self, rate: u32, frames: u64) -> Result<(), String> {
        self.mel().check_rate(rate)?;
        if frames < self.n_fft as u64 {
            return Err(format!("clips of {frames} samples are shorter than `n_fft`, {}", self.n_fft));
        }
        Ok(())
    }

    /// Frames of a clip.
    pub fn frames(&self, samples: u64) -> u64 {
        samples.checked_sub(self.n_fft as u64).map_or(0, |rest| 1 + rest / self.hop as u64)
    }
}
