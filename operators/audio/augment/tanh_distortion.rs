//! Saturation.

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clip::Clip;
use super::drawing::Drawing;
use super::functions::tanh;
use super::level::rms;
use super::quantile::quantiles;
use super::range::{Range, half, within};
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

impl Change for TanhDistortion {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.distortion, (0.0, 1.0), "", "distortion")
    }

    fn draws(&self) -> &'static [&'static str] {
        &["distortion"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let distortion = draw.number(0, self.distortion);
        let [threshold] = quantiles(clip.samples(), [1.0 - 0.99 * distortion], f32::abs);
        let (gain, before) = (0.5 / (threshold + 1e-6), rms(clip.samples()));
        clip.samples_mut().iter_mut().for_each(|sample| *sample = tanh(gain * *sample));
        let after = rms(clip.samples());
        if after > 1e-9 {
            let scale = (before / after) as f32;
            clip.samples_mut().iter_mut().for_each(|sample| *sample *= scale);
        }
        Ok(())
    }
}
