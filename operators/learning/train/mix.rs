//! Mixing within a batch: what a view becomes depends on its batch mates, so it is done when they are known.

use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::range::{above_zero, within};

/// Mixes a part of another clip of the batch into a view (MERT, Li et al. 2023). Keyed on seed, stage and step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchMix {
    /// The probability for each view.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    pub p: f64,
    /// Lowest and highest ratio of the view's power to that of what is mixed in, in dB, −100 to 100.
    #[serde(default = "snr")]
    pub snr_db: [f64; 2],
    /// Least and most seconds of the part, above 0 and at most 3600; the whole clip by default. It is put where it was
    /// taken from.
    #[serde(default)]
    pub seconds: Option<[f64; 2]>,
}

/// Replaces each view x by λ·x + (1 − λ)·y, where y is the same view of another clip of the batch and λ is drawn from a
/// beta distribution (mixup, Zhang et al. 2018; MULE draws from Beta(5, 2)). Targets are not mixed. Keyed on seed, stage
/// and step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mixup {
    /// The probability for each view.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1))]
    pub p: f64,
    /// The two parameters of the beta distribution, each above 0 and at most 1000.
    #[serde(default = "beta")]
    pub beta: [f64; 2],
}

fn half() -> f64 {
    0.5
}

fn one() -> f64 {
    1.0
}

fn snr() -> [f64; 2] {
    [3.0, 30.0]
}

fn beta() -> [f64; 2] {
    [5.0, 2.0]
}

impl BatchMix {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        within("batch_mix.p", &self.p, 0.0..=1.0)?;
        let [low, high] = self.snr_db;
        let right = -100.0 <= low && low <= high && high <= 100.0;
        Invalid::unless(
            right,
            "batch_mix.snr_db",
            "must be two numbers from -100 to 100 dB, the lower one first",
        )?;
        let right = self.seconds.is_none_or(|[low, high]| 0.0 < low && low <= high && high <= 3600.0);
        let message = "must be two numbers of seconds above 0 and at most 3600, the lower one first";
        Invalid::unless(right, "batch_mix.seconds", message)
    }
}

impl Mixup {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        within("mixup.p", &self.p, 0.0..=1.0)?;
        self.beta.iter().try_for_each(|parameter| above_zero("mixup.beta", *parameter, 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn ranges_are_enforced_with_the_parameters_name() {
        let batch_mix = |name: &str, value: Value| {
            serde_json::from_value::<BatchMix>(json!({name: value}))
                .unwrap()
                .check()
                .map_err(|wrong| wrong.parameter)
        };
        let mixup = |name: &str, value: Value| {
            serde_json::from_value::<Mixup>(json!({name: value}))
                .unwrap()
                .check()
                .map_err(|wrong| wrong.parameter)
        };
        assert_eq!((batch_mix("p", json!(1)), mixup("p", json!(1))), (Ok(()), Ok(())));
        for p in [json!(-0.1), json!(1.1)] {
            assert_eq!(batch_mix("p", p.clone()), Err("batch_mix.p".into()));
            assert_eq!(mixup("p", p), Err("mixup.p".into()));
        }
        for snr in [json!([-101, 0]), json!([0, 101]), json!([10, 5])] {
            assert_eq!(batch_mix("snr_db", snr), Err("batch_mix.snr_db".into()));
        }
        for seconds in [json!([0, 1]), json!([2, 1]), json!([1, 3601])] {
            assert_eq!(batch_mix("seconds", seconds), Err("batch_mix.seconds".into()));
        }
        for beta in [json!([0, 1]), json!([1, 0]), json!([1, 1001])] {
            assert_eq!(mixup("beta", beta), Err("mixup.beta".into()));
        }
    }
}
