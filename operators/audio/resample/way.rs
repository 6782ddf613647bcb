//! The way from one rate to another, for all channels.

use super::kernel::Kernel;
use super::overlap::Overlap;
use super::plan::{blocks, intermediate, reduced};
use super::polyphase::Polyphase;
use super::quality::Quality;
use super::real::Real;
use super::stage::{Stage, Then};

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
        Quality::Fast | Quality::High => filtered::<f32>(from, to, quality, channels),
        Quality::Best => filtered::<f64>(from, to, quality, channels),
    }
}

/// In the frequency domain, and where a ratio is one of large numbers, by interpolation after that.
fn filtered<T: Real>(from: u64, to: u64, quality: Quality, channels: usize) -> Box<dyn Way> {
    let kernel = quality.kernel(from, to);
    let plan = |from: u64, to: u64| blocks(from as usize, to as usize, kernel.half_width());
    if let Some(blocks) = plan(from, to) {
        return Channels::of(Overlap::<T>::new(blocks, &kernel, 0), channels);
    }
    // To a rate that leaves room: above the signal's band there are only the images of its own
    // samples to be taken away.
    let (p, q) = intermediate(from, to);
    let Some(blocks) = plan(q, p) else {
        return Channels::of(Polyphase::<T>::new(from, to, &kernel, false), channels);
    };
    let band = (from.min(to) * q) as f64 / (from * p) as f64;
    let images = Kernel::new(quality.design().attenuation, band, 2.0 - band);
    let (from, to) = reduced(from * p, to * q);
    let polyphase = Polyphase::<T>::new(from, to, &images, true);
    let overlap = Overlap::new(blocks, &kernel, polyphase.lead());
    Channels::of(Then::new(overlap, polyphase), channels)
}

/// A stage with the state of each channel.
struct Channels<T: Real, S: Stage<T>> {
    stage: S,
    states: Vec<S::State>,
}

impl<T: Real, S: Stage<T> + 'static> Channels<T, S> {
    fn of(stage: S, channels: usize) -> Box<dyn Way> {
        let states = (0..channels).map(|_| stage.state()).collect();
        Box::new(Self { stage, states })
    }
}

impl<T: Real, S: Stage<T>> Way for Channels<T, S> {
    fn reset(&mut self) {
        self.states.iter_mut().for_each(|state| self.stage.reset(state));
    }

    fn missing(&self) -> usize {
        self.states.first().map_or(0, |state| self.stage.missing(state, 1))
    }

    fn ready(&self, frames: usize) -> usize {
        self.states.first().map_or(0, |state| self.stage.ready(state, frames))
    }

    fn process(&mut self, channel: usize, samples: &[f32], results: &mut Vec<f32>) {
        self.stage.process(&mut self.states[channel], samples, T::from_sample, results, T::to_sample);
    }
}
