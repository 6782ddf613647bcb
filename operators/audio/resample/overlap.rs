//! Changes the rate by a ratio of small numbers in the frequency domain, by overlap-save.
//!
//! The FFT of a block of `input` samples is multiplied with the filter's response and cut (or filled
//! up with zeros) to the length `output`; the inverse FFT is the block at the new rate. What the
//! filter smears round the ends of the block is left out. Two consecutive blocks go through one
//! complex FFT, one as the real and one as the imaginary part: the filter is real, so they stay
//! apart, and none of the bins is computed for nothing.

use std::sync::Arc;

use realfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::kernel::Kernel;
use super::plan::Blocks;
use super::real::Real;
use super::stage::Stage;

/// What all channels share.
pub struct Overlap<T: Real> {
    blocks: Blocks,
    forward: Arc<dyn Fft<T>>,
    inverse: Arc<dyn Fft<T>>,
    /// The filter at the bins from 0 on, as far as both signals have them.
    response: Vec<T>,
    spectrum: Vec<Complex<T>>,
    result: Vec<Complex<T>>,
    scratch: Vec<Complex<T>>,
    /// Zeros before the first sample, and results to drop: what lies before the begin.
    before: usize,
    skip: usize,
}

/// One channel.
pub struct State<T> {
    /// Two blocks, the second of them `advance.0` behind the first.
    input: Vec<T>,
    skip: usize,
}

impl<T: Real> Overlap<T> {
    /// With a filter whose time is in input samples; `lead` samples of the output come before the
    /// signal's begin.
    pub fn new(blocks: Blocks, kernel: &Kernel, lead: usize) -> Self {
        let mut planner = FftPlanner::new();
        let forward = planner.plan_fft_forward(blocks.input);
        let inverse = planner.plan_fft_inverse(blocks.output);
        let scratch = forward.get_inplace_scratch_len().max(inverse.get_inplace_scratch_len());
        let zeros = |length| vec![Complex::new(T::zero(), T::zero()); length];
        let units = (blocks.first + lead).div_ceil(blocks.ratio.1);
        Self {
            response: response(&blocks, kernel),
            spectrum: zeros(blocks.input),
            result: zeros(blocks.output),
            scratch: zeros(scratch),
            before: units * blocks.ratio.0,
            skip: units * blocks.ratio.1 - blocks.first - lead,
            blocks,
            forward,
            inverse,
        }
    }
}

impl<T: Real> Stage<T> for Overlap<T> {
    type State = State<T>;

    fn state(&self) -> State<T> {
        let mut state = State { input: Vec::with_capacity(self.full()), skip: 0 };
        self.reset(&mut state);
        state
    }

    fn reset(&self, state: &mut State<T>) {
        state.input.clear();
        state.input.resize(self.before, T::zero());
        state.skip = self.skip;
    }

    fn missing(&self, state: &State<T>, results: usize) -> usize {
        let (advance, kept) = self.blocks.advance;
        let before = results.saturating_sub(1) / (2 * kept) * 2 * advance;
        before + self.full() - state.input.len()
    }

    fn ready(&self, state: &State<T>, samples: usize) -> usize {
        let (advance, kept) = self.blocks.advance;
        (state.input.len() + samples).saturating_sub(self.blocks.input - advance) / (2 * advance) * 2 * kept
    }

    fn process<S: Copy, R>(
        &mut self,
        state: &mut State<T>,
        mut samples: &[S],
        read: impl Fn(S) -> T,
        results: &mut Vec<R>,
        write: impl Fn(T) -> R,
    ) {
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(self.full() - state.input.len()));
            state.input.extend(now.iter().map(|sample| read(*sample)));
            samples = later;
            if state.input.len() == self.full() {
                self.transform(&state.input);
                let kept = &self.result[self.blocks.first..][..self.blocks.advance.1];
                let skip = state.skip.min(kept.len());
                results.extend(kept[skip..].iter().map(|value| write(value.re)));
                state.skip -= skip;
                let skip = state.skip.min(kept.len());
                results.extend(kept[skip..].iter().map(|value| write(value.im)));
                state.skip -= skip;
                state.input.drain(..2 * self.blocks.advance.0);
            }
        }
    }
}

impl<T: Real> Overlap<T> {
    /// Samples that two blocks span.
    fn full(&self) -> usize {
        self.blocks.input + self.blocks.advance.0
    }

    /// From two blocks of input to two of output.
    fn transform(&mut self, input: &[T]) {
        let Blocks { input: length, output, advance, .. } = self.blocks;
        let pairs = input[..length].iter().zip(&input[advance.0..]);
        for (value, (one, other)) in self.spectrum.iter_mut().zip(pairs) {
            *value = Complex::new(*one, *other);
        }
        self.forward.process_with_scratch(&mut self.spectrum, &mut self.scratch);
        let bins = self.response.len();
        let positive = self.spectrum.iter().zip(&self.response);
        self.result.iter_mut().zip(positive).for_each(|(result, (bin, weight))| *result = bin * *weight);
        let zero = Complex::new(T::zero(), T::zero());
        self.result[bins..output - bins + 1].fill(zero);
        let negative = self.spectrum[length - bins + 1..].iter().zip(self.response[1..].iter().rev());
        self.result[output - bins + 1..]
            .iter_mut()
            .zip(negative)
            .for_each(|(result, (bin, weight))| *result = bin * *weight);
        self.inverse.process_with_scratch(&mut self.result, &mut self.scratch);
    }
}

/// The filter's response at the bins that input and output share, with the factor that the FFTs
/// leave to be divided by.
fn response<T: Real>(blocks: &Blocks, kernel: &Kernel) -> Vec<T> {
    // At the higher of the two rates, for the filter has frequencies up to its Nyquist frequency.
    let length = blocks.input.max(blocks.output);
    let step = blocks.input as f64 / length as f64;
    let mut taps: Vec<Complex<f64>> =
        (0..length).map(|n| Complex::new(kernel.at(n.min(length - n) as f64 * step) * step, 0.0)).collect();
    FftPlanner::new().plan_fft_forward(length).process(&mut taps);
    let bins = blocks.input.min(blocks.output).div_ceil(2);
    let scale = 1.0 / (taps[0].re * blocks.input as f64);
    taps[..bins].iter().map(|bin| T::of(bin.re * scale)).collect()
}
