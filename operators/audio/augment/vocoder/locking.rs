//! Phases of frames that come to lie at other distances.
//!
//! J. Laroche and M. Dolson, Improved phase vocoder time-scale modification of audio, 1999, with identity phase
//! locking: each peak of the spectrum goes on as the sinusoid that it is of, and the bins about it are turned by the
//! same angle, so that a sinusoid keeps its shape.

use std::f64::consts::TAU;

use rustfft::num_complex::Complex;

/// Turns the spectra of frames, one after another.
#[derive(Default)]
pub struct Locking {
    /// The frame before as it was, and by what angle each bin of it was turned.
    before: Vec<Complex<f32>>,
    turned: Vec<f64>,
    /// Each bin's power, with two that are none at each end.
    power: Vec<f32>,
    /// The peaks with the angles by which they are turned.
    peaks: Vec<(usize, f64)>,
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
        let size = 2 * (spectrum.len() - 1);
        let ratio = put as f64 / taken as f64;
        for (bin, angle) in &mut self.peaks {
            let seen = f64::from((spectrum[*bin] * self.before[*bin].conj()).arg());
            // What is seen lacks whole turns, which the bin's own frequency tells.
            let due = TAU * (*bin * taken) as f64 / size as f64;
            let advance = due + wrapped(seen - due);
            *angle = wrapped(self.turned[*bin] + advance * ratio - seen);
        }
        self.before.copy_from_slice(spectrum);
        let mut begin = 0;
        for (index, (bin, angle)) in self.peaks.iter().enumerate() {
            let end = self.peaks.get(index + 1).map_or(spectrum.len(), |(next, _)| self.valley(*bin, *next));
            let (sin, cos) = (*angle as f32).sin_cos();
            let factor = Complex::new(cos, sin);
            spectrum[begin..end].iter_mut().for_each(|value| *value *= factor);
            self.turned[begin..end].fill(*angle);
            begin = end;
        }
    }

    /// Finds the peaks: bins that are louder than the two on each side.
    fn find(&mut self, spectrum: &[Complex<f32>]) {
        self.power.clear();
        self.power.extend([-1.0; 2]);
        self.power.extend(spectrum.iter().map(Complex::norm_sqr));
        self.power.extend([-1.0; 2]);
        self.peaks.clear();
        for (bin, about) in self.power.windows(5).enumerate() {
            // Of equals the first.
            if let [a, b, middle, c, d] = about
                && middle > b
                && middle >= c
                && middle > a
                && middle >= d
            {
                self.peaks.push((bin, 0.0));
            }
        }
    }

    /// The bin between two peaks where the power is least.
    fn valley(&self, peak: usize, next: usize) -> usize {
        let between = peak + 1..next;
        between.min_by(|a, b| self.power[a + 2].total_cmp(&self.power[b + 2])).unwrap_or(next)
    }
}

/// The angle between −π and π.
fn wrapped(angle: f64) -> f64 {
    angle - TAU * (angle / TAU).round()
}
