//! Exact nearest neighbours.

use std::collections::HashMap;

use tokio_util::sync::CancellationToken;

/// Vectors with their recordings and times.
#[derive(Debug, Default)]
pub struct Vectors {
    recordings: Vec<usize>,
    seconds: Vec<f64>,
    values: Vec<f32>,
    width: usize,
    names: HashMap<String, usize>,
}

/// What a table scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Clips that have a clip of their recording to be found.
    pub queries: usize,
    /// The share of queries whose nearest neighbour is of the same recording.
    pub same: f64,
    /// The share that a random choice would have.
    pub chance: f64,
}

impl Vectors {
    /// Adds a vector.
    pub fn push(&mut self, recording: &str, seconds: f64, values: &[f32]) {
        let next = self.names.len();
        let index = *self.names.entry(recording.to_owned()).or_insert(next);
        self.recordings.push(index);
        self.seconds.push(seconds);
        self.values.extend_from_slice(values);
        self.width = values.len();
    }

    /// Brings each value to mean 0 and deviation 1 over all vectors; a constant one becomes 0.
    pub fn standardise(&mut self) {
        let n = self.recordings.len().max(1) as f64;
        for column in 0..self.width {
            let of = |row: &[f32]| f64::from(row[column]);
            let mean = self.values.chunks(self.width).map(of).sum::<f64>() / n;
            let power = self.values.chunks(self.width).map(|row| (of(row) - mean).powi(2)).sum::<f64>() / n;
            let deviation = power.sqrt();
            for row in self.values.chunks_mut(self.width) {
                let centred = f64::from(row[column]) - mean;
                row[column] = if deviation > 0.0 { (centred / deviation) as f32 } else { 0.0 };
            }
        }
    }

    fn normalised(&self) -> Vec<f32> {
        let mut values = self.values.clone();
        for row in values.chunks_mut(self.width.max(1)) {
            let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            if norm > 0.0 {
                row.iter_mut().for_each(|value| *value /= norm);
            }
        }
        values
    }
}

/// Scores a table; none when cancelled. Of equally near clips the first one counts.
pub fn score(vectors: &Vectors, exclude: f64, cancel: &CancellationToken) -> Option<Score> {
    let values = vectors.normalised();
    let row = |at: usize| &values[at * vectors.width..(at + 1) * vectors.width];
    let (mut queries, mut same, mut chance) = (0, 0, 0.0);
    for query in 0..vectors.recordings.len() {
        if cancel.is_cancelled() {
            return None;
        }
        let (mut best, mut nearest) = (f32::NEG_INFINITY, None);
        let (mut candidates, mut right) = (0u64, 0u64);
        for other in 0..vectors.recordings.len() {
            let own = vectors.recordings[other] == vectors.recordings[query];
            if own && (vectors.seconds[other] - vectors.seconds[query]).abs() <= exclude {
                continue;
            }
            candidates += 1;
            right += u64::from(own);
            let cosine: f32 = row(query).iter().zip(row(other)).map(|(a, b)| a * b).sum();
            if cosine > best {
                (best, nearest) = (cosine, Some(own));
            }
        }
        if right > 0 {
            queries += 1;
            same += u64::from(nearest == Some(true));
            chance += right as f64 / candidates as f64;
        }
    }
    let share = |sum: f64| if queries == 0 { 0.0 } else { sum / queries as f64 };
    Some(Score { queries, same: share(same as f64), chance: share(chance) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_neighbours_of_the_same_recording() {
        let mut vectors = Vectors::default();
        // Two recordings of four clips; the last clip of `a` lies with `b`.
        for (recording, clips) in
            [("a", [[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0]]), ("b", [[0.1, 1.0]; 4])]
        {
            for (index, clip) in clips.iter().enumerate() {
                vectors.push(recording, index as f64 * 10.0, clip);
            }
        }
        let score = |exclude| score(&vectors, exclude, &CancellationToken::new()).unwrap();
        let near = score(0.0);
        assert_eq!((near.queries, near.same), (8, 7.0 / 8.0));
        assert!((near.chance - 3.0 / 7.0).abs() < 1e-12);
        // Within 10 s left out: the clips in the middle still have one clip of theirs.
        assert_eq!(score(10.0).queries, 8);
        // Within 30 s left out: nothing is to be found.
        assert_eq!(score(30.0).queries, 0);
    }

    #[test]
    fn standardising_makes_columns_comparable() {
        let mut vectors = Vectors::default();
        for (i, value) in [1.0f32, 2.0, 3.0].iter().enumerate() {
            vectors.push("a", i as f64, &[*value * 1000.0, 5.0]);
        }
        vectors.standardise();
        assert!((vectors.values[0] + 1.224_744_9).abs() < 1e-6);
        assert!(vectors.values.iter().skip(1).step_by(2).all(|value| *value == 0.0));
    }
}
