//! Products with matrices whose rows are zero but for a run of values, such as filterbanks.

use super::Row;

/// A matrix; of each row only what lies between zeros is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    /// The first column that is not zero, and where in `weights` the row begins and ends.
    rows: Vec<(usize, usize, usize)>,
    weights: Vec<f32>,
}

impl Matrix {
    /// From all values, row after row of `columns`.
    pub fn new(values: &[f32], columns: usize) -> Self {
        let mut matrix = Self::default();
        for row in values.chunks(columns.max(1)) {
            let first = row.iter().position(|weight| *weight != 0.0).unwrap_or(0);
            let last = row.iter().rposition(|weight| *weight != 0.0).map_or(first, |last| last + 1);
            let from = matrix.weights.len();
            matrix.weights.extend_from_slice(&row[first..last]);
            matrix.rows.push((first, from, matrix.weights.len()));
        }
        matrix
    }

    /// Its product with a row of lanes for each column: a row of lanes for each row.
    pub fn product(&self, columns: &[Row], rows: &mut [Row]) {
        for (row, (first, from, to)) in rows.iter_mut().zip(&self.rows) {
            let mut sums = [0.0; super::LANES];
            for (column, weight) in columns[*first..].iter().zip(&self.weights[*from..*to]) {
                sums.iter_mut().zip(column).for_each(|(sum, value)| *sum += value * weight);
            }
            *row = sums;
        }
    }
}
