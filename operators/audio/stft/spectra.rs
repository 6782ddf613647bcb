//! Spectra of frames, several side by side.

use std::sync::Arc;

use etude_pipeline::operator::{Step, Stop};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::framed::Row;

/// Transforms frames. The plan is made once.
pub struct Spectra {
    transform: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// Where the window is not zero.
    from: usize,
    to: usize,
    input: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// Of [`TOGETHER`] frames what is given of each bin: at most two planes.
    values: Vec<f32>,
}

/// Frames whose values are written into their lanes together: one at a time would be a line of the cache for each.
const TOGETHER: usize = 4;

impl Spectra {
    /// Of frames as long as the window.
    pub fn new(window: Vec<f32>) -> Self {
        let transform = RealFftPlanner::new().plan_fft_forward(window.len());
        let from = window.iter().position(|weight| *weight != 0.0).unwrap_or(0);
        let to = window.iter().rposition(|weight| *weight != 0.0).map_or(from, |last| last + 1);
        Self {
            from,
            to,
            input: transform.make_input_vec(),
            bins: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            values: vec![0.0; 2 * TOGETHER * (window.len() / 2 + 1)],
            transform,
            window,
        }
    }

    /// Bins of a spectrum: n_fft / 2 + 1.
    pub fn bins(&self) -> usize {
        self.bins.len()
    }

    /// |X|² of each frame in a lane of its own, a row for each bin.
    pub fn powers(&mut self, samples: &[f32], hop: usize, frames: usize, rows: &mut [Row]) -> Step {
        self.planes(samples, hop, frames, rows, |bin| [bin.norm_sqr()])
    }

    /// |X|, as `powers`.
    pub fn magnitudes(&mut self, samples: &[f32], hop: usize, frames: usize, rows: &mut [Row]) -> Step {
        self.planes(samples, hop, frames, rows, |bin| [bin.norm_sqr().sqrt()])
    }

    /// The real parts, then the imaginary ones: two rows for each bin.
    pub fn complex(&mut self, samples: &[f32], hop: usize, frames: usize, rows: &mut [Row]) -> Step {
        self.planes(samples, hop, frames, rows, |bin| [bin.re, bin.im])
    }

    /// What `of` makes of each bin, plane after plane.
    fn planes<const PLANES: usize>(
        &mut self,
        samples: &[f32],
        hop: usize,
        frames: usize,
        rows: &mut [Row],
        of: impl Fn(&Complex<f32>) -> [f32; PLANES],
    ) -> Step {
        let bins = self.bins.len();
        for lane in (0..frames).step_by(TOGETHER) {
            for frame in 0..TOGETHER.min(frames - lane) {
                self.transform(&samples[(lane + frame) * hop..])?;
                for plane in 0..PLANES {
                    let values = self.values[(plane * TOGETHER + frame) * bins..].iter_mut();
                    values.zip(&self.bins).for_each(|(value, bin)| *value = of(bin)[plane]);
                }
            }
            for (values, rows) in self.values.chunks_exact(TOGETHER * bins).zip(rows.chunks_exact_mut(bins)) {
                let [(first, second), (third, fourth)] =
                    [&values[..2 * bins], &values[2 * bins..]].map(|pair| pair.split_at(bins));
                let together = first.iter().zip(second).zip(third.iter().zip(fourth));
                for (row, ((first, second), (third, fourth))) in rows.iter_mut().zip(together) {
                    row[lane..lane + TOGETHER].copy_from_slice(&[*first, *second, *third, *fourth]);
                }
            }
        }
        Ok(())
    }

    /// The spectrum of the frame that `samples` begins with.
    fn transform(&mut self, samples: &[f32]) -> Step {
        let (from, to) = (self.from, self.to);
        self.input[..from].fill(0.0);
        self.input[to..].fill(0.0);
        let weighed = samples[from..to].iter().zip(&self.window[from..to]);
        self.input[from..to]
            .iter_mut()
            .zip(weighed)
            .for_each(|(input, (sample, weight))| *input = sample * weight);
        let done = self.transform.process_with_scratch(&mut self.input, &mut self.bins, &mut self.scratch);
        done.map_err(|error| Stop::Rejected {
            class: "fft",
            offset: String::new(),
            message: error.to_string(),
        })
    }
}
