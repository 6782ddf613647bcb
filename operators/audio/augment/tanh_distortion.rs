//! Saturation.

use etude_pipeline::flow::Block;
use etude_pipeline::operator::Invalid;
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clipping::quantile;
use super::range::{Range, draw, half, within};
use super::step::Change;

/// Saturates it by the hyperbolic tangent; it stays as loud as it was (RMS).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TanhDistortion {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// The least and most distortion, 0 to 1: how many of the loudest samples are driven beyond 0.5 before they are
    /// saturated, from 0 to 99 % of them.
    #[serde(default = "distortion")]
    distortion: Range,
}

fn distortion() -> Range {
    [0.01, 0.7]
}

fn rms(samples: &[f32]) -> f64 {
    let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (power / samples.len().max(1) as f64).sqrt()
}

impl Change for TanhDistortion {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.distortion, (0.0, 1.0), "", "distortion")
    }

    fn apply(&self, clip: &mut Block, _: u32, random: &mut Random) {
        let distortion = draw(self.distortion, random);
        let mut loudness: Vec<f32> = clip.samples().iter().map(|sample| sample.abs()).collect();
        let threshold = quantile(&mut loudness, 1.0 - 0.99 * distortion);
        let (gain, before) = (0.5 / (threshold + 1e-6), rms(clip.samples()));
        clip.samples_mut().iter_mut().for_each(|sample| *sample = (gain * *sample).tanh());
        let after = rms(clip.samples());
        if after > 1e-9 {
            let scale = (before / after) as f32;
            clip.samples_mut().iter_mut().for_each(|sample| *sample *= scale);
        }
    }
}
