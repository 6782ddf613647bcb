//! What numbers are drawn from.

use etude_pipeline::operator::Invalid;

/// A range [low, high] that a number is drawn from, uniformly.
pub type Range = [f64; 2];

/// Whether a range is within limits.
pub fn within(range: Range, (low, high): (f64, f64), unit: &str, name: &str) -> Result<(), Invalid> {
    let right = low <= range[0] && range[0] <= range[1] && range[1] <= high;
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    Invalid::unless(right, name, format!("must be [low, high] with {low} ≤ low ≤ high ≤ {high}{unit}"))
}

/// The probability of a step that says none.
pub fn half() -> f64 {
    0.5
}

/// dB of amplitude as a factor.
pub fn decibels(db: f64) -> f64 {
    10f64.powf(db / 20.0)
}
