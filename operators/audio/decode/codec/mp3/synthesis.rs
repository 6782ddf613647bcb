//! From subbands to samples: ISO/IEC 11172-3, 2.4.3.2.2.
//!
//! The matrix of the standard is a cosine transform whose values appear several times; of each slot only
//! those 32 are kept. All slots of a frame are done side by side: a row is a subband, or a value, over time.

use std::f64::consts::PI;
use std::sync::LazyLock;

use super::hybrid::SLOTS;
use super::window::window;

/// Slots of earlier frames that the window reaches back to.
const BACK: usize = 15;

/// Slots whose samples are summed up together.
const CHUNK: usize = 12;

/// A value over time; the first slots are of earlier frames, the last ones only there to be read.
type Values = [f32; BACK + MOST];

/// The most slots of a frame.
const MOST: usize = 2 * SLOTS;

struct Tables {
    /// For each of five steps of the cosine transform, by what its differences are multiplied.
    cosines: [[f32; 16]; 5],
    /// For each of 32 samples and each slot back, by what a value is multiplied.
    window: [[f32; 16]; 32],
}

fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> = LazyLock::new(|| {
        let cosine = |step: usize, at: usize| {
            let size = (32 >> step) as f64;
            (0.5 / (PI / (2.0 * size) * (2 * at + 1) as f64).cos()) as f32
        };
        // The sign with which the standard's vector holds the value.
        let sign = |sample: usize, back: usize| match (back % 2, sample) {
            (0, 0..16) => 1.0,
            (0, 16) => 0.0,
            _ => -1.0,
        };
        Tables {
            cosines: std::array::from_fn(|step| {
                std::array::from_fn(|at| if at < 16 >> step { cosine(step, at) } else { 0.0 })
            }),
            window: std::array::from_fn(|sample| {
                std::array::from_fn(|back| sign(sample, back) * window(32 * back + sample))
            }),
        }
    });
    &TABLES
}

/// What a channel keeps from one frame to the next.
pub(super) struct Synthesis {
    /// The values of the cosine transform over time; the first slots are of earlier frames.
    values: Box<[Values; 32]>,
}

impl Synthesis {
    pub(super) fn new() -> Self {
        Self { values: Box::new([[0.0; BACK + MOST]; 32]) }
    }

    /// Gives the samples of a frame, whose subbands are rows of some slots.
    pub(super) fn synthesise(&mut self, subbands: &mut [[f32; MOST]; 32], slots: usize, samples: &mut [f32]) {
        let tables = tables();
        cosine_transform(subbands, &tables.cosines);
        for (at, values) in self.values.iter_mut().enumerate() {
            // The order in which the transform leaves its values is that of reversed bits.
            let place = at.reverse_bits() >> (usize::BITS - 5);
            values[BACK..].copy_from_slice(&subbands[place]);
        }
        for sample in 0..32 {
            let (even, odd) = match sample {
                0..=16 => (16 + sample, 16 - sample),
                _ => (48 - sample, sample - 16),
            };
            let (even, odd) = (&self.values[even % 32], &self.values[odd]);
            for first in (0..slots).step_by(CHUNK) {
                let sums = weigh(even, odd, first, &tables.window[sample]);
                let place = samples[32 * first + sample..].iter_mut().step_by(32);
                place.zip(sums).for_each(|(sample, sum)| *sample = sum);
            }
        }
        for values in self.values.iter_mut() {
            values.copy_within(slots..slots + BACK, 0);
        }
    }
}

/// One sample of some slots: values back to the earliest, weighed.
#[inline(always)]
fn weigh(even: &Values, odd: &Values, first: usize, window: &[f32; 16]) -> [f32; CHUNK] {
    let mut sums = [0.0; CHUNK];
    let (Some(even), Some(odd)) =
        (even[first..].first_chunk::<{ BACK + CHUNK }>(), odd[first..].first_chunk::<{ BACK + CHUNK }>())
    else {
        return sums;
    };
    for back in (0..16).step_by(2) {
        for (slot, sum) in sums.iter_mut().enumerate() {
            *sum += even[BACK - back + slot] * window[back];
        }
        for (slot, sum) in sums.iter_mut().enumerate() {
            *sum += odd[BACK - back - 1 + slot] * window[back + 1];
        }
    }
    sums
}

/// The same of one slot after another.
type Row = [f32; MOST];

/// Sums and differences of rows that mirror each other, the differences weighed.
#[inline(never)]
fn fold([a, b, c, d]: [&mut Row; 4], outer: f32, inner: f32) {
    for slot in 0..MOST {
        let (low, middle, above, high) = (a[slot], b[slot], c[slot], d[slot]);
        a[slot] = low + high;
        b[slot] = middle + above;
        c[slot] = (low - high) * outer;
        d[slot] = (middle - above) * inner;
    }
}

/// A cosine transform of the second kind of 32 points, after B. G. Lee (1984), over rows.
fn cosine_transform(rows: &mut [[f32; MOST]; 32], cosines: &[[f32; 16]; 5]) {
    for (step, cosines) in cosines.iter().enumerate() {
        let half = 16 >> step;
        for block in rows.chunks_exact_mut(2 * half) {
            // Differences go where the other half of the block begins, in the order of the sums.
            for at in 0..half.div_ceil(2) {
                let mirror = half - 1 - at;
                let (outer, inner) = (cosines[at], cosines[mirror]);
                if at == mirror {
                    let Ok([first, last]) = block.get_disjoint_mut([at, half + at]) else { return };
                    for (first, last) in first.iter_mut().zip(last) {
                        (*first, *last) = (*first + *last, (*first - *last) * outer);
                    }
                    continue;
                }
                let Ok([a, b, c, d]) = block.get_disjoint_mut([at, mirror, half + at, half + mirror]) else {
                    return;
                };
                fold([a, b, c, d], outer, inner);
            }
        }
    }
    for step in (0..4).rev() {
        let half = 16 >> step;
        for block in rows.chunks_exact_mut(2 * half) {
            // The values of a half stand in the order of reversed bits.
            let place = |at: usize| half + (at.reverse_bits() >> (usize::BITS - half.trailing_zeros()));
            for at in 0..half - 1 {
                let Ok([value, next]) = block.get_disjoint_mut([place(at), place(at + 1)]) else { return };
                value.iter_mut().zip(next).for_each(|(value, next)| *value += *next);
            }
        }
    }
}
