//! Halves the rate with a filter of a few taps.
//!
//! It takes away only what would alias into the band that is wanted, and bends the band itself; the
//! FFT that follows straightens it. The filter is Dolph's and Chebyshev's: for its length, none
//! removes more from an edge on.

use std::f64::consts::PI;

use super::stage::Stage;

/// The signal's band has to be narrower than this, as a part of the Nyquist frequency. Up to here the
/// filter removes 119 dB of what would alias and bends the band by no more than 24: what is left is 95 dB
/// down once the band is straight again.
const WIDEST: f64 = 0.37;

/// Taps to one side of the middle one.
const SIDE: usize = 6;

/// What all channels share.
pub struct Halve {
    /// The middle tap and those to one side.
    taps: [f32; SIDE + 1],
    sums: Vec<f32>,
}

/// One channel.
pub struct State {
    even: Vec<f32>,
    odd: Vec<f32>,
    /// The last sample, where it is an even one.
    last: Option<f32>,
}

impl Halve {
    /// For a signal of which the part up to `band` of the Nyquist frequency is wanted, and nothing
    /// may alias into that. None where this is too wide.
    pub fn new(band: f64) -> Option<Self> {
        if band > WIDEST {
            return None;
        }
        // What lies above 1 - band folds into the band. There the polynomial's argument is 1.
        let scale = 1.0 / (PI * (1.0 - band) / 2.0).cos();
        let response =
            |angle: f64| chebyshev(2 * SIDE, scale * (angle / 2.0).cos()) / chebyshev(2 * SIDE, scale);
        let count = 2 * SIDE + 1;
        let tap = |k: usize| {
            let part = |n: usize| {
                let angle = 2.0 * PI * n as f64 / count as f64;
                response(angle) * (angle * k as f64).cos()
            };
            ((0..count).map(part).sum::<f64>() / count as f64) as f32
        };
        Some(Self { taps: std::array::from_fn(tap), sums: Vec::new() })
    }

    /// The response at a fraction of the Nyquist frequency.
    pub fn response(&self, place: f64) -> f64 {
        let tap = |(k, tap): (usize, &f32)| {
            f64::from(*tap) * (PI * place * k as f64).cos() * if k == 0 { 1.0 } else { 2.0 }
        };
        self.taps.iter().enumerate().map(tap).sum()
    }

    /// Results that come before the signal's begin.
    pub const fn lead(&self) -> usize {
        SIDE / 2
    }

    /// How much longer, in results, a filter gets that straightens the response.
    pub const fn reach(&self) -> usize {
        4 * SIDE
    }
}

/// The Chebyshev polynomial of an even order.
fn chebyshev(order: usize, x: f64) -> f64 {
    let order = order as f64;
    if x.abs() <= 1.0 { (order * x.acos()).cos() } else { (order * x.abs().acosh()).cosh() }
}

impl Stage<f32> for Halve {
    type State = State;

    fn state(&self) -> State {
        let mut state = State { even: Vec::new(), odd: Vec::new(), last: None };
        self.reset(&mut state);
        state
    }

    fn reset(&self, state: &mut State) {
        for half in [&mut state.even, &mut state.odd] {
            half.clear();
            half.resize(SIDE, 0.0);
        }
        state.last = None;
    }

    fn missing(&self, state: &State, results: usize) -> usize {
        let needed = results.max(1) + SIDE;
        2 * needed.saturating_sub(state.even.len()) + usize::from(state.last.is_none())
    }

    fn ready(&self, state: &State, samples: usize) -> usize {
        let pairs = (usize::from(state.last.is_some()) + samples) / 2;
        (state.even.len() + pairs).saturating_sub(SIDE)
    }

    fn process<S: Copy, R>(
        &mut self,
        state: &mut State,
        samples: &[S],
        read: impl Fn(S) -> f32,
        results: &mut Vec<R>,
        write: impl Fn(f32) -> R,
    ) {
        let mut samples = samples;
        if let (Some(even), Some((odd, rest))) = (state.last, samples.split_first()) {
            state.even.push(even);
            state.odd.push(read(*odd));
            state.last = None;
            samples = rest;
        }
        let (pairs, rest) = samples.as_chunks();
        state.even.extend(pairs.iter().map(|[even, _]| read(*even)));
        state.odd.extend(pairs.iter().map(|[_, odd]| read(*odd)));
        if let [last] = rest {
            state.last = Some(read(*last));
        }
        let count = state.even.len().saturating_sub(SIDE);
        if count > 0 {
            self.sums.resize(count, 0.0);
            filter(&self.taps, state, &mut self.sums);
            results.extend(self.sums.iter().map(|sum| write(*sum)));
            state.even.drain(..count);
            state.odd.drain(..count);
        }
    }
}

/// Fills `sums`. The number of taps is known to the compiler, so that it computes several at once.
fn filter(taps: &[f32; SIDE + 1], state: &State, sums: &mut [f32]) {
    let count = sums.len();
    // Exactly what is needed, so that bounds are checked once.
    let (even, odd) = (&state.even[..count + SIDE], &state.odd[..count + SIDE]);
    let middle = SIDE / 2;
    for n in 0..count {
        let mut sum = taps[0] * even[n + middle];
        for k in (1..=SIDE / 2).map(|k| 2 * k) {
            sum += taps[k] * (even[n + middle - k / 2] + even[n + middle + k / 2]);
        }
        for k in (0..SIDE / 2).map(|k| 2 * k + 1) {
            sum += taps[k] * (odd[n + middle - k.div_ceil(2)] + odd[n + middle + k / 2]);
        }
        sums[n] = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_alias_is_removed_and_the_band_is_not_bent_much() {
        for band in [0.02, 0.2, 16.0 / 48.0, 16.0 / 44.1, WIDEST] {
            let halve = Halve::new(band).unwrap();
            for step in 0..=100 {
                let part = f64::from(step) / 100.0;
                let folding = halve.response(1.0 - band * part) / halve.response(band * part);
                assert!(folding.abs() < 2e-5, "{band}: {folding}");
                let wanted = halve.response(band * part);
                assert!((0.065..=1.0001).contains(&wanted), "{band}: {wanted}");
            }
        }
        assert!(Halve::new(0.4).is_none());
    }
}
