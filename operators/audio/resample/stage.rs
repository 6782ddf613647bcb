//! What the ways of changing the rate have in common.

use super::real::Real;

/// A change of rate of which each channel is in its own state.
pub trait Stage<T: Real>: Send {
    type State: Send;

    fn state(&self) -> Self::State;

    /// As before the first sample.
    fn reset(&self, state: &mut Self::State);

    /// So many samples bring the next results.
    fn missing(&self, state: &Self::State) -> usize;

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
