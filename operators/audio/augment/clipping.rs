//! Peaks cut off.

use etude_pipeline::flow::Block;
use etude_pipeline::operator::Invalid;
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range::{Range, draw, half, within};
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

/// The value below which a fraction of all values lies, between two of them in a straight line (as NumPy has it). The
/// values come into another order.
pub fn quantile(values: &mut [f32], fraction: f64) -> f32 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let place = fraction * last as f64;
    let below = (place.floor() as usize).min(last);
    let (_, low, rest) = values.select_nth_unstable_by(below, f32::total_cmp);
    let low = *low;
    let high = rest.iter().copied().min_by(f32::total_cmp).unwrap_or(low);
    low + (f64::from(high - low) * (place - below as f64)) as f32
}

impl Change for Clipping {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.percent, (0.0, 100.0), "%", "percent")
    }

    fn apply(&self, clip: &mut Block, _: u32, random: &mut Random) {
        let half = draw(self.percent, random) / 200.0;
        let mut sorted = clip.samples().to_vec();
        let (low, high) = (quantile(&mut sorted, half), quantile(&mut sorted, 1.0 - half));
        // Of half the samples each the two are one.
        clip.samples_mut().iter_mut().for_each(|sample| *sample = sample.max(low).min(high.max(low)));
    }
}
