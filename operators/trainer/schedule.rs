//! The learning rate over time.

use std::f64::consts::PI;

use etude_learning::optimizer as parameters;
use etude_learning::optimizer::{Cosine, Polynomial};
use serde::{Deserialize, Serialize};

/// A schedule, and what a plateau has seen so far.
pub struct Schedule {
    parameters: parameters::Schedule,
    base: f64,
    total: u64,
    warm_up: u64,
    pub seen: Seen,
}

/// What a plateau has seen so far: part of the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// What the rate has been multiplied by.
    #[serde(with = "bits")]
    factor: f64,
    /// The lowest loss, and the epochs since.
    #[serde(with = "some_bits")]
    lowest: Option<f64>,
    since: usize,
}

/// A number by its bits: what is read is what was written.
mod bits {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.to_bits().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

mod some_bits {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(f64::to_bits).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(f64::from_bits))
    }
}

impl Schedule {
    /// From the highest rate, over `total` steps.
    pub fn new(parameters: &parameters::Schedule, base: f64, total: u64) -> Self {
        let warm_up = (parameters.warm_up() * total as f64).round() as u64;
        let seen = Seen { factor: 1.0, lowest: None, since: 0 };
        Self { parameters: parameters.clone(), base, total, warm_up, seen }
    }

    /// The learning rate of a step, from 0: linear from base / warm-up to base, then as the schedule has it; the end
    /// is reached at `total`.
    pub fn learning_rate(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return self.base * (step + 1) as f64 / self.warm_up as f64;
        }
        let left = self.total.saturating_sub(step) as f64 / (self.total - self.warm_up).max(1) as f64;
        let share = match &self.parameters {
            parameters::Schedule::Constant(_) => 1.0,
            parameters::Schedule::Cosine(Cosine { end, .. }) => {
                end + (1.0 - end) * (1.0 - (PI * left).cos()) / 2.0
            }
            parameters::Schedule::Polynomial(Polynomial { power, end, .. }) => {
                end + (1.0 - end) * left.powf(*power)
            }
            parameters::Schedule::Plateau(_) => self.seen.factor,
        };
        self.base * share
    }

    /// Tells the mean loss of an epoch.
    pub fn epoch(&mut self, loss: f64) {
        let parameters::Schedule::Plateau(plateau) = &self.parameters else { return };
        let seen = &mut self.seen;
        if seen.lowest.is_none_or(|lowest| loss < lowest - lowest.abs() * plateau.threshold) {
            seen.lowest = Some(loss);
            seen.since = 0;
            return;
        }
        seen.since += 1;
        if seen.since > plateau.patience {
            seen.factor *= plateau.factor;
            seen.since = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(yaml: serde_json::Value, total: u64) -> Schedule {
        Schedule::new(&serde_json::from_value(yaml).unwrap(), 0.2, total)
    }

    fn assert_close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-12, "{left} {right}");
    }

    #[test]
    fn warms_up_in_equal_steps() {
        for name in ["constant", "cosine", "polynomial", "plateau"] {
            let schedule = schedule(serde_json::json!({name: {"warm_up": 0.04}}), 100);
            for step in 0..4 {
                assert_close(schedule.learning_rate(step), 0.05 * (step + 1) as f64);
            }
        }
    }

    #[test]
    fn falls_along_half_a_cosine() {
        let schedule = schedule(serde_json::json!({"cosine": {"warm_up": 0.0, "end": 0.1}}), 100);
        assert_close(schedule.learning_rate(0), 0.2);
        assert_close(schedule.learning_rate(50), 0.2 * (0.1 + 0.9 * 0.5));
        assert_close(schedule.learning_rate(100), 0.02);
    }

    #[test]
    fn falls_by_a_power() {
        let line = schedule(serde_json::json!({"polynomial": {"warm_up": 0.5}}), 100);
        assert_close(line.learning_rate(75), 0.1);
        let square =
            schedule(serde_json::json!({"polynomial": {"warm_up": 0.5, "power": 2.0, "end": 0.5}}), 100);
        assert_close(square.learning_rate(75), 0.2 * (0.5 + 0.5 * 0.25));
    }

    #[test]
    fn falls_when_the_loss_does_not() {
        // torch.optim.lr_scheduler.ReduceLROnPlateau(factor=.5, patience=1, threshold=.1) gives these rates.
        let mut schedule =
            schedule(serde_json::json!({"plateau": {"factor": 0.5, "patience": 1, "threshold": 0.1}}), 100);
        let losses = [10.0, 8.0, 7.9, 7.5, 7.4, 7.0, 6.9, 6.8, 1.0];
        let factors: Vec<f64> = losses
            .iter()
            .map(|loss| {
                schedule.epoch(*loss);
                schedule.learning_rate(50) / 0.2
            })
            .collect();
        assert_eq!(factors, [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]);
    }

    #[test]
    fn what_was_seen_is_kept_to_the_bit() {
        let seen =
            Seen { factor: 0.1f64.powi(4) * 1.000_000_000_000_000_2, lowest: Some(1.0 / 3.0e-7), since: 3 };
        let text = serde_json::to_string(&seen).unwrap();
        assert_eq!(serde_json::from_str::<Seen>(&text).unwrap(), seen);
    }

    #[test]
    fn edges_are_finite() {
        for total in [0, 1, 10] {
            let schedule = schedule(serde_json::json!({"cosine": {"warm_up": 1.0}}), total);
            assert!((0..=total + 1).all(|step| schedule.learning_rate(step).is_finite()));
        }
    }
}
