//! Blocks of samples to frames of bins.
//!
//! Correlations with a kernel are a product of spectra. The frames are every `hop`th of them: the product, folded to as
//! many frequencies as there are frames, has exactly these as its inverse FFT, which is short. A kernel's spectrum is
//! narrow, and what lies outside is left out.

use realfft::FftError;
use realfft::num_complex::Complex;

use super::bank::{Band, Bank};

/// A spectrum, real and imaginary parts apart.
#[derive(Default)]
struct Spectrum {
    re: Vec<f32>,
    im: Vec<f32>,
}

/// The buffers that a block is transformed in.
#[derive(Default)]
pub struct Transform {
    samples: Vec<f32>,
    half: Vec<Complex<f32>>,
    /// The spectrum from [`Bank::low`] to [`Bank::high`], as it is and half a sample later.
    spectra: [Spectrum; 2],
    folded: Spectrum,
    frames: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl Transform {
    /// The samples of a block, to be written: from its first frame's middle on, and those before it at the end.
    pub fn samples(&mut self, bank: &Bank) -> &mut [f32] {
        self.samples.resize(bank.forward.len(), 0.0);
        &mut self.samples
    }

    /// Gives the frames of each bin, and the places where they belong.
    pub fn run(
        &mut self,
        bank: &Bank,
        mut give: impl FnMut(&[usize], &[Complex<f32>]),
    ) -> Result<(), FftError> {
        let samples = self.samples(bank).len();
        let scratch = bank.forward.get_scratch_len().max(bank.inverse.get_inplace_scratch_len());
        self.scratch.resize(scratch, Complex::default());
        self.half.resize(samples / 2 + 1, Complex::default());
        self.frames.resize(bank.inverse.len(), Complex::default());
        bank.forward.process_with_scratch(
            &mut self.samples,
            &mut self.half,
            &mut self.scratch[..bank.forward.get_scratch_len()],
        )?;
        let [whole, halfway] = &mut self.spectra;
        whole.fill(&self.half, 1.0, bank);
        for (value, turn) in self.half.iter_mut().zip(&bank.half_sample) {
            *value *= turn;
        }
        halfway.fill(&self.half, -1.0, bank);
        for band in &bank.bands {
            self.spectra[usize::from(band.odd)].fold(band, bank.inverse.len(), &mut self.folded);
            for ((frame, re), im) in self.frames.iter_mut().zip(&self.folded.re).zip(&self.folded.im) {
                *frame = Complex::new(*re, *im);
            }
            bank.inverse.process_with_scratch(&mut self.frames, &mut self.scratch);
            for frame in &mut self.frames {
                *frame *= band.turn;
            }
            give(&band.places, &self.frames);
        }
        Ok(())
    }
}

impl Spectrum {
    /// Takes what the bank needs, given the frequencies from 0 to half the rate. Below 0 the spectrum is their
    /// conjugate, beyond half the rate that times `sign`.
    fn fill(&mut self, half: &[Complex<f32>], sign: f32, bank: &Bank) {
        self.re.clear();
        self.im.clear();
        let (below, from) = (bank.low.min(0).unsigned_abs(), bank.low.max(0) as usize);
        let (middle, to) = (half.len() - 1, bank.high.max(0) as usize);
        self.extend(half[1..1 + below].iter().rev().map(|value| value.conj()));
        self.extend(half[from..to.min(middle + 1)].iter().copied());
        let beyond = to.saturating_sub(middle + 1);
        self.extend(half[middle - beyond..middle].iter().rev().map(|value| value.conj() * sign));
    }

    fn extend(&mut self, values: impl Iterator<Item = Complex<f32>> + Clone) {
        self.re.extend(values.clone().map(|value| value.re));
        self.im.extend(values.map(|value| value.im));
    }

    /// Multiplies with a band and folds the product to `size` values.
    fn fold(&self, band: &Band, size: usize, folded: &mut Self) {
        for sums in [&mut folded.re, &mut folded.im] {
            sums.clear();
            sums.resize(size, 0.0);
        }
        let (mut at, mut residue) = (0, band.residue);
        while at < band.weights.len() {
            let run = (size - residue).min(band.weights.len() - at);
            let from = band.first + at;
            let weights = &band.weights[at..at + run];
            add(&mut folded.re[residue..residue + run], &self.re[from..from + run], weights);
            add(&mut folded.im[residue..residue + run], &self.im[from..from + run], weights);
            at += run;
            residue = 0;
        }
    }
}

fn add(sums: &mut [f32], values: &[f32], weights: &[f32]) {
    for ((sum, value), weight) in sums.iter_mut().zip(values).zip(weights) {
        *sum += value * weight;
    }
}
