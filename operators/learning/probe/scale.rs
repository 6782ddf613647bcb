//! Brings values to mean 0 and deviation 1.

use super::samples::Vectors;

/// The mean and the inverse deviation of each column.
#[derive(Debug)]
pub struct Scale {
    mean: Vec<f64>,
    factor: Vec<f64>,
}

impl Scale {
    /// That of some rows, of which there is at least one. A constant column becomes 0, of other rows as well.
    pub fn of(vectors: &Vectors, rows: impl Iterator<Item = usize> + Clone) -> Self {
        let mut mean = vec![0.0; vectors.width()];
        let mut count = 0.0;
        for row in rows.clone() {
            mean.iter_mut().zip(vectors.row(row)).for_each(|(sum, value)| *sum += f64::from(*value));
            count += 1.0;
        }
        mean.iter_mut().for_each(|sum| *sum /= count);
        let mut variance = vec![0.0; vectors.width()];
        for row in rows {
            for ((sum, mean), value) in variance.iter_mut().zip(&mean).zip(vectors.row(row)) {
                *sum += (f64::from(*value) - mean).powi(2);
            }
        }
        let factor = variance.iter().zip(&mean).map(|(sum, mean)| factor(sum / count, *mean, count));
        Self { factor: factor.collect(), mean }
    }

    /// A row of values, scaled, into as many places.
    pub fn apply(&self, row: &[f32], into: &mut [f64]) {
        for (((scaled, value), mean), factor) in into.iter_mut().zip(row).zip(&self.mean).zip(&self.factor) {
            *scaled = (f64::from(*value) - mean) * factor;
        }
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.mean.len()
    }
}

/// The inverse deviation; 0 where the variance is nothing but rounding (scikit-learn's bound).
fn factor(variance: f64, mean: f64, count: f64) -> f64 {
    let rounding = count * f64::EPSILON * variance + (count * mean * f64::EPSILON).powi(2);
    if variance <= rounding { 0.0 } else { 1.0 / variance.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rows_asked_for_count() {
        let vectors = Vectors::new(2, vec![1.0, 0.1, 9000.0, 7.0, 2.0, 0.1, 3.0, 0.1]);
        let scale = Scale::of(&vectors, [0, 2, 3].into_iter());
        let mut scaled = [9.0; 3];
        scale.apply(vectors.row(3), &mut scaled);
        assert!((scaled[0] - 1.5f64.sqrt()).abs() < 1e-12);
        // The second column is constant; what is beyond the columns is left alone.
        assert_eq!(scaled[1..], [0.0, 9.0]);
        scale.apply(vectors.row(1), &mut scaled);
        assert_eq!(scaled[1], 0.0);
    }
}
