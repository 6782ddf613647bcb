//! What the ways of changing the rate have in common.

use super::real::Real;

/// A change of rate of which each channel is in its own state.
pub trait Stage<T: Real>: Send {
    type State: Send;

    fn state(&self) -> Self::State;

    /// As before the first sample.
    fn reset(&self, state: &mut Self::State);

    /// So many samples bring so many results, or the next ones.
    fn missing(&self, state: &Self::State, results: usize) -> usize;

    /// The most results of a call with so many samples.
    fn ready(&self, state: &Self::State, samples: usize) -> usize;

    /// Takes samples, and adds what they complete to the results. Where that is a lot, some of it
    /// waits for the next call. It does not matter how a signal is cut.
    fn process<S: Copy, R>(
        &mut self,
        state: &mut Self::State,
        samples: &[S],
        read: impl Fn(S) -> T,
        results: &mut Vec<R>,
        write: impl Fn(T) -> R,
    );
}

/// One stage after the other.
pub struct Then<T, A, B> {
    first: A,
    second: B,
    middle: Vec<T>,
}

impl<T, A, B> Then<T, A, B> {
    pub fn new(first: A, second: B) -> Self {
        Self { first, second, middle: Vec::new() }
    }
}

impl<T: Real, A: Stage<T>, B: Stage<T>> Stage<T> for Then<T, A, B> {
    type State = (A::State, B::State);

    fn state(&self) -> Self::State {
        (self.first.state(), self.second.state())
    }

    fn reset(&self, (first, second): &mut Self::State) {
        self.first.reset(first);
        self.second.reset(second);
    }

    fn missing(&self, (first, second): &Self::State, results: usize) -> usize {
        self.first.missing(first, self.second.missing(second, results))
    }

    fn ready(&self, (first, second): &Self::State, samples: usize) -> usize {
        self.second.ready(second, self.first.ready(first, samples))
    }

    fn process<S: Copy, R>(
        &mut self,
        (first, second): &mut Self::State,
        samples: &[S],
        read: impl Fn(S) -> T,
        results: &mut Vec<R>,
        write: impl Fn(T) -> R,
    ) {
        self.middle.clear();
        self.first.process(first, samples, read, &mut self.middle, |value| value);
        self.second.process(second, &self.middle, |value| value, results, write);
    }
}
