//! Longer or shorter at the same pitch.

mod locking;

use rustfft::num_complex::Complex;

use self::locking::Locking;

/// How many samples the vocoder looks at together: about 46 ms, 2048 at 44.1 kHz. With no factors but 2 and one 3 its
/// transforms are fast.
pub fn frame(rate: u32) -> usize {
    let wanted = (2048.0 * f64::from(rate) / 44_100.0).max(64.0);
    let below = 1 << (wanted as usize).ilog2();
    match wanted / below as f64 {
        ratio if ratio < 1.5f64.sqrt() => below,
        ratio if ratio < 3f64.sqrt() => below / 2 * 3,
        _ => below * 2,
    }
}

/// A phase vocoder with Hann windows, of which each begins a quarter of its length after the other or sooner.
#[derive(Default)]
pub struct Vocoder {
    locking: Locking,
    window: Vec<f32>,
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// What the frames until now add up to where others are to come, and the squares of their windows.
    sum: Vec<f32>,
    weight: Vec<f32>,
}

impl Vocoder {
    /// Puts samples that are stretched by a ratio behind others, the first `length` of them. They are seen in frames of
    /// `size` samples, a multiple of 4.
    pub fn stretch(
        &mut self,
        samples: &[f32],
        ratio: f64,
        size: usize,
        length: usize,
        stretched: &mut Vec<f32>,
    ) {
        let end = stretched.len() + length;
        // Neither is longer than a quarter, or phases would be ambiguous.
        let hop = (size / 4) as f64;
        let (taking, giving) = if ratio > 1.0 { (hop / ratio, hop) } else { (hop, hop * ratio) };
        let place = |index: usize, hop: f64| (index as f64 * hop).round() as usize;
        self.reset(size);
        crate::spectrum::real(size, |forward, inverse| {
            self.scratch.clear();
            let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
            self.scratch.resize(scratch, Complex::default());
            for index in 0.. {
                let (from, to, next) = (place(index, taking), place(index, giving), place(index + 1, giving));
                self.take(samples, from);
                // The lengths are those of the plans: nothing can be wrong.
                let _ = forward.process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch);
                let before = index.saturating_sub(1);
                self.locking.turn(
                    &mut self.spectrum,
                    from - place(before, taking),
                    to - place(before, giving),
                );
                // Those of a real signal are real.
                self.spectrum[0].im = 0.0;
                self.spectrum[size / 2].im = 0.0;
                let _ = inverse.process_with_scratch(&mut self.spectrum, &mut self.frame, &mut self.scratch);
                self.add();
                // The middle of the first frame lies at the first sample.
                let early = (size / 2).saturating_sub(to);
                if to >= length {
                    self.give(early, size, stretched);
                    break;
                }
                self.give(early, next - to, stretched);
            }
        });
        stretched.truncate(end);
    }

    fn reset(&mut self, size: usize) {
        if self.window.len() != size {
            let hann = |at: usize| 0.5 - 0.5 * (std::f64::consts::TAU * at as f64 / size as f64).cos();
            self.window = (0..size).map(|at| hann(at) as f32).collect();
            self.spectrum.resize(size / 2 + 1, Complex::default());
        }
        for values in [&mut self.frame, &mut self.sum, &mut self.weight] {
            values.clear();
            values.resize(size, 0.0);
        }
        self.locking.reset();
    }

    /// The frame about a place, with silence before and behind the samples.
    fn take(&mut self, samples: &[f32], middle: usize) {
        let (size, half) = (self.window.len(), self.window.len() / 2);
        let begin = half.saturating_sub(middle);
        let end = (samples.len() + half).saturating_sub(middle).clamp(begin, size);
        self.frame.fill(0.0);
        if begin < end {
            let about = &samples[begin + middle - half..end + middle - half];
            let windowed = self.frame[begin..end].iter_mut().zip(about).zip(&self.window[begin..end]);
            windowed.for_each(|((value, sample), window)| *value = sample * window);
        }
    }

    fn add(&mut self) {
        let sums = self.sum.iter_mut().zip(&mut self.weight);
        for ((sum, weight), (value, window)) in sums.zip(self.frame.iter().zip(&self.window)) {
            *sum += value * window;
            *weight += window * window;
        }
    }

    /// Gives the first samples, to which no frame will add more, but for those that are too early.
    fn give(&mut self, early: usize, count: usize, stretched: &mut Vec<f32>) {
        let size = self.sum.len();
        let done = early.min(count)..count;
        let scaled = self.sum[done.clone()].iter().zip(&self.weight[done]);
        stretched.extend(scaled.map(|(sum, weight)| sum / (weight * size as f32)));
        for values in [&mut self.sum, &mut self.weight] {
            values.copy_within(count.., 0);
            values[size - count..].fill(0.0);
        }
    }
}
