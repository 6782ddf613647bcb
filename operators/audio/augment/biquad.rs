//! Second-order Butterworth filters, by the bilinear transform.
//!
//! The coefficients are those of R. Bristow-Johnson's Audio EQ Cookbook with Q = 1/√2.

use etude_pipeline::flow::Block;

/// Samples that are filtered together.
const STEP: usize = 4;

/// What a state, or a sample, gives to each of the outputs that follow.
type Outputs = [f64; STEP];

/// Filters all channels in place, from silence, by one filter behind the other.
pub fn run<const N: usize>(filters: [Biquad; N], clip: &mut Block) {
    let steps = filters.map(|filter| filter.steps());
    for channel in 0..clip.channels() {
        let mut states = [[0.0; 2]; N];
        let (whole, rest) = clip.channel_mut(channel).as_chunks_mut();
        for samples in whole {
            steps.iter().zip(&mut states).for_each(|(steps, state)| steps.next(samples, state));
        }
        for sample in rest {
            for (filter, state) in filters.iter().zip(&mut states) {
                *sample = filter.next(f64::from(*sample), state) as f32;
            }
        }
    }
}

/// A filter of second order, in direct form II transposed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
}

impl Biquad {
    /// −3 dB at `cutoff` Hz, below half the rate; what is lower passes.
    pub fn low_pass(cutoff: f64, rate: f64) -> Self {
        Self::new(cutoff, rate, |cos| [(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0])
    }

    /// −3 dB at `cutoff` Hz, below half the rate; what is higher passes.
    pub fn high_pass(cutoff: f64, rate: f64) -> Self {
        Self::new(cutoff, rate, |cos| [(1.0 + cos) / 2.0, -1.0 - cos, (1.0 + cos) / 2.0])
    }

    fn new(cutoff: f64, rate: f64, b: impl Fn(f64) -> [f64; 3]) -> Self {
        let (sin, cos) = (std::f64::consts::TAU * cutoff / rate).sin_cos();
        let alpha = sin / std::f64::consts::SQRT_2;
        let a0 = 1.0 + alpha;
        Self { b: b(cos).map(|b| b / a0), a: [-2.0 * cos / a0, (1.0 - alpha) / a0] }
    }

    fn next(&self, x: f64, [s1, s2]: &mut [f64; 2]) -> f64 {
        let y = self.b[0] * x + *s1;
        *s1 = self.b[1] * x - self.a[0] * y + *s2;
        *s2 = self.b[2] * x - self.a[1] * y;
        y
    }

    /// The same, several samples at a time: it is linear, so what comes out is the sum of what each sample and each
    /// state alone would give.
    fn steps(&self) -> Steps {
        let run = |samples: [f64; STEP], mut state: [f64; 2]| {
            let outputs = samples.map(|x| self.next(x, &mut state));
            (outputs, state)
        };
        let one = |at: usize| std::array::from_fn(|index| if index == at { 1.0 } else { 0.0 });
        let samples: [_; STEP] = std::array::from_fn(|at| run(one(at), [0.0; 2]));
        let states = [run([0.0; STEP], [1.0, 0.0]), run([0.0; STEP], [0.0, 1.0])];
        Steps { samples, states }
    }
}

/// What each sample and each state gives to the outputs and to the next state.
struct Steps {
    samples: [(Outputs, [f64; 2]); STEP],
    states: [(Outputs, [f64; 2]); 2],
}

impl Steps {
    fn next(&self, samples: &mut [f32; STEP], state: &mut [f64; 2]) {
        let (mut outputs, mut next) = ([0.0; STEP], [0.0; 2]);
        let mut add = |x: f64, (out, following): &(Outputs, [f64; 2])| {
            outputs.iter_mut().zip(out).for_each(|(sum, part)| *sum += x * part);
            next.iter_mut().zip(following).for_each(|(sum, part)| *sum += x * part);
        };
        // The states last: they are what is waited for.
        samples.iter().zip(&self.samples).for_each(|(sample, parts)| add(f64::from(*sample), parts));
        state.iter().zip(&self.states).for_each(|(state, parts)| add(*state, parts));
        *samples = outputs.map(|output| output as f32);
        *state = next;
    }
}
