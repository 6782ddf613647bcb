//! Allpass filters.

use super::combs::flushed;

/// A delay with what it was fed.
#[derive(Default)]
pub struct Allpass {
    line: Vec<f32>,
    at: usize,
}

impl Allpass {
    /// Makes it silent, of so many samples.
    pub fn reset(&mut self, delay: usize) {
        self.line.clear();
        self.line.resize(delay, 0.0);
        self.at = 0;
    }

    /// Filters samples in place. Within a turn of the line nothing depends on what was just fed.
    pub fn run(&mut self, mut samples: &mut [f32]) {
        while !samples.is_empty() {
            let count = samples.len().min(self.line.len() - self.at);
            let (now, later) = samples.split_at_mut(count);
            for (sample, place) in now.iter_mut().zip(&mut self.line[self.at..]) {
                let late = *place;
                *place = flushed(*sample + late / 2.0);
                *sample = late - *sample;
            }
            self.at = if self.at + count == self.line.len() { 0 } else { self.at + count };
            samples = later;
        }
    }
}
