//! Checks of ranges that say what is allowed.

use std::fmt::Display;
use std::ops::RangeInclusive;

use etude_pipeline::operator::Invalid;

/// An error unless `value` is in `range`.
pub fn within<T: PartialOrd + Display>(
    parameter: &str,
    value: &T,
    range: RangeInclusive<T>,
) -> Result<(), Invalid> {
    let message = || format!("must be from {} to {}", range.start(), range.end());
    Invalid::unless(range.contains(value), parameter, message())
}

/// An error unless `value` is above 0 and at most `high`.
pub fn above_zero(parameter: &str, value: f64, high: f64) -> Result<(), Invalid> {
    Invalid::unless(value > 0.0 && value <= high, parameter, format!("must be above 0 and at most {high}"))
}

/// An error unless there are from 1 to `most` numbers, each from 1 to `high`.
pub fn sizes(parameter: &str, values: &[usize], most: usize, high: usize) -> Result<(), Invalid> {
    let right = (1..=most).contains(&values.len()) && values.iter().all(|value| (1..=high).contains(value));
    Invalid::unless(right, parameter, format!("must be 1 to {most} numbers, each from 1 to {high}"))
}
