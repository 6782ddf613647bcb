//! What frames are weighed with.

use std::f64::consts::TAU;

use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What frames are weighed with: periodic windows, as `scipy.signal.get_window` and torch give them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// 0.5 − 0.5 · cos(2πn / length).
    #[default]
    Hann,
    /// 0.54 − 0.46 · cos(2πn / length).
    Hamming,
    /// 0.42 − 0.5 · cos(2πn / length) + 0.08 · cos(4πn / length).
    Blackman,
    /// Ones all through.
    Rectangular,
}

impl Window {
    /// Its `length` values in the middle of `n_fft`; zeros on both sides of them.
    pub fn values(self, length: usize, n_fft: usize) -> Vec<f32> {
        let left = (n_fft - length.min(n_fft)) / 2;
        let value = |n: usize| {
            let angle = TAU * n as f64 / length as f64;
            (match self {
                Self::Hann => 0.5 - 0.5 * angle.cos(),
                Self::Hamming => 0.54 - 0.46 * angle.cos(),
                Self::Blackman => 0.42 - 0.5 * angle.cos() + 0.08 * (2.0 * angle).cos(),
                Self::Rectangular => 1.0,
            }) as f32
        };
        let mut values = vec![0.0; n_fft];
        values[left..].iter_mut().take(length).enumerate().for_each(|(n, weight)| *weight = value(n));
        values
    }
}

/// Checks a window's length; `prefix` leads to the parameter.
pub fn check_length(length: Option<usize>, n_fft: usize, prefix: &str) -> Result<(), Invalid> {
    let right = length.is_none_or(|length| (2..=n_fft).contains(&length));
    Invalid::unless(right, &format!("{prefix}window_length"), "must be from 2 to n_fft")
}
