//! The way from one rate to another, for all channels.

use super::kernel::Kernel;
use super::overlap::{self, Overlap};
use super::plan::{blocks, intermediate, reduced};
use super::polyphase::{self, Polyphase};
use super::quality::Quality;
use super::real::Real;
use super::stage::Stage;

/// A change of rate of several channels.
pub trait Way: Send {
    fn reset(&mut self);

    /// So many frames bring the next results.
    fn missing(&self) -> usize;

    /// The most results a channel of a call with so many frames.
    fn ready(&self, frames: usize) -> usize;

    /// Takes a channel's samples, and adds what they complete. Where that is a lot, some of it waits
    /// for the next call.
    fn process(&mut self, channel: usize, samples: &[f32], results: &mut Vec<f32>);
}

/// The way for two rates without a common divisor.
pub fn way(from: u64, to: u64, quality: Quality, channels: usize) -> Box<dyn Way> {
    match quality {
        Quality::Fast => {
            let polyphase = Polyphase::<f32>::new(from, to, &quality.kernel(from, to), false);
            Box::new(One::new(polyphase, channels))
        }
        Quality::High => filtered::<f32>(from, to, quality, channels),
        Quality::Best => filtered::<f64>(from, to, quality, channels),
    }
}

/// With a filter that is steep and therefore long.
fn filtered<T: Real>(from: u64, to: u64, quality: Quality, channels: usize) -> Box<dyn Way> {
    let kernel = quality.kernel(from, to);
    let plan = |from: u64, to: u64| blocks(from as usize, to as usize, kernel.half_width());
    if let Some(blocks) = plan(from, to) {
        return Box::new(One::new(Overlap::<T>::new(blocks, &kernel, 0), channels));
    }
    let (p, q) = intermediate(from, to);
    let Some(blocks) = plan(q, p) else {
        return Box::new(One::new(Polyphase::<T>::new(from, to, &kernel, false), channels));
    };
    // Above the signal's band there are only the images of its own samples to be taken away.
    let band = (from.min(to) * q) as f64 / (from * p) as f64;
    let images = Kernel::new(quality.design().attenuation, band, 2.0 - band);
    let (from, to) = reduced(from * p, to * q);
    let polyphase = Polyphase::<T>::new(from, to, &images, true);
    let overlap = Overlap::new(blocks, &kernel, polyphase.lead());
    Box::new(Two { states: states(&overlap, channels).zip(states(&polyphase, channels)).collect(), overlap, polyphase, middle: Vec::new() })
}

fn states<T: Real, S: Stage<T>>(stage: &S, channels: usize) -> impl Iterator<Item = S::State> {
    (0..channels).map(|_| stage.state())
}

struct One<T: Real, S: Stage<T>> {
    stage: S,
    states: Vec<S::State>,
}

impl<T: Real, S: Stage<T>> One<T, S> {
    fn new(stage: S, channels: usize) -> Self {
        Self { states: states(&stage, channels).collect(), stage }
    }
}

impl<T: Real, S: Stage<T>> Way for One<T, S> {
    fn reset(&mut self) {
        self.states.iter_mut().for_each(|state| self.stage.reset(state));
    }

    fn missing(&self) -> usize {
        self.states.first().map_or(0, |state| self.stage.missing(state))
    }

    fn ready(&self, frames: usize) -> usize {
        self.states.first().map_or(0, |state| self.stage.ready(state, frames))
    }

    fn process(&mut self, channel: usize, samples: &[f32], results: &mut Vec<f32>) {
        self.stage.process(&mut self.states[channel], samples, T::from_sample, results, T::to_sample);
    }
}

/// For ratios of large numbers: filtered on the way to a rate that leaves room, then interpolated.
struct Two<T: Real> {
    overlap: Overlap<T>,
    polyphase: Polyphase<T>,
    states: Vec<(overlap::State<T>, polyphase::State<T>)>,
    middle: Vec<T>,
}

impl<T: Real> Way for Two<T> {
    fn reset(&mut self) {
        for (overlap, polyphase) in &mut self.states {
            self.overlap.reset(overlap);
            self.polyphase.reset(polyphase);
        }
    }

    fn missing(&self) -> usize {
        self.states.first().map_or(0, |(overlap, _)| self.overlap.missing(overlap))
    }

    fn ready(&self, frames: usize) -> usize {
        let ready = |(overlap, polyphase): &(_, _)| {
            self.polyphase.ready(polyphase, self.overlap.ready(overlap, frames))
        };
        self.states.first().map_or(0, ready)
    }

    fn process(&mut self, channel: usize, samples: &[f32], results: &mut Vec<f32>) {
        let (overlap, polyphase) = &mut self.states[channel];
        self.middle.clear();
        self.overlap.process(overlap, samples, T::from_sample, &mut self.middle, |value| value);
        self.polyphase.process(polyphase, &self.middle, |value| value, results, T::to_sample);
    }
}
