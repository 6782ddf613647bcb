//! Mean and sum of squared deviations of what comes piece by piece.

/// Sums that are kept side by side, for vector instructions. Which of them a value goes to depends on its place in the
/// signal, not in a block.
const LANES: usize = 8;

/// The sums of a channel while its signal is read, of what lies beyond the first value: where the mean is far from 0,
/// no digits are lost.
#[derive(Debug, Clone, Default)]
pub struct Running {
    count: u64,
    origin: f64,
    sums: [f64; LANES],
    squares: [f64; LANES],
}

impl Running {
    /// Adds what comes next.
    pub fn add(&mut self, values: &[f32]) {
        let Some(first) = values.first() else { return };
        if self.count == 0 {
            self.origin = f64::from(*first);
        }
        // Up to where a row of lanes begins.
        let lane = (self.count % LANES as u64) as usize;
        let (head, rest) = values.split_at(((LANES - lane) % LANES).min(values.len()));
        self.row(lane, head);
        let (rows, tail) = rest.as_chunks::<LANES>();
        for row in rows {
            for (lane, value) in row.iter().enumerate() {
                let beyond = f64::from(*value) - self.origin;
                self.sums[lane] += beyond;
                self.squares[lane] += beyond * beyond;
            }
        }
        self.row(0, tail);
        self.count += values.len() as u64;
    }

    /// Adds a part of a row of lanes.
    fn row(&mut self, from: usize, values: &[f32]) {
        for (lane, value) in values.iter().enumerate() {
            let beyond = f64::from(*value) - self.origin;
            self.sums[from + lane] += beyond;
            self.squares[from + lane] += beyond * beyond;
        }
    }

    /// What they come to.
    pub fn moments(&self) -> Moments {
        if self.count == 0 {
            return Moments::default();
        }
        let (count, sum) = (self.count as f64, self.sums.iter().sum::<f64>());
        let squares = self.squares.iter().sum::<f64>() - sum * sum / count;
        // Not `max`, which would hide what is no number.
        let squares = if squares < 0.0 { 0.0 } else { squares };
        Moments { count: self.count, mean: self.origin + sum / count, squares }
    }
}

/// How many values there are, their mean, and the sum of the squares of what lies beyond it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    pub count: u64,
    pub mean: f64,
    pub squares: f64,
}

impl Moments {
    /// Adds those of other values (Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance").
    pub fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if other.count == 0 {
            return;
        }
        let (own, theirs) = (self.count as f64, other.count as f64);
        let apart = other.mean - self.mean;
        self.mean += apart * (theirs / count as f64);
        self.squares += other.squares + apart * apart * (own * theirs / count as f64);
        self.count = count;
    }

    /// The standard deviation of the population.
    pub fn deviation(&self) -> f64 {
        (self.squares / self.count.max(1) as f64).sqrt()
    }

    pub fn is_finite(&self) -> bool {
        self.mean.is_finite() && self.squares.is_finite()
    }
}
