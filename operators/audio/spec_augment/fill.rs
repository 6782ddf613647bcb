//! What stands in a mask.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands in a mask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// The mean of the clip, of each plane its own.
    #[default]
    Mean,
    /// 0, which is the loudest there is where full scale is 0 dB.
    Zero,
}

impl Fill {
    /// The value for a plane, which has some.
    pub fn value(self, plane: &[f32]) -> f32 {
        match self {
            Self::Zero => 0.0,
            Self::Mean => (sum(plane) / plane.len() as f64) as f32,
        }
    }
}

/// Several sums side by side, which vectorise.
fn sum(values: &[f32]) -> f64 {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    sums.iter().sum::<f64>() + rest.iter().copied().map(f64::from).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_a_mean() {
        for length in [1, 7, 8, 9, 1000] {
            let values: Vec<f32> = (0..length).map(|i| (i as f32 * 0.7).sin() + 3.0).collect();
            let mean = values.iter().copied().map(f64::from).sum::<f64>() / f64::from(length);
            assert!((f64::from(Fill::Mean.value(&values)) - mean).abs() < 1e-6);
            assert_eq!(Fill::Zero.value(&values), 0.0);
        }
    }
}
