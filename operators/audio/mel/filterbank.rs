//! The triangles of a mel spectrogram.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Mel;

/// How high a band's triangle is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// A height of 1.
    #[default]
    None,
    /// 2 / its width in Hz, so that all have the same area.
    Slaney,
}

/// The weights of the bands: [n_mels, n_fft / 2 + 1], row after row.
pub fn filterbank(mel: &Mel, rate: u32) -> Vec<f32> {
    let (low, high) = (mel.scale.mel(mel.f_min), mel.scale.mel(mel.f_max.unwrap_or(f64::from(rate) / 2.0)));
    let edges: Vec<f64> = (0..mel.n_mels + 2)
        .map(|edge| mel.scale.hz(low + (high - low) * edge as f64 / (mel.n_mels + 1) as f64))
        .collect();
    let bins = mel.n_fft / 2 + 1;
    let mut weights = Vec::with_capacity(mel.n_mels * bins);
    for edge in edges.windows(3) {
        let height = match mel.norm {
            Norm::None => 1.0,
            Norm::Slaney => 2.0 / (edge[2] - edge[0]),
        };
        for bin in 0..bins {
            let hz = bin as f64 * f64::from(rate) / mel.n_fft as f64;
            let (rise, fall) = ((hz - edge[0]) / (edge[1] - edge[0]), (edge[2] - hz) / (edge[2] - edge[1]));
            weights.push((height * rise.min(fall).max(0.0)) as f32);
        }
    }
    weights
}
