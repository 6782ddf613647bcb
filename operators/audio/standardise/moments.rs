//! Means and deviations.

use etude_pipeline::flow::Block;

/// Added to a deviation, so that silence stays silence.
pub const FLOOR: f64 = 1e-5;

/// Frames that are worked on side by side.
const LANES: usize = 16;

/// Standardises all values as one population.
pub fn all(values: &mut [f32]) {
    if values.is_empty() {
        return;
    }
    let mean = sum(values, |value| value) / values.len() as f64;
    let variance = sum(values, |value| (value - mean).powi(2)) / values.len() as f64;
    let ((high, low), scale) = (parts(mean), scale(variance));
    values.iter_mut().for_each(|value| *value = (*value - high - low) * scale);
}

/// A mean in two parts: values may be close to it.
pub fn parts(mean: f64) -> (f32, f32) {
    (mean as f32, (mean - f64::from(mean as f32)) as f32)
}

/// What centred values are multiplied by.
pub fn scale(variance: f64) -> f32 {
    (1.0 / (variance.sqrt() + FLOOR)) as f32
}

/// A sum in several lanes, which vectorises; the order does not depend on anything.
fn sum(values: &[f32], of: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += of(f64::from(*value)));
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|value| of(f64::from(*value))).sum::<f64>()
}

/// Standardises each frame over its channels.
pub fn frames(block: &mut Block) {
    for from in (0..block.frames()).step_by(LANES) {
        let to = block.frames().min(from + LANES);
        let means = means(block, from, to, |_, value| value);
        let variances = self::means(block, from, to, |lane, value| (value - means[lane]).powi(2));
        let (means, scales) = (means.map(parts), variances.map(scale));
        for channel in 0..block.channels() {
            let values = block.channel_mut(channel)[from..to].iter_mut();
            for (value, ((high, low), scale)) in values.zip(means.iter().zip(&scales)) {
                *value = (*value - high - low) * scale;
            }
        }
    }
}

/// Of each frame from `from` to `to` the mean of something over its channels.
fn means(block: &Block, from: usize, to: usize, of: impl Fn(usize, f64) -> f64) -> [f64; LANES] {
    let mut sums = [0.0; LANES];
    for channel in 0..block.channels() {
        let values = &block.channel(channel)[from..to];
        for (lane, (sum, value)) in sums.iter_mut().zip(values).enumerate() {
            *sum += of(lane, f64::from(*value));
        }
    }
    sums.map(|sum| sum / block.channels() as f64)
}
