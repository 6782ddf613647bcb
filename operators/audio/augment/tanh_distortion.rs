//! Saturation.

use etude_pipeline::flow::Block;
use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drawing::Drawing;
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

/// The hyperbolic tangent as a ratio of polynomials, relatively off by less than 5e-7.
fn tanh(x: f32) -> f32 {
    // From 9 on it is 1.
    let x = x.clamp(-9.0, 9.0);
    let square = x * x;
    let above = [1.0, 0.133_810_15, 0.003_495_575_3, 2.060_887_3e-5, 1.335_437_7e-8];
    let below = [1.0, 0.467_143_3, 0.025_876_933, 0.000_328_561_4, 7.776_441e-7];
    let polynomial = |[a, b, c, d, e]: [f32; 5]| a + square * (b + square * (c + square * (d + square * e)));
    x * polynomial(above) / polynomial(below)
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

    fn apply(&self, clip: &mut Block, draw: &mut Drawing<'_>) -> Step {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tangent_is_one() {
        for step in 1..=200_000 {
            let x = step as f32 / 10_000.0;
            let expected = f64::from(x).tanh();
            assert!((f64::from(tanh(x)) / expected - 1.0).abs() < 5e-7 && tanh(-x) == -tanh(x), "tanh {x}");
        }
        assert!(tanh(1e-9) == 1e-9 && tanh(1e30) > 0.999_999);
    }
}
