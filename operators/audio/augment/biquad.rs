//! Butterworth filters of even order, by the bilinear transform: sections of second order, one behind the other.
//!
//! The coefficients are those of R. Bristow-Johnson's Audio EQ Cookbook. Section k of n has Q = 1 / (2 cos(π (2k + 1) / 4n)).

use etude_pipeline::flow::Block;

/// A filter of second order, in direct form II transposed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
}

impl Biquad {
    fn new(cutoff: f64, rate: f64, q: f64, b: impl Fn(f64) -> [f64; 3]) -> Self {
        let (sin, cos) = (std::f64::consts::TAU * cutoff / rate).sin_cos();
        let alpha = sin / (2.0 * q);
        let a0 = 1.0 + alpha;
        Self { b: b(cos).map(|b| b / a0), a: [-2.0 * cos / a0, (1.0 - alpha) / a0] }
    }

    fn next(&self, x: f64, [s1, s2]: &mut [f64; 2]) -> f64 {
        let y = self.b[0] * x + *s1;
        *s1 = self.b[1] * x - self.a[0] * y + *s2;
        *s2 = self.b[2] * x - self.a[1] * y;
        y
    }
}

/// −3 dB at `cutoff` Hz, below half the rate; what is lower passes.
pub fn low_pass(cutoff: f64, rate: f64, sections: usize) -> impl Iterator<Item = Biquad> {
    let b = |cos| [(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0];
    qs(sections).map(move |q| Biquad::new(cutoff, rate, q, b))
}

/// −3 dB at `cutoff` Hz, below half the rate; what is higher passes.
pub fn high_pass(cutoff: f64, rate: f64, sections: usize) -> impl Iterator<Item = Biquad> {
    let b = |cos| [(1.0 + cos) / 2.0, -1.0 - cos, (1.0 + cos) / 2.0];
    qs(sections).map(move |q| Biquad::new(cutoff, rate, q, b))
}

/// How sharp the sections of a Butterworth filter are.
fn qs(sections: usize) -> impl Iterator<Item = f64> {
    let angle = std::f64::consts::PI / (4 * sections) as f64;
    (0..sections).map(move |section| 0.5 / (angle * (2 * section + 1) as f64).cos())
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
