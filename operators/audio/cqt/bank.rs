//! The kernels of all bins, as spectra of a block.

use std::f64::consts::PI;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};

use super::bins::Bin;

/// A bin's kernel in the frequency domain.
pub struct Band {
    /// The place of its first value in the spectrum, from 0 on as in [`Bank::low`].
    pub first: usize,
    /// That value's place among the frames' frequencies: what it is modulo `size`.
    pub residue: usize,
    pub weights: Vec<f32>,
    /// Whether the kernel's middle lies half a sample early.
    pub odd: bool,
    /// What the values are multiplied by at the end.
    pub turn: Complex<f32>,
    pub places: Vec<usize>,
}

/// All that the blocks of one length have in common.
pub struct Bank {
    pub bands: Vec<Band>,
    /// Frequencies of the spectrum that the bands need: from `low` up to `high`, without it.
    pub low: isize,
    pub high: isize,
    /// exp(−πij / samples) for j from 0 to samples / 2: half a sample later.
    pub half_sample: Vec<Complex<f32>>,
    /// From samples to frequencies.
    pub forward: Arc<dyn RealToComplex<f32>>,
    /// From frequencies to frames.
    pub inverse: Arc<dyn Fft<f32>>,
}

impl Bank {
    /// For blocks of `size` frames, `hop` samples apart.
    pub fn new(bins: &[Bin], size: usize, hop: usize) -> Self {
        let samples = size * hop;
        let bands = bins.iter().map(|bin| bin.kernel.band(samples));
        let low = bands.clone().map(|(from, _)| from).min().unwrap_or(0);
        let high = bands.map(|(_, to)| to).max().unwrap_or(0);
        let half_sample = |j: usize| unit(-PI * j as f64 / samples as f64, 1.0);
        Self {
            bands: bins.iter().map(|bin| band(bin, low, size, samples)).collect(),
            low,
            high,
            half_sample: (0..=samples / 2).map(half_sample).collect(),
            forward: RealFftPlanner::new().plan_fft_forward(samples),
            inverse: FftPlanner::new().plan_fft_inverse(size),
        }
    }
}

fn band(bin: &Bin, low: isize, size: usize, samples: usize) -> Band {
    let Bin { kernel, scale, places } = bin;
    let (from, to) = kernel.band(samples);
    let weight = |j: isize| kernel.response(j as f64 / samples as f64 - kernel.frequency) as f32;
    let angle = if kernel.odd() { PI * kernel.frequency } else { 0.0 };
    Band {
        first: (from - low) as usize,
        residue: from.rem_euclid(size as isize) as usize,
        weights: (from..to).map(weight).collect(),
        odd: kernel.odd(),
        turn: unit(angle, scale / samples as f64),
        places: places.clone(),
    }
}

fn unit(angle: f64, length: f64) -> Complex<f32> {
    Complex::new((length * angle.cos()) as f32, (length * angle.sin()) as f32)
}
