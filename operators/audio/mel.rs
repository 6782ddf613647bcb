//! The mel scale: one definition for the data path and for encoders.

use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Added to the power before the logarithm.
pub const LOG_OFFSET: f32 = 1e-6;

/// A log-mel spectrogram: ln(mel power + 10⁻⁶).
///
/// Frames of `n_fft` samples, `hop` apart, without padding: 1 + (samples − n_fft) / hop of them.
/// Periodic Hann window; power spectrum; triangles on the HTK scale, 2595 · log10(1 + f / 700),
/// of height 1 (librosa's `mel(htk=True, norm=None)`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mel {
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
}

fn default_n_fft() -> usize {
    512
}

fn default_hop() -> usize {
    160
}

fn default_n_mels() -> usize {
    64
}

impl Default for Mel {
    fn default() -> Self {
        Self { n_fft: default_n_fft(), hop: default_hop(), n_mels: default_n_mels(), f_min: 0.0, f_max: None }
    }
}

impl Mel {
    /// Checks the ranges; `prefix` leads to the parameters, such as `encoder.cnn.mel.`.
    pub fn check(&self, prefix: &str) -> Result<(), Invalid> {
        let at = |name: &str| format!("{prefix}{name}");
        Invalid::unless((16..=65536).contains(&self.n_fft), &at("n_fft"), "must be from 16 to 65536")?;
        Invalid::unless((1..=65536).contains(&self.hop), &at("hop"), "must be from 1 to 65536")?;
        Invalid::unless((1..=1024).contains(&self.n_mels), &at("n_mels"), "must be from 1 to 1024")?;
        Invalid::unless(self.f_min >= 0.0 && self.f_min.is_finite(), &at("f_min"), "must be 0 Hz or more")?;
        let right = self.f_max.is_none_or(|f_max| f_max > self.f_min && f_max.is_finite());
        Invalid::unless(right, &at("f_max"), "must be above f_min")
    }

    /// Checks the bands against a rate.
    pub fn check_rate(&self, rate: u32) -> Result<(), String> {
        let nyquist = f64::from(rate) / 2.0;
        let f_max = self.f_max.unwrap_or(nyquist);
        if f_max > nyquist || self.f_min >= f_max {
            return Err(format!(
                "mel bands from {} to {f_max} Hz do not fit below half the rate, {nyquist} Hz",
                self.f_min
            ));
        }
        Ok(())
    }

    /// Frames of a signal of that many samples.
    pub fn frames(&self, samples: u64) -> u64 {
        samples.checked_sub(self.n_fft as u64).map_or(0, |rest| 1 + rest / self.hop as u64)
    }
}

fn to_mel(hz: f64) -> f64 {
    2595.0 * (1.0 + hz / 700.0).log10()
}

fn to_hz(mel: f64) -> f64 {
    700.0 * (10f64.powf(mel / 2595.0) - 1.0)
}

/// The weights of the bands: [n_mels, n_fft / 2 + 1], row after row.
pub fn filterbank(mel: &Mel, rate: u32) -> Vec<f32> {
    let (low, high) = (to_mel(mel.f_min), to_mel(mel.f_max.unwrap_or(f64::from(rate) / 2.0)));
    let edges: Vec<f64> = (0..mel.n_mels + 2)
        .map(|edge| to_hz(low + (high - low) * edge as f64 / (mel.n_mels + 1) as f64))
        .collect();
    let bins = mel.n_fft / 2 + 1;
    let mut weights = Vec::with_capacity(mel.n_mels * bins);
    for edge in edges.windows(3) {
        for bin in 0..bins {
            let hz = bin as f64 * f64::from(rate) / mel.n_fft as f64;
            let (rise, fall) = ((hz - edge[0]) / (edge[1] - edge[0]), (edge[2] - hz) / (edge[2] - edge[1]));
            weights.push(rise.min(fall).max(0.0) as f32);
        }
    }
    weights
}

/// The periodic Hann window, `n_fft` values.
pub fn window(mel: &Mel) -> Vec<f32> {
    let n = mel.n_fft as f64;
    (0..mel.n_fft).map(|i| (0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / n).cos()) as f32).collect()
}
