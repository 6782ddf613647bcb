//! The two precisions.

use realfft::FftNum;

/// The number that a signal is processed in.
pub trait Real: FftNum {
    /// Rounded, where that has to be.
    fn of(value: f64) -> Self;
    /// From a sample.
    fn from_sample(sample: f32) -> Self;
    /// As a sample.
    fn to_sample(self) -> f32;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }

    fn from_sample(sample: f32) -> Self {
        sample
    }

    fn to_sample(self) -> f32 {
        self
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }

    fn from_sample(sample: f32) -> Self {
        f64::from(sample)
    }

    fn to_sample(self) -> f32 {
        self as f32
    }
}
