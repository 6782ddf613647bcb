//! Butterworth filters, by the bilinear transform: sections of second order, and one of first where the order is odd, one
//! behind the other.
//!
//! The coefficients are those of R. Bristow-Johnson's Audio EQ Cookbook. Section k of a filter of order n has
//! Q = 1 / (2 sin(π (2k + 1) / 2n)).

use etude_pipeline::flow::Block;

/// A filter of second order, in direct form II transposed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
}

impl Biquad {
    /// Those of some order, −3 dB together at `cutoff` Hz, below half the rate. `second` and `first` are the numerators of
    /// sections, of the cosine and of the tangent of half of the cutoff's angle.
    fn all(
        (cutoff, rate): (f64, f64),
        order: usize,
        second: fn(f64) -> [f64; 3],
        first: fn(f64) -> [f64; 3],
    ) -> impl Iterator<Item = Self> {
        let angle = std::f64::consts::TAU * cutoff / rate;
        let ((sin, cos), tan) = (angle.sin_cos(), (angle / 2.0).tan());
        let section = move |number: usize| {
            let alpha = sin * (std::f64::consts::PI * (2 * number + 1) as f64 / (2 * order) as f64).sin();
            Self::new(second(cos), [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
        };
        let odd = order % 2 == 1;
        (0..order / 2).map(section).chain(odd.then(|| Self::new(first(tan), [1.0 + tan, tan - 1.0, 0.0])))
    }

    fn new(b: [f64; 3], [a0, a1, a2]: [f64; 3]) -> Self {
        Self { b: b.map(|b| b / a0), a: [a1 / a0, a2 / a0] }
    }

    fn next(&self, x: f64, [s1, s2]: &mut [f64; 2]) -> f64 {
        let y = self.b[0] * x + *s1;
        *s1 = self.b[1] * x - self.a[0] * y + *s2;
        *s2 = self.b[2] * x - self.a[1] * y;
        y
    }
}

/// −3 dB at `cutoff` Hz, below half the rate; what is lower passes.
pub fn low_pass(cutoff: f64, rate: f64, order: usize) -> impl Iterator<Item = Biquad> {
    let second = |cos| [(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0];
    Biquad::all((cutoff, rate), order, second, |tan| [tan, tan, 0.0])
}

/// −3 dB at `cutoff` Hz, below half the rate; what is higher passes.
pub fn high_pass(cutoff: f64, rate: f64, order: usize) -> impl Iterator<Item = Biquad> {
    let second = |cos| [(1.0 + cos) / 2.0, -1.0 - cos, (1.0 + cos) / 2.0];
    Biquad::all((cutoff, rate), order, second, |_| [1.0, -1.0, 0.0])
}

/// Filters all channels in place, from silence, by one filter behind the other.
pub fn run(mut filters: impl Iterator<Item = Biquad>, clip: &mut Block) {
    while let Some(first) = filters.next() {
        match filters.next() {
            Some(second) => run_together([first, second], clip),
            None => run_together([first], clip),
        }
    }
}

/// The states of filters.
type States<const N: usize> = [[f64; 2]; N];

/// The same in one pass.
fn run_together<const N: usize>(filters: [Biquad; N], clip: &mut Block) {
    let steps = Steps::of(&filters);
    for channel in 0..clip.channels() {
        let mut states = [[0.0; 2]; N];
        let (whole, rest) = clip.channel_mut(channel).as_chunks_mut();
        for part in whole.chunks_mut(64) {
            part.iter_mut().for_each(|samples| steps.next(samples, &mut states));
            // In silence they would fall to the smallest numbers, which processors are slow at.
            if states.as_flattened().iter().all(|state| state.abs() < 1e-15) {
                states = [[0.0; 2]; N];
            }
        }
        rest.iter_mut().for_each(|sample| *sample = next(&filters, f64::from(*sample), &mut states) as f32);
    }
}

fn next<const N: usize>(filters: &[Biquad; N], sample: f64, states: &mut States<N>) -> f64 {
    filters.iter().zip(states).fold(sample, |sample, (filter, state)| filter.next(sample, state))
}

/// Samples that are filtered together.
const STEP: usize = 4;

/// Filters for several samples at a time. They are linear: what comes out is the sum of what each sample and each state
/// alone would give, and nothing waits for the sample before.
struct Steps<const N: usize> {
    samples: [Gives<N>; STEP],
    states: [[Gives<N>; 2]; N],
}

/// What one gives to the samples that come out and to the next states.
type Gives<const N: usize> = ([f64; STEP], States<N>);

impl<const N: usize> Steps<N> {
    fn of(filters: &[Biquad; N]) -> Self {
        let run = |samples: [f64; STEP], mut states: States<N>| {
            (samples.map(|sample| next(filters, sample, &mut states)), states)
        };
        let sample = |at: usize| {
            let mut samples = [0.0; STEP];
            samples[at] = 1.0;
            run(samples, [[0.0; 2]; N])
        };
        let state = |filter: usize, of: usize| {
            let mut states = [[0.0; 2]; N];
            states[filter][of] = 1.0;
            run([0.0; STEP], states)
        };
        let states = std::array::from_fn(|filter| std::array::from_fn(|of| state(filter, of)));
        Self { samples: std::array::from_fn(sample), states }
    }

    fn next(&self, samples: &mut [f32; STEP], states: &mut States<N>) {
        let (mut outputs, mut following) = ([0.0; STEP], [[0.0; 2]; N]);
        let mut add = |x: f64, (samples, states): &Gives<N>| {
            let sums = outputs.iter_mut().chain(following.as_flattened_mut());
            sums.zip(samples.iter().chain(states.as_flattened())).for_each(|(sum, part)| *sum += x * part);
        };
        // The states last: they are what is waited for.
        samples.iter().zip(&self.samples).for_each(|(sample, gives)| add(f64::from(*sample), gives));
        let given = states.as_flattened().iter().zip(self.states.as_flattened());
        given.for_each(|(state, gives)| add(*state, gives));
        *samples = outputs.map(|output| output as f32);
        *states = following;
    }
}
