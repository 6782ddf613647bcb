//! Values between samples.

use std::sync::LazyLock;

/// Zero crossings of the filter on each side.
const CROSSINGS: usize = 16;

/// Values of the filter from one zero crossing to the next; lines between them are off by less than (π / 512)² / 8,
/// −106 dB.
const STEPS: usize = 512;

/// Rows of weights from one sample to the next; between them there are lines, −94 dB.
const ROWS: usize = 256;

/// The middle of the transition as a fraction of the lower Nyquist frequency.
const CUTOFF: f64 = 0.92;

/// How fast the window falls.
const BETA: f64 = 7.0;

/// Sums are made in so many lanes, which the compiler turns into SIMD.
const LANES: usize = 8;

/// Half a sinc under exp(β (√(1 − x²) − 1)), which is nearly Kaiser's window (Barnett, Magland and af Klinteberg,
/// 2019).
static FILTER: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let value = |at: usize| {
        let crossings = at as f64 / STEPS as f64;
        let inside = 1.0 - (crossings / CROSSINGS as f64).powi(2);
        if inside < 0.0 {
            return 0.0;
        }
        let angle = std::f64::consts::PI * crossings;
        let sinc = if at == 0 { 1.0 } else { angle.sin() / angle };
        (sinc * (BETA * (inside.sqrt() - 1.0)).exp()) as f32
    };
    (0..=CROSSINGS * STEPS + 1).map(value).collect()
});

/// Reads a signal at another speed.
#[derive(Default)]
pub struct Interpolator {
    ratio: f64,
    taps: usize,
    /// The weights of a row, one after another.
    rows: Vec<f32>,
}

impl Interpolator {
    /// From now on values are so many samples apart.
    pub fn set(&mut self, ratio: f64) {
        // What is read faster must lose what would be above the Nyquist frequency.
        let cutoff = CUTOFF / ratio.max(1.0);
        self.ratio = ratio;
        self.taps = 2 * ((CROSSINGS as f64 / cutoff).ceil() as usize).next_multiple_of(LANES / 2);
        self.rows.clear();
        for row in 0..=ROWS {
            let middle = (self.taps / 2 - 1) as f64 + row as f64 / ROWS as f64;
            let begin = self.rows.len();
            self.rows.extend((0..self.taps).map(|tap| filter((tap as f64 - middle).abs() * cutoff)));
            let weights = &mut self.rows[begin..];
            let sum: f32 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
    }

    /// Samples before the first value that it depends on.
    pub fn before(&self) -> usize {
        self.taps / 2 - 1
    }

    /// Samples behind the last value that it depends on.
    pub fn behind(&self) -> usize {
        self.taps / 2
    }

    /// Reads values from the sample behind [`Self::before`] on.
    pub fn read(&self, samples: &[f32], values: &mut [f32]) {
        for (index, value) in values.iter_mut().enumerate() {
            let place = index as f64 * self.ratio;
            let whole = place as usize;
            let part = (place - whole as f64) * ROWS as f64;
            let row = part as usize;
            let rows = &self.rows[row * self.taps..(row + 2) * self.taps];
            *value = between(&samples[whole..whole + self.taps], rows, (part - row as f64) as f32);
        }
    }
}

/// The filter's value at a distance in zero crossings.
fn filter(crossings: f64) -> f32 {
    let place = crossings * STEPS as f64;
    let whole = place as usize;
    match FILTER.get(whole..whole + 2) {
        Some([low, high]) => low + (high - low) * (place - whole as f64) as f32,
        _ => 0.0,
    }
}

/// The sum of samples with weights between those of two rows.
fn between(samples: &[f32], rows: &[f32], part: f32) -> f32 {
    let (low, high) = rows.split_at(samples.len());
    let (mut lows, mut highs) = ([0f32; LANES], [0f32; LANES]);
    let weights = low.as_chunks::<LANES>().0.iter().zip(high.as_chunks::<LANES>().0);
    for (samples, (low, high)) in samples.as_chunks::<LANES>().0.iter().zip(weights) {
        for lane in 0..LANES {
            lows[lane] += samples[lane] * low[lane];
            highs[lane] += samples[lane] * high[lane];
        }
    }
    let [a, b, c, d, e, f, g, h] = std::array::from_fn(|lane| lows[lane] + (highs[lane] - lows[lane]) * part);
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
