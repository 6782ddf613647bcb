//! Minimises a smooth function: L-BFGS (Nocedal and Wright 2006, algorithm 7.4) with a line search that
//! brackets the weak Wolfe conditions and bisects (Lewis and Overton 2013).

use std::collections::VecDeque;

use etude_pipeline::Error;

/// Steps that are remembered.
const MEMORY: usize = 10;
/// How much of the decrease that the slope promises a step has to bring.
const DECREASE: f64 = 1e-4;
/// How much of the slope may be left after a step.
const CURVATURE: f64 = 0.9;
/// Trials of a line search; after so many the values differ by rounding alone.
const TRIALS: usize = 60;

/// Gives its value and writes its gradient.
pub type Function<'a> = dyn FnMut(&[f64], &mut [f64]) -> Result<f64, Error> + 'a;

/// When to end.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub iterations: usize,
    /// The largest component of the gradient that counts as none.
    pub gradient: f64,
}

/// What was found.
#[derive(Debug)]
pub struct Minimum {
    pub at: Vec<f64>,
    /// Whether the gradient is as small as it was to be.
    pub converged: bool,
}

/// A place, and the function there.
struct Point {
    at: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// Minimises from `start`. An error of the function ends the search.
pub fn minimise(start: Vec<f64>, limits: &Limits, function: &mut Function<'_>) -> Result<Minimum, Error> {
    let mut gradient = vec![0.0; start.len()];
    let value = function(&start, &mut gradient)?;
    let mut point = Point { at: start, value, gradient };
    let mut steps = Steps::default();
    for _ in 0..limits.iterations {
        if point.steepness() <= limits.gradient {
            break;
        }
        let direction = steps.direction(&point.gradient);
        // Nothing is known of the function's curvature before the first step.
        let length = if steps.0.is_empty() { 1.0 / dot(&direction, &direction).sqrt().max(1.0) } else { 1.0 };
        match search(&point, &direction, length, function)? {
            Some(next) => {
                steps.remember(&point, &next);
                point = next;
            }
            None if steps.0.is_empty() => break,
            None => steps.0.clear(),
        }
    }
    Ok(Minimum { converged: point.steepness() <= limits.gradient, at: point.at })
}

impl Point {
    /// The largest component of the gradient.
    fn steepness(&self) -> f64 {
        self.gradient.iter().fold(0.0, |most, part| f64::max(most, part.abs()))
    }
}

/// A point further along a direction that is low and flat enough; none when there is none.
fn search(
    from: &Point,
    direction: &[f64],
    length: f64,
    function: &mut Function<'_>,
) -> Result<Option<Point>, Error> {
    let slope = dot(&from.gradient, direction);
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, length);
    let rounding = 4.0 * f64::EPSILON * from.value.abs();
    for _ in 0..TRIALS {
        let at: Vec<f64> = from.at.iter().zip(direction).map(|(at, way)| at + length * way).collect();
        let mut gradient = vec![0.0; at.len()];
        let value = function(&at, &mut gradient)?;
        let enough = value <= from.value + DECREASE * length * slope + rounding;
        if !enough {
            high = length;
        } else if dot(&gradient, direction) < CURVATURE * slope {
            low = length;
        } else {
            return Ok(Some(Point { at, value, gradient }));
        }
        length = if high.is_finite() { (low + high) / 2.0 } else { 2.0 * low };
    }
    Ok(None)
}

/// A step that was taken, how it changed the gradient, and the inverse of their product.
struct Taken {
    step: Vec<f64>,
    change: Vec<f64>,
    inverse: f64,
}

/// The last steps, the oldest first.
#[derive(Default)]
struct Steps(VecDeque<Taken>);

impl Steps {
    fn remember(&mut self, from: &Point, to: &Point) {
        let difference = |to: &[f64], from: &[f64]| -> Vec<f64> {
            to.iter().zip(from).map(|(to, from)| to - from).collect()
        };
        let (step, change) = (difference(&to.at, &from.at), difference(&to.gradient, &from.gradient));
        let product = dot(&step, &change);
        // Rounding may leave nothing of it.
        if product > 0.0 && product.is_normal() {
            if self.0.len() == MEMORY {
                self.0.pop_front();
            }
            self.0.push_back(Taken { step, change, inverse: 1.0 / product });
        }
    }

    /// Downhill, by the curvature that the steps have found.
    fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut way: Vec<f64> = gradient.iter().map(|part| -part).collect();
        let mut shares = Vec::with_capacity(self.0.len());
        for taken in self.0.iter().rev() {
            let share = taken.inverse * dot(&taken.step, &way);
            add(&mut way, -share, &taken.change);
            shares.push(share);
        }
        if let Some(last) = self.0.back() {
            let scale = 1.0 / (last.inverse * dot(&last.change, &last.change));
            way.iter_mut().for_each(|part| *part *= scale);
        }
        for (taken, share) in self.0.iter().zip(shares.into_iter().rev()) {
            let other = taken.inverse * dot(&taken.change, &way);
            add(&mut way, share - other, &taken.step);
        }
        way
    }
}

/// The inner product, in eight sums that the compiler keeps in vector registers.
pub fn dot(one: &[f64], other: &[f64]) -> f64 {
    let (ones, rest_of_one) = one.as_chunks::<8>();
    let (others, rest_of_other) = other.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (one, other) in ones.iter().zip(others) {
        for lane in 0..8 {
            sums[lane] += one[lane] * other[lane];
        }
    }
    let rest: f64 = rest_of_one.iter().zip(rest_of_other).map(|(one, other)| one * other).sum();
    sums.iter().sum::<f64>() + rest
}

/// Adds `factor` times `other` to `to`.
pub fn add(to: &mut [f64], factor: f64, other: &[f64]) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += factor * other);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { iterations: 1000, gradient: 1e-8 };

    #[test]
    fn finds_the_minimum_of_a_narrow_bowl() {
        // Curvatures from 1 to 100, the minimum at 0, 1, 2, …
        let curvature = |index: usize| 10f64.powf(index as f64 / 10.0);
        let mut calls = 0;
        let mut bowl = |at: &[f64], gradient: &mut [f64]| {
            calls += 1;
            let mut value = 3.0;
            for (index, (at, gradient)) in at.iter().zip(gradient).enumerate() {
                *gradient = curvature(index) * (at - index as f64);
                value += *gradient * (at - index as f64) / 2.0;
            }
            Ok(value)
        };
        let found = minimise(vec![-5.0; 21], &LIMITS, &mut bowl).unwrap();
        assert!(found.converged && calls < 200, "{calls} calls: {found:?}");
        assert!(found.at.iter().enumerate().all(|(index, at)| (at - index as f64).abs() < 1e-7));
    }

    #[test]
    fn finds_its_way_through_the_valley_of_rosenbrock() {
        let mut calls = 0;
        let mut valley = |at: &[f64], gradient: &mut [f64]| {
            calls += 1;
            let (x, y) = (at[0], at[1]);
            gradient[0] = -2.0 * (1.0 - x) - 400.0 * x * (y - x * x);
            gradient[1] = 200.0 * (y - x * x);
            Ok((1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2))
        };
        let found = minimise(vec![-1.2, 1.0], &LIMITS, &mut valley).unwrap();
        assert!(found.converged && calls < 100, "{calls} calls: {found:?}");
        assert!(found.at.iter().all(|at| (at - 1.0).abs() < 1e-6));
    }

    #[test]
    fn says_when_it_did_not_get_there_and_ends_on_an_error() {
        let mut slope = |at: &[f64], gradient: &mut [f64]| {
            gradient[0] = -(-at[0]).exp();
            Ok((-at[0]).exp())
        };
        let limits = Limits { iterations: 3, gradient: 1e-300 };
        let found = minimise(vec![0.0], &limits, &mut slope).unwrap();
        assert!(!found.converged && found.at[0] > 0.0, "{found:?}");
        let mut calls = 0;
        let ended = minimise(vec![0.0], &LIMITS, &mut |at, gradient| {
            calls += 1;
            if calls == 3 { Err(Error::Cancelled) } else { slope(at, gradient) }
        });
        assert!(matches!(ended, Err(Error::Cancelled)));
    }

    #[test]
    fn products_of_any_length() {
        for length in [0, 1, 7, 8, 9, 40] {
            let numbers: Vec<f64> = (0..length).map(f64::from).collect();
            let expected: f64 = numbers.iter().map(|number| number * number).sum();
            assert_eq!(dot(&numbers, &numbers), expected);
        }
    }
}
