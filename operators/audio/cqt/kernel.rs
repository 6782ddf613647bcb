//! What a bin correlates the signal with: a complex sinusoid under a Hann window.

use std::f64::consts::PI;

/// Beyond this many main-lobe halves a Hann window's spectrum stays below −120 dB: it falls as 1 / (πx³).
const REACH: f64 = 68.3;

/// window(t) · exp(2πi · frequency · t), for whole t from −⌈length / 2⌉ on.
///
/// The window is the periodic one, 0.5 − 0.5 · cos(2πi / length) for i from 0 to length − 1. Its middle is at t = 0
/// where `length` is even, and at t = −½ where it is odd: so are nnAudio's and librosa's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kernel {
    /// In cycles a sample.
    pub frequency: f64,
    /// In samples, 2 or more.
    pub length: usize,
}

impl Kernel {
    /// The sum of its magnitudes.
    pub fn sum(&self) -> f64 {
        self.length as f64 / 2.0
    }

    /// How many samples it reaches to either side.
    pub fn reach(&self) -> usize {
        self.length.div_ceil(2)
    }

    pub fn odd(&self) -> bool {
        self.length % 2 == 1
    }

    /// Where its spectrum of `size` values is heard: from, and up to but not including. At most `size` values, counted
    /// as its period repeats: below 0 are negative frequencies.
    pub fn band(&self, size: usize) -> (isize, isize) {
        let middle = self.frequency * size as f64;
        let reach = REACH * size as f64 / self.length as f64;
        let from = (middle - reach).ceil() as isize;
        let to = (middle + reach).floor() as isize + 1;
        if to - from <= size as isize {
            return (from, to);
        }
        let from = middle.round() as isize - (size / 2) as isize;
        (from, from + size as isize)
    }

    /// The window's spectrum about its own middle, which is real, so many cycles a sample off the kernel's frequency.
    pub fn response(&self, offset: f64) -> f64 {
        let step = 1.0 / self.length as f64;
        // The window is a constant and a cosine: three lines, each with the spectrum of a rectangle, whose first and
        // last value count half. (The window is 0 there.)
        let line = |offset: f64| {
            if offset.abs() < 1e-12 {
                self.length as f64
            } else {
                (PI * self.length as f64 * offset).sin() / (PI * offset).tan()
            }
        };
        0.5 * line(offset) + 0.25 * (line(offset - step) + line(offset + step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, for t from −⌈length / 2⌉ on.
    fn window(length: usize) -> impl Iterator<Item = (f64, f64)> {
        let first = -(length.div_ceil(2) as f64);
        (0..length).map(move |i| (first + i as f64, 0.5 - 0.5 * (2.0 * PI * i as f64 / length as f64).cos()))
    }

    #[test]
    fn the_response_is_the_sum() {
        for length in [2, 3, 4, 7, 96, 97, 1000] {
            let kernel = Kernel { frequency: 0.1, length };
            let middle = if kernel.odd() { -0.5 } else { 0.0 };
            let step = 1.0 / length as f64;
            for offset in [0.0, step, -step, step + 1e-10, 1e-13, 0.3 * step, 2.0 * step, 0.123, -0.4, 0.5] {
                let sum: f64 =
                    window(length).map(|(t, w)| w * (2.0 * PI * offset * (t - middle)).cos()).sum();
                let found = kernel.response(offset);
                assert!((found - sum).abs() < 1e-10 * length as f64, "{length} {offset}: {found} not {sum}");
            }
            let sum: f64 = window(length).map(|(_, weight)| weight).sum();
            assert!((kernel.sum() - sum).abs() < 1e-9);
        }
    }

    #[test]
    fn the_band_leaves_little_out() {
        let size = 1 << 16;
        for (frequency, length) in [(0.1, 1000), (0.001, 5001), (0.4, 801), (0.3, 97), (0.02, 60_000)] {
            let kernel = Kernel { frequency, length };
            let (from, to) = kernel.band(size);
            assert!(to - from <= size as isize);
            let level =
                |bin: isize| kernel.response(bin as f64 / size as f64 - frequency).abs() / kernel.sum();
            for beyond in 0..2000.min(size as isize - (to - from)) {
                assert!(level(to + beyond) < 1.1e-6 && level(from - 1 - beyond) < 1.1e-6, "{kernel:?}");
            }
        }
    }
}
