//! Centroids, and how a step moves them.

use etude_pipeline::operator::ChainReport;
use etude_pipeline::random::Random;

use super::sample::choose;
use super::threads::on_parts;
use crate::tokens::{Codebook, LANES, transpose};

/// How much of the running mean of the inertia a step makes up.
const SHARE: f64 = 0.05;

/// Frames for each centroid after which small ones are looked for.
const PATIENCE: u64 = 10;

/// Where learning is.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Values of a centroid.
    pub width: usize,
    /// The centroids, one after another.
    pub centres: Vec<f32>,
    /// How many frames each is the mean of.
    pub counts: Vec<u64>,
    /// Steps that were taken.
    pub steps: u64,
    /// Frames that have come since small centroids were looked for.
    pub since: u64,
    /// The mean squared distance of a frame from its centroid, as a running mean over steps.
    pub inertia: Option<f64>,
    /// What the chain has done.
    pub report: ChainReport,
}

impl Fit {
    /// Centroids that no frame counts for yet.
    pub fn new(centres: Vec<f32>, width: usize, report: ChainReport) -> Self {
        let counts = vec![0; centres.len() / width];
        Self { width, centres, counts, steps: 0, since: 0, inertia: None, report }
    }

    /// A step with some frames.
    pub fn step(&mut self, frames: &[f32], reassignment_ratio: f64, random: Random, threads: usize) {
        self.steps += 1;
        let count = frames.len() / self.width;
        if count == 0 {
            return;
        }
        self.since += count as u64;
        let look = self.counts.contains(&0) || self.since >= PATIENCE * self.counts.len() as u64;
        let inertia = self.step_to_means(frames, threads) / count as f64;
        self.inertia = Some(self.inertia.map_or(inertia, |before| before + SHARE * (inertia - before)));
        if look {
            self.since = 0;
            self.reassign(frames, reassignment_ratio, random);
        }
    }

    /// Moves centroids to the means of their frames; gives the sum of squared distances before.
    fn step_to_means(&mut self, frames: &[f32], threads: usize) -> f64 {
        let nearest = nearest(&self.centres, self.width, frames, threads);
        let mut sums = vec![0.0; self.centres.len()];
        let mut counts = vec![0; self.counts.len()];
        let mut inertia = 0.0;
        for (frame, at) in frames.chunks_exact(self.width).zip(nearest.as_flattened()) {
            let at = *at as usize;
            let values = at * self.width..(at + 1) * self.width;
            let (centre, sums) = (&self.centres[values.clone()], &mut sums[values]);
            for ((value, centre), sum) in frame.iter().zip(centre).zip(sums) {
                let value = f64::from(*value);
                inertia += (value - f64::from(*centre)).powi(2);
                *sum += value;
            }
            counts[at] += 1;
        }
        let sums = sums.chunks_exact(self.width).zip(counts);
        let centres = self.centres.chunks_exact_mut(self.width).zip(&mut self.counts);
        for ((centre, before), (sums, new)) in centres.zip(sums).filter(|(_, (_, new))| *new > 0) {
            let (old, all) = (*before as f64, (*before + new) as f64);
            for (centre, sum) in centre.iter_mut().zip(sums) {
                *centre = ((f64::from(*centre) * old + sum) / all) as f32;
            }
            *before += new;
        }
        inertia
    }

    /// Puts small centroids in the place of frames, of at most half of them.
    fn reassign(&mut self, frames: &[f32], ratio: f64, mut random: Random) {
        let largest = self.counts.iter().max().copied().unwrap_or(0);
        let mut small: Vec<usize> = (0..self.counts.len()).collect();
        small.retain(|at| (self.counts[*at] as f64) < ratio * largest as f64);
        let count = frames.len() / self.width;
        small.sort_by_key(|at| self.counts[*at]);
        small.truncate(count / 2);
        for (at, frame) in small.iter().zip(choose(&mut random, small.len(), count)) {
            self.centres[at * self.width..][..self.width]
                .copy_from_slice(&frames[frame * self.width..][..self.width]);
        }
        // They count as many frames as the smallest of the others, or they would be put elsewhere at once.
        small.iter().for_each(|at| self.counts[*at] = u64::MAX);
        let least = self.counts.iter().min().copied().unwrap_or(0);
        small.into_iter().for_each(|at| self.counts[at] = least);
    }
}

/// The nearest centroid of each frame, for as many at a time as there are lanes.
pub fn nearest(centres: &[f32], width: usize, frames: &[f32], threads: usize) -> Vec<[u32; LANES]> {
    let codebook = Codebook::new(centres, width);
    let mut nearest = vec![[0; LANES]; (frames.len() / width).div_ceil(LANES)];
    on_parts(threads, &mut nearest, 1, |first, part| {
        let mut rows = vec![[0.0; LANES]; width];
        for (index, nearest) in part.iter_mut().enumerate() {
            let from = (first + index) * LANES * width;
            transpose(&frames[from..frames.len().min(from + LANES * width)], &mut rows);
            *nearest = codebook.nearest(&rows);
        }
    });
    nearest
}
