//! Peaks cut off.

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clip::Clip;
use super::drawing::Drawing;
use super::quantile::quantiles;
use super::range::{Range, half, within};
use super::step::Change;

/// Cuts off its peaks, above and below.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clipping {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// How many percent of all samples are cut off at least and at most, 0 to 100, half of them at each end.
    #[serde(default = "percent")]
    percent: Range,
}

fn percent() -> Range {
    [0.0, 40.0]
}

impl Change for Clipping {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.percent, (0.0, 100.0), "%", "percent")
    }

    fn draws(&self) -> &'static [&'static str] {
        &["percent"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let half = draw.number(0, self.percent) / 200.0;
        let [low, high] = quantiles(clip.samples(), [half, 1.0 - half], |sample| sample);
        // Of half the samples each the two are one.
        let high = high.max(low);
        clip.samples_mut().iter_mut().for_each(|sample| *sample = sample.max(low).min(high));
        Ok(())
    }
}
