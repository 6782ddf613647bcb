//! Normal numbers, many at a time.

use etude_pipeline::random::Random;

use crate::augment::functions::{ln, quarters};

/// Generators side by side, which the compiler turns into SIMD.
const LANES: usize = 8;

type Lanes<T> = [T; LANES];

/// Independent generators (xoshiro128++, Blackman and Vigna, 2019), begun by a stream.
pub struct Normal {
    state: [Lanes<u32>; 4],
}

impl Normal {
    pub fn new(random: &mut Random) -> Self {
        let mut state = [[0; LANES]; 4];
        for [low, high] in state.as_flattened_mut().as_chunks_mut().0 {
            let bits = random.bits();
            (*low, *high) = (bits as u32, (bits >> 32) as u32);
        }
        Self { state }
    }

    /// Fills all of it.
    pub fn fill(&mut self, numbers: &mut [f32]) {
        let (whole, rest) = numbers.as_chunks_mut::<{ 2 * LANES }>();
        for chunk in whole {
            self.next(chunk);
        }
        let mut last = [0.0; 2 * LANES];
        self.next(&mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }

    /// Two numbers a lane (Box and Muller, 1958).
    fn next(&mut self, numbers: &mut [f32; 2 * LANES]) {
        let (first, second) = (self.bits(), self.bits());
        for lane in 0..LANES {
            // Uniform in (0, 1], and in [−1, 1) with a sign beside it: a sine of either sign and a cosine ≥ 0 are half
            // the circle, the sign is the rest.
            let uniform = ((first[lane] >> 8) as i32 as f32 + 0.5) * (-24f32).exp2();
            let turn = (second[lane] as i32 >> 8) as f32 * (-23f32).exp2();
            let sign = (second[lane] & 1) << 31;
            let radius = (-2.0 * ln(uniform)).sqrt();
            let (sin, cos) = quarters(turn);
            let cos = f32::from_bits(cos.to_bits() ^ sign);
            (numbers[lane], numbers[LANES + lane]) = (radius * sin, radius * cos);
        }
    }

    fn bits(&mut self) -> Lanes<u32> {
        let mut bits = [0; LANES];
        let [a, b, c, d] = &mut self.state;
        for lane in 0..LANES {
            bits[lane] = a[lane].wrapping_add(d[lane]).rotate_left(7).wrapping_add(a[lane]);
            let shifted = b[lane] << 9;
            c[lane] ^= a[lane];
            d[lane] ^= b[lane];
            b[lane] ^= c[lane];
            a[lane] ^= d[lane];
            c[lane] ^= shifted;
            d[lane] = d[lane].rotate_left(11);
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_normal() {
        let mut numbers = vec![0f32; 1 << 20];
        Normal::new(&mut Random::keyed(&[b"a"])).fill(&mut numbers);
        let moment = |power: i32| {
            numbers.iter().map(|x| f64::from(*x).powi(power)).sum::<f64>() / numbers.len() as f64
        };
        for (power, expected, error) in [(1, 0.0, 0.005), (2, 1.0, 0.01), (3, 0.0, 0.02), (4, 3.0, 0.05)] {
            assert!((moment(power) - expected).abs() < error, "moment {power}: {}", moment(power));
        }
        // Shares below −3, −1, 0, 1 and 3 standard deviations.
        for (limit, share) in
            [(-3.0, 0.00135), (-1.0, 0.158_655), (0.0, 0.5), (1.0, 0.841_345), (3.0, 0.998_65)]
        {
            let below = numbers.iter().filter(|x| **x < limit).count() as f64 / numbers.len() as f64;
            assert!((below - share).abs() < 0.002, "{below} below {limit}");
        }
        assert!(numbers.iter().all(|x| x.is_finite() && x.abs() < 6.0));
        // Neighbours, and the two of a pair, have nothing in common.
        for apart in [1, LANES, 2 * LANES] {
            let products = numbers.iter().zip(&numbers[apart..]).map(|(a, b)| f64::from(a * b));
            assert!((products.sum::<f64>() / numbers.len() as f64).abs() < 0.005);
        }
    }

    #[test]
    fn a_stream_has_its_own_numbers_of_any_length() {
        let numbers = |key: &[u8], count: usize| {
            let mut numbers = vec![0f32; count];
            Normal::new(&mut Random::keyed(&[key])).fill(&mut numbers);
            numbers
        };
        assert_eq!(numbers(b"a", 5), numbers(b"a", 100)[..5]);
        assert_ne!(numbers(b"a", 100), numbers(b"b", 100));
    }
}
