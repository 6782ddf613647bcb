//! Second-order Butterworth filters, by the bilinear transform.
//!
//! The coefficients are those of R. Bristow-Johnson's Audio EQ Cookbook with Q = 1/√2.

use etude_pipeline::flow::Block;

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

    /// Filters all channels in place, from silence.
    pub fn run(&self, clip: &mut Block) {
        for channel in 0..clip.channels() {
            let (mut s1, mut s2) = (0.0, 0.0);
            for sample in clip.channel_mut(channel) {
                let x = f64::from(*sample);
                let y = self.b[0] * x + s1;
                s1 = self.b[1] * x - self.a[0] * y + s2;
                s2 = self.b[2] * x - self.a[1] * y;
                *sample = y as f32;
            }
        }
    }
}
