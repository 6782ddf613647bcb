//! Second-order Butterworth filters, by the bilinear transform.
//!
//! The coefficients are those of R. Bristow-Johnson's Audio EQ Cookbook with Q = 1/√2.

/// Which frequencies pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    Low,
    High,
}

/// A filter of second order, in direct form II transposed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
}

impl Biquad {
    /// The filter with −3 dB at `cutoff` Hz; none at or above half the rate.
    pub fn butterworth(pass: Pass, cutoff: f64, rate: f64) -> Option<Self> {
        if cutoff >= rate / 2.0 {
            return None;
        }
        let (sin, cos) = (std::f64::consts::TAU * cutoff / rate).sin_cos();
        let alpha = sin / std::f64::consts::SQRT_2;
        let a0 = 1.0 + alpha;
        let b = match pass {
            Pass::Low => [(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0],
            Pass::High => [(1.0 + cos) / 2.0, -1.0 - cos, (1.0 + cos) / 2.0],
        };
        Some(Self { b: b.map(|b| b / a0), a: [-2.0 * cos / a0, (1.0 - alpha) / a0] })
    }

    /// Filters in place, from silence.
    pub fn run(&self, samples: &mut [f32]) {
        let (mut s1, mut s2) = (0.0, 0.0);
        for sample in samples {
            let x = f64::from(*sample);
            let y = self.b[0] * x + s1;
            s1 = self.b[1] * x - self.a[0] * y + s2;
            s2 = self.b[2] * x - self.a[1] * y;
            *sample = y as f32;
        }
    }
}
