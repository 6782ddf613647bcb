//! Phases of frames that come to lie at other distances.
//!
//! J. Laroche and M. Dolson, Improved phase vocoder time-scale modification of audio, 1999, with identity phase
//! locking: each peak of the spectrum goes on as the sinusoid that it is of, and the bins about it are turned by the
//! same angle, so that a sinusoid keeps its shape.

use std::f64::consts::TAU;

use rustfft::num_complex::Complex;

use crate::augment::functions::{arg, sin_cos};

/// Turns the spectra of frames, one after another.
#[derive(Default)]
pub struct Locking {
    /// The frame before as it was, and by what angle each bin of it was turned.
    before: Vec<Complex<f32>>,
    turned: Vec<f64>,
    /// Each bin's power, with two that are none at each end.
    power: Vec<f32>,
    /// The bins of peaks.
    peaks: Vec<usize>,
    /// Of each peak: how it stands to the frame before, by what angle it is turned, and the same as a factor.
    steps: Vec<Complex<f32>>,
    angles: Vec<f64>,
    factors: Vec<Complex<f32>>,
}

impl Locking {
    /// The next frame is the first one, which stays as it is.
    pub fn reset(&mut self) {
        self.before.clear();
    }

    /// Turns a frame that was taken so many samples after the one before and is put at another distance from it.
    pub fn turn(&mut self, spectrum: &mut [Complex<f32>], taken: usize, put: usize) {
        if self.before.len() != spectrum.len() {
            self.before.clear();
            self.before.extend_from_slice(spectrum);
            self.turned.clear();
            self.turned.resize(spectrum.len(), 0.0);
            return;
        }
        self.find(spectrum);
        self.follow(spectrum, taken, put);
        self.before.copy_from_slice(spectrum);
        let mut begin = 0;
        for (index, peak) in self.peaks.iter().enumerate() {
            let end = self.peaks.get(index + 1).map_or(spectrum.len(), |next| self.valley(*peak, *next));
            let factor = self.factors[index];
            spectrum[begin..end].iter_mut().for_each(|value| *value *= factor);
            self.turned[begin..end].fill(self.angles[index]);
            begin = end;
        }
    }

    /// Finds the peaks: bins that are louder than the two on each side.
    fn find(&mut self, spectrum: &[Complex<f32>]) {
        self.power.clear();
        self.power.extend([-1.0; 2]);
        self.power.extend(spectrum.iter().map(Complex::norm_sqr));
        self.power.extend([-1.0; 2]);
        // Whether a bin is one cannot be foretold: it is written down in any case, and stays if it is.
        self.peaks.resize(spectrum.len(), 0);
        let mut count = 0;
        for (bin, about) in self.power.array_windows().enumerate() {
            let [a, b, middle, c, d] = about;
            self.peaks[count] = bin;
            // Of equals the first.
            count += usize::from((middle > b) & (middle >= c) & (middle > a) & (middle >= d));
        }
        self.peaks.truncate(count);
    }

    /// By what angle each peak is turned.
    fn follow(&mut self, spectrum: &[Complex<f32>], taken: usize, put: usize) {
        let Self { before, turned, peaks, steps, angles, factors, .. } = self;
        let size = 2 * (spectrum.len() - 1);
        let (turn, ratio) = (TAU * taken as f64 / size as f64, put as f64 / taken as f64);
        steps.clear();
        steps.extend(peaks.iter().map(|bin| spectrum[*bin] * before[*bin].conj()));
        angles.clear();
        angles.extend(peaks.iter().map(|bin| turned[*bin]));
        for ((angle, step), bin) in angles.iter_mut().zip(&*steps).zip(&*peaks) {
            let seen = f64::from(arg(step.re, step.im));
            // What is seen lacks whole turns, which the bin's own frequency tells.
            let due = turn * *bin as u32 as i32 as f64;
            let advance = due + wrapped(seen - due);
            *angle = wrapped(*angle + advance * ratio - seen);
        }
        factors.clear();
        factors.extend(angles.iter().map(|angle| {
            let (sin, cos) = sin_cos(*angle as f32);
            Complex::new(cos, sin)
        }));
    }

    /// The bin between two peaks where the power is least.
    fn valley(&self, peak: usize, next: usize) -> usize {
        let mut least = (f32::INFINITY, next);
        for (bin, power) in (peak + 1..next).zip(&self.power[peak + 3..]) {
            if *power < least.0 {
                least = (*power, bin);
            }
        }
        least.1
    }
}

/// The angle between −π and π.
fn wrapped(angle: f64) -> f64 {
    // Adding and taking it away rounds to whole numbers.
    const WHOLE: f64 = 1.5 * (1u64 << 52) as f64;
    angle - TAU * ((angle / TAU + WHOLE) - WHOLE)
}
