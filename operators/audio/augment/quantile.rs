//! Quantiles of samples, without sorting them.

use std::cell::RefCell;

/// So many of a number's upper bits tell its bin: the sign, the exponent, and four bits of the mantissa.
const BITS: u32 = 13;

/// What a thread counts in, kept from clip to clip.
#[derive(Default)]
struct Work {
    counts: Vec<u32>,
    /// What lies in the bins that matter.
    near: Vec<u32>,
}

thread_local!(static WORK: RefCell<Work> = RefCell::default());

/// The values below which fractions of all values lie, between two of them in a straight line (as NumPy has it), of what
/// `of` makes of the samples.
pub fn quantiles<const N: usize>(samples: &[f32], fractions: [f64; N], of: impl Fn(f32) -> f32) -> [f32; N] {
    let Some(last) = samples.len().checked_sub(1) else { return [0.0; N] };
    let key = |sample: &f32| ordered(of(*sample));
    WORK.with_borrow_mut(|Work { counts, near }| {
        counts.clear();
        counts.resize(1 << BITS, 0);
        samples.iter().for_each(|sample| counts[bin(key(sample))] += 1);
        fractions.map(|fraction| {
            let place = fraction * last as f64;
            let below = (place.floor() as usize).min(last);
            let above = (below + 1).min(last);
            // The bins of both, between which there is nothing.
            let (mut before, mut first, mut end) = (0, None, 0);
            for (index, count) in counts.iter().enumerate() {
                end += *count as usize;
                if first.is_none() && end > below {
                    (first, before) = (Some(index), end - *count as usize);
                }
                if let Some(first) = first.filter(|_| end > above) {
                    near.clear();
                    near.extend(samples.iter().map(key).filter(|key| (first..=index).contains(&bin(*key))));
                    break;
                }
            }
            let (_, low, rest) = near.select_nth_unstable(below - before);
            let low = number(*low);
            let high = rest.iter().min().map_or(low, |high| number(*high));
            low + (f64::from(high - low) * (place - below as f64)) as f32
        })
    })
}

/// A whole number whose order is that of a sample.
fn ordered(sample: f32) -> u32 {
    let bits = sample.to_bits();
    // Of negative numbers all bits are turned, of others the sign.
    bits ^ ((bits as i32 >> 31) as u32 | 1 << 31)
}

/// The sample of a whole number.
fn number(ordered: u32) -> f32 {
    f32::from_bits(ordered ^ (!(ordered as i32 >> 31) as u32 | 1 << 31))
}

fn bin(ordered: u32) -> usize {
    (ordered >> (32 - BITS)) as usize
}

#[cfg(test)]
mod tests {
    use etude_pipeline::random::Random;

    use super::*;

    #[test]
    fn they_are_those_of_sorted_values() {
        let mut random = Random::keyed(&[b"a"]);
        for count in [1, 2, 3, 10, 1001, 5000] {
            let samples: Vec<f32> = (0..count).map(|_| random.normal().powi(3) as f32).collect();
            let mut sorted = samples.clone();
            sorted.sort_by(f32::total_cmp);
            let fractions = [0.0, 0.1, 0.25, 0.5, 0.777, 0.999, 1.0];
            let found = quantiles(&samples, fractions, |sample| sample);
            for (fraction, found) in fractions.into_iter().zip(found) {
                let place = fraction * (count - 1) as f64;
                let (low, part) = (place.floor() as usize, place.fract() as f32);
                let high = (low + 1).min(count - 1);
                let expected = sorted[low] + (sorted[high] - sorted[low]) * part;
                assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{count} {fraction}");
            }
        }
        assert_eq!(quantiles(&[], [0.5], f32::abs), [0.0]);
        assert_eq!(quantiles(&[-3.0, 1.0, -2.0], [0.0, 0.5, 1.0], f32::abs), [1.0, 2.0, 3.0]);
        assert_eq!(quantiles(&[0.0; 9], [0.3], |sample| sample), [0.0]);
    }
}
