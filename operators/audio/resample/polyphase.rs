//! Changes the rate by any ratio in the time domain: each result is a weighted sum of the samples
//! about it.
//!
//! The place of a result between two samples is a fraction with the new rate's part of the ratio as
//! denominator. Where these are few, each has its own row of weights; else rows are interpolated.

use super::kernel::Kernel;
use super::real::Real;
use super::stage::Stage;

/// Taps are added up in so many lanes, which the compiler turns into SIMD.
const LANES: usize = 8;

/// The most weights of a table with a row for each place.
const TABLE: usize = 1 << 16;

/// Rows that are interpolated, for a filter that goes up to the Nyquist frequency; a parabola over a
/// 512th of a sample is off by less than (π / 512)³ / 125, -174 dB.
const ROWS: f64 = 512.0;

/// The most results of one call; the others wait.
const MOST: usize = 16_384;

/// What all channels share.
pub struct Polyphase<T: Real> {
    /// Results are `from` / `to` samples apart.
    from: u64,
    to: u64,
    taps: usize,
    /// Zeros before the first sample.
    before: usize,
    /// The weights of a row, one after another.
    rows: Vec<T>,
    /// Where rows are interpolated: how many there are, the linear and the square part.
    count: u64,
    slopes: Vec<T>,
    curves: Vec<T>,
    /// The weights of one result.
    weights: Vec<T>,
}

/// One channel.
pub struct State<T> {
    input: Vec<T>,
    /// The next result's first sample in `input`, and its place behind it in parts of `to`.
    index: usize,
    part: u64,
}

impl<T: Real> Polyphase<T> {
    /// With results `from` / `to` samples apart, numbers without a common divisor, and a filter
    /// whose time is in samples. The first sample that is given lies at the first result; where
    /// the signal is not silent before, `whole` says that it lies `lead` samples earlier.
    pub fn new(from: u64, to: u64, kernel: &Kernel, whole: bool) -> Self {
        let taps = 2 * (kernel.half_width().ceil() as usize).next_multiple_of(LANES / 2);
        let kernel = kernel.widened(taps as f64 / 2.0);
        let mut polyphase = Self {
            from,
            to,
            taps,
            before: if whole { 0 } else { taps / 2 - 1 },
            rows: Vec::new(),
            count: 0,
            slopes: Vec::new(),
            curves: Vec::new(),
            weights: vec![T::zero(); taps],
        };
        if usize::try_from(to).is_ok_and(|to| to.saturating_mul(taps) <= TABLE) {
            let rows = (0..to).flat_map(|part| row(&kernel, taps, part as f64 / to as f64));
            polyphase.rows = rows.map(T::of).collect();
        } else {
            polyphase.count = (ROWS * kernel.cutoff()).ceil().max(16.0) as u64;
            for index in 0..polyphase.count {
                let at = |part: f64| row(&kernel, taps, (index as f64 + part) / polyphase.count as f64);
                let (begin, middle, end) = (at(0.0), at(0.5), at(1.0));
                for ((begin, middle), end) in begin.into_iter().zip(middle).zip(end) {
                    polyphase.rows.push(T::of(begin));
                    polyphase.slopes.push(T::of(4.0 * middle - 3.0 * begin - end));
                    polyphase.curves.push(T::of(2.0 * (begin - 2.0 * middle + end)));
                }
            }
        }
        polyphase
    }

    /// Samples before a result that it depends on.
    pub fn lead(&self) -> usize {
        self.taps / 2 - 1
    }

    /// The weights for a place between the rows.
    fn interpolate(&mut self, part: u64) {
        // Whole numbers: the row does not hang on a rounding.
        let scaled = part * self.count;
        let first = (scaled / self.to) as usize * self.taps;
        let behind = T::of((scaled % self.to) as f64 / self.to as f64);
        let parts = self.rows[first..].iter().zip(&self.slopes[first..]).zip(&self.curves[first..]);
        for (weight, ((value, slope), curve)) in self.weights.iter_mut().zip(parts) {
            *weight = *value + behind * (*slope + behind * *curve);
        }
    }
}

impl<T: Real> Stage<T> for Polyphase<T> {
    type State = State<T>;

    fn state(&self) -> State<T> {
        State { input: vec![T::zero(); self.before], index: 0, part: 0 }
    }

    fn reset(&self, state: &mut State<T>) {
        state.input.clear();
        state.input.resize(self.before, T::zero());
        (state.index, state.part) = (0, 0);
    }

    fn missing(&self, state: &State<T>, results: usize) -> usize {
        let last = (results as u64 * self.from).div_ceil(self.to) as usize;
        (state.index + last + self.taps).saturating_sub(state.input.len())
    }

    fn ready(&self, state: &State<T>, samples: usize) -> usize {
        let samples = (state.input.len() + samples).saturating_sub(state.index + self.taps - 1);
        ((samples as u64 * self.to).div_ceil(self.from) as usize).min(MOST)
    }

    fn process<S: Copy, R>(
        &mut self,
        state: &mut State<T>,
        samples: &[S],
        read: impl Fn(S) -> T,
        results: &mut Vec<R>,
        write: impl Fn(T) -> R,
    ) {
        state.input.extend(samples.iter().map(|sample| read(*sample)));
        let (whole, fraction) = ((self.from / self.to) as usize, self.from % self.to);
        let full = results.len() + MOST;
        while results.len() < full
            && let Some(about) = state.input.get(state.index..state.index + self.taps)
        {
            let value = if self.slopes.is_empty() {
                let first = state.part as usize * self.taps;
                dot(about, &self.rows[first..first + self.taps])
            } else {
                self.interpolate(state.part);
                dot(about, &self.weights)
            };
            results.push(write(value));
            state.index += whole;
            state.part += fraction;
            if state.part >= self.to {
                state.part -= self.to;
                state.index += 1;
            }
        }
        let used = state.index.min(state.input.len());
        state.input.drain(..used);
        state.index -= used;
    }
}

/// The weights of a result that lies `part` behind the sample in the middle, with a sum of 1.
fn row(kernel: &Kernel, taps: usize, part: f64) -> Vec<f64> {
    let middle = (taps / 2 - 1) as f64;
    let weights: Vec<f64> = (0..taps).map(|tap| kernel.at(part + middle - tap as f64)).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

fn dot<T: Real>(samples: &[T], weights: &[T]) -> T {
    let mut lanes = [T::zero(); LANES];
    for (samples, weights) in samples.chunks_exact(LANES).zip(weights.chunks_exact(LANES)) {
        for ((lane, sample), weight) in lanes.iter_mut().zip(samples).zip(weights) {
            *lane = *lane + *sample * *weight;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
