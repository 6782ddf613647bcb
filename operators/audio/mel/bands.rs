//! The work of a mel spectrogram.

use etude_pipeline::operator::Step;

use super::{Mel, filterbank};
use crate::framed::{Columns, LANES, Matrix, Row};
use crate::stft::Spectra;

/// Turns frames into mel bands.
pub struct Bands {
    mel: Mel,
    spectra: Spectra,
    /// The filterbank for signals of `rate`.
    weights: Matrix,
    rate: u32,
    bins: Vec<Row>,
}

impl Bands {
    pub fn new(mel: &Mel) -> Self {
        let spectra = Spectra::new(mel.window());
        Self {
            mel: mel.clone(),
            bins: vec![[0.0; LANES]; spectra.bins()],
            spectra,
            weights: Matrix::default(),
            rate: 0,
        }
    }
}

impl Columns for Bands {
    fn width(&self) -> usize {
        self.mel.n_mels
    }

    fn begin(&mut self, rate: u32) {
        if rate != self.rate {
            self.weights = Matrix::new(&filterbank(&self.mel, rate), self.spectra.bins());
            self.rate = rate;
        }
    }

    fn columns(&mut self, samples: &[f32], hop: usize, frames: usize, rows: &mut [Row]) -> Step {
        match self.mel.power {
            1 => self.spectra.magnitudes(samples, hop, frames, &mut self.bins)?,
            _ => self.spectra.powers(samples, hop, frames, &mut self.bins)?,
        }
        self.weights.product(&self.bins, rows);
        Ok(())
    }
}
