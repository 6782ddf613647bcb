//! Comb filters with a low-pass in the feedback, all of one sample together.

const COMBS: usize = 8;

/// What combs do.
pub struct Combs {
    /// In samples, at least 1.
    pub delays: [usize; COMBS],
    pub feedback: f32,
    pub damping: f32,
}

/// What combs hold: what each was fed, sample after sample.
#[derive(Default)]
pub struct Ring {
    fed: Vec<[f32; COMBS]>,
    at: usize,
    /// The states of the low-passes.
    low: [f32; COMBS],
}

impl Ring {
    /// Makes them silent.
    pub fn reset(&mut self, combs: &Combs) {
        let longest = combs.delays.iter().fold(1, |most, delay| most.max(*delay));
        self.fed.clear();
        self.fed.resize((longest + 1).next_power_of_two(), [0.0; COMBS]);
        (self.at, self.low) = (0, [0.0; COMBS]);
    }

    /// What comes out of all of them together.
    pub fn next(&mut self, sample: f32, combs: &Combs) -> f32 {
        let mask = self.fed.len() - 1;
        let mut late = [0.0; COMBS];
        for (comb, (late, delay)) in late.iter_mut().zip(&combs.delays).enumerate() {
            *late = self.fed[self.at.wrapping_sub(*delay) & mask][comb];
        }
        let mut fed = [0.0; COMBS];
        for comb in 0..COMBS {
            let low = flushed(late[comb] + (self.low[comb] - late[comb]) * combs.damping);
            self.low[comb] = low;
            fed[comb] = sample + low * combs.feedback;
        }
        self.fed[self.at] = fed;
        self.at = (self.at + 1) & mask;
        late.iter().sum()
    }
}

/// Nothing instead of what nobody hears: processors are slow at the smallest numbers.
pub fn flushed(value: f32) -> f32 {
    if value.abs() < 1e-20 { 0.0 } else { value }
}
