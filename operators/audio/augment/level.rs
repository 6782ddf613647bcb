//! How loud samples are.

/// Sums are made in so many lanes, which the compiler turns into SIMD.
const LANES: usize = 8;

/// The mean power of samples; 0 of none.
pub fn power(samples: &[f32]) -> f64 {
    energy(samples) / samples.len().max(1) as f64
}

/// The root of the mean power.
pub fn rms(samples: &[f32]) -> f64 {
    power(samples).sqrt()
}

/// The sum of squares.
pub fn energy(samples: &[f32]) -> f64 {
    let (chunks, rest) = samples.as_chunks::<LANES>();
    let mut sums = [0f64; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += f64::from(chunk[lane]) * f64::from(chunk[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>()
}
