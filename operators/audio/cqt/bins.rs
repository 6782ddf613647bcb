//! Where the bins are and how long their windows.

use super::kernel::Kernel;
use super::{Cqt, Scale, plan};
use etude_pipeline::operator::Invalid;

/// The longest window, in samples.
const LONGEST: f64 = (1 << 20) as f64;

/// A bin of one or several planes.
pub struct Bin {
    pub kernel: Kernel,
    /// What a correlation with the kernel is multiplied by.
    pub scale: f64,
    /// Harmonic · n_bins + bin, for each place where it stands.
    pub places: Vec<usize>,
}

impl Cqt {
    fn frequency(&self, harmonic: f64, bin: u16) -> f64 {
        self.f_min * harmonic * 2f64.powf(f64::from(bin) / f64::from(self.bins_per_octave))
    }

    /// Samples of the window of a bin.
    fn length(&self, frequency: f64, rate: u32) -> f64 {
        let octave = 2f64.powf(2.0 / f64::from(self.bins_per_octave));
        let alpha = (octave - 1.0) / (octave + 1.0);
        (self.filter_scale * f64::from(rate) / (alpha * frequency + self.gamma)).ceil().max(2.0)
    }

    /// The bins of all planes, those that coincide as one.
    pub fn bins(&self, rate: u32) -> Vec<Bin> {
        let mut all: Vec<(f64, usize)> = Vec::with_capacity(self.channels());
        for harmonic in &self.harmonics {
            all.extend((0..self.n_bins).map(|bin| self.frequency(*harmonic, bin)).zip(all.len()..));
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let same = |a: &(f64, usize), b: &(f64, usize)| b.0 - a.0 <= 1e-9 * a.0;
        all.chunk_by(same)
            .map(|bins| self.bin(bins[0].0, rate, bins.iter().map(|bin| bin.1).collect()))
            .collect()
    }

    fn bin(&self, frequency: f64, rate: u32, places: Vec<usize>) -> Bin {
        let length = self.length(frequency, rate) as usize;
        let kernel = Kernel { frequency: frequency / f64::from(rate), length };
        let scale = match self.scale {
            Scale::Ortho => (length as f64).sqrt() / kernel.sum(),
            Scale::Amplitude => 2.0 / kernel.sum(),
        };
        Bin { kernel, scale, places }
    }

    /// The bins in groups that share blocks: the lowest may have windows so long that, in blocks for these, the spectra
    /// of the others would have far more values than they need.
    pub fn groups(&self, rate: u32) -> Vec<Vec<Bin>> {
        let mut groups: Vec<Vec<Bin>> = Vec::new();
        for bin in self.bins(rate) {
            let samples = |bin: &Bin| plan::samples(bin.kernel.reach());
            match groups.last_mut() {
                Some(group) if 4 * samples(&bin) > samples(&group[0]) => group.push(bin),
                _ => groups.push(vec![bin]),
            }
        }
        groups
    }

    /// Checks all bins against a rate.
    pub fn suits(&self, rate: u32) -> Result<(), Invalid> {
        let nyquist = f64::from(rate) / 2.0;
        for harmonic in &self.harmonics {
            let highest = self.frequency(*harmonic, self.n_bins.saturating_sub(1));
            let lowest = self.frequency(*harmonic, 0);
            let message = format!(
                "the highest bin of harmonic {harmonic} is at {highest:.2} Hz, not below half the rate, {nyquist} Hz: \
                 lower `n_bins` or `f_min`"
            );
            let parameter = if lowest < nyquist { "n_bins" } else { "f_min" };
            Invalid::unless(highest < nyquist, parameter, message)?;
            let length = self.length(lowest, rate);
            let message = format!(
                "the window of the lowest bin of harmonic {harmonic}, at {lowest} Hz, would have {length} samples, more \
                 than {LONGEST}: raise `f_min` or `gamma`, or lower `filter_scale`"
            );
            Invalid::unless(length <= LONGEST, "f_min", message)?;
        }
        Ok(())
    }
}
