//! Linear prediction of low order.
//!
//! Only additions, multiplications, divisions and roots, in a fixed order: the same samples give the
//! same coefficients everywhere.

use multiversion::{inherit_target, multiversion};

use super::fixed::fold;

/// The highest order; more than 12 would be outside the streamable subset.
pub const ORDER: usize = 8;
/// Bits of a coefficient, its sign among them.
pub const PRECISION: u32 = 13;
/// Correlations: lags 0 to `ORDER`.
pub type Correlation = [f64; ORDER + 1];

/// A predictor as the format keeps it. The first coefficient is of the latest sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Predictor {
    pub order: usize,
    pub coefficients: [i16; ORDER],
    pub shift: u32,
}

/// The window: flat in the middle, with half its length in its smooth ends. No cosine: libraries do
/// not agree on its last bit.
pub fn window(length: usize, window: &mut Vec<f32>) {
    let ramp = (length / 4).max(1);
    window.clear();
    window.extend((0..length).map(|at| {
        let edge = at.min(length - 1 - at);
        let place = ((edge as f32 + 0.5) / ramp as f32).min(1.0);
        place * place * (3.0 - 2.0 * place)
    }));
}

/// The correlations of windowed samples. `windowed` is scratch.
#[multiversion(targets("x86_64+avx2"))]
pub fn correlate(samples: &[i32], window: &[f32], windowed: &mut Vec<f32>) -> Correlation {
    /// Samples that are summed in single precision.
    const RUN: usize = 256;
    const LANES: usize = 8;

    /// The sums of products at all lags, each in lanes of its own. Not inlined: the compiler would keep them
    /// in memory.
    #[inherit_target]
    #[inline(never)]
    fn products(windowed: &[f32]) -> [[f32; LANES]; ORDER + 1] {
        let mut sums = [[0.0; LANES]; ORDER + 1];
        for samples in windowed.windows(LANES + ORDER).step_by(LANES) {
            // An inclusive range would not be unrolled.
            for lag in 0..ORDER + 1 {
                for lane in 0..LANES {
                    sums[lag][lane] += samples[lane] * samples[lane + lag];
                }
            }
        }
        sums
    }

    windowed.clear();
    windowed.extend(samples.iter().zip(window).map(|(&sample, weight)| sample as f32 * weight));
    let length = windowed.len().next_multiple_of(LANES);
    windowed.resize(length + ORDER, 0.0);
    let mut correlation = [0.0; ORDER + 1];
    for begin in (0..length).step_by(RUN) {
        let end = length.min(begin + RUN);
        for (total, lanes) in correlation.iter_mut().zip(products(&windowed[begin..end + ORDER])) {
            // In this order whatever the processor.
            let [a, b, c, d, e, f, g, h] = lanes;
            *total += f64::from(((a + e) + (c + g)) + ((b + f) + (d + h)));
        }
    }
    correlation
}

/// The predictors of all orders, the latest sample's coefficient first, and their errors; the error
/// of order 0 is the energy.
pub struct Ladder {
    pub coefficients: [[f64; ORDER]; ORDER],
    pub errors: [f64; ORDER + 1],
}

/// Levinson and Durbin's recursion.
pub fn ladder(correlation: &Correlation) -> Ladder {
    let mut ladder = Ladder { coefficients: [[0.0; ORDER]; ORDER], errors: [correlation[0]; ORDER + 1] };
    let mut current = [0.0; ORDER];
    let mut error = correlation[0];
    for order in 0..ORDER {
        let mut reflection = correlation[order + 1];
        for index in 0..order {
            reflection -= current[index] * correlation[order - index];
        }
        reflection /= error;
        let before = current;
        current[order] = reflection;
        for index in 0..order {
            current[index] = before[index] - reflection * before[order - 1 - index];
        }
        error *= 1.0 - reflection * reflection;
        // What is left below the rounding of the correlations means nothing.
        if !error.is_finite() || error <= correlation[0] * 1e-9 {
            error = f64::INFINITY;
        }
        ladder.errors[order + 1] = error;
        ladder.coefficients[order] = current;
    }
    ladder
}

/// A predictor in whole numbers; none where the format has no room for it.
pub fn quantise(coefficients: &[f64]) -> Option<Predictor> {
    const MOST: f64 = ((1 << (PRECISION - 1)) - 1) as f64;
    let largest = coefficients.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    // A shift of none would let a prediction have 32 bits.
    let shift = (1..=15).rev().find(|&shift| largest * f64::from(1u32 << shift) <= MOST)?;
    let mut predictor = Predictor { order: coefficients.len(), coefficients: [0; ORDER], shift };
    let mut error = 0.0;
    for (to, value) in predictor.coefficients.iter_mut().zip(coefficients) {
        let exact = value * f64::from(1u32 << shift) + error;
        let whole = exact.round().clamp(-MOST, MOST);
        error = exact - whole;
        *to = whole as i16;
    }
    largest.is_finite().then_some(predictor)
}

/// What a predictor does not predict of samples of at most 17 bits, folded; zero for the first ones.
///
/// 8 coefficients below 2¹² and such samples: sums have 32 bits. Samples that are kept in 16 bits are
/// multiplied faster.
#[multiversion(targets("x86_64+avx2"))]
pub fn residual_narrow<S: Copy + Into<i32>>(samples: &[S], predictor: &Predictor, folded: &mut [u32]) {
    const TILE: usize = 16;
    let order = predictor.order;
    let coefficients = &predictor.coefficients[..order];
    folded[..order].fill(0);
    let mut at = order;
    while at + TILE <= samples.len() {
        let mut sums = [0i32; TILE];
        for (back, &coefficient) in coefficients.iter().enumerate() {
            let from = &samples[at - 1 - back..][..TILE];
            for lane in 0..TILE {
                sums[lane] = sums[lane].wrapping_add(i32::from(coefficient).wrapping_mul(from[lane].into()));
            }
        }
        let (from, to) = (&samples[at..at + TILE], &mut folded[at..at + TILE]);
        for lane in 0..TILE {
            to[lane] = fold(from[lane].into() - (sums[lane] >> predictor.shift));
        }
        at += TILE;
    }
    for at in at..samples.len() {
        let mut sum = 0i32;
        for (back, &coefficient) in coefficients.iter().enumerate() {
            sum += i32::from(coefficient) * samples[at - 1 - back].into();
        }
        folded[at] = fold(samples[at].into() - (sum >> predictor.shift));
    }
}

/// The same for wider samples; false where a residual would not fit.
pub fn residual(samples: &[i32], predictor: &Predictor, folded: &mut [u32]) -> bool {
    let order = predictor.order;
    folded[..order].fill(0);
    let mut fits = true;
    for at in order..samples.len() {
        let mut sum = 0i64;
        for (back, &coefficient) in predictor.coefficients[..order].iter().enumerate() {
            sum += i64::from(coefficient) * i64::from(samples[at - 1 - back]);
        }
        let value = i64::from(samples[at]) - (sum >> predictor.shift);
        fits &= value.abs() < 1 << 30;
        folded[at] = fold(value as i32);
    }
    fits
}
