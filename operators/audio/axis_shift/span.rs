//! Which part of an axis is kept, and what stands beside it.

use super::{AxisShift, Edge};

/// What comes out of an axis: zeros, a part of what was there, zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    pub before: u64,
    pub from: u64,
    pub to: u64,
    pub after: u64,
}

impl Span {
    /// What comes of `size` bins or frames that are moved; none where nothing is left.
    pub fn of(shift: &AxisShift, size: u64, by: i64) -> Option<Self> {
        let [low, high] = shift.by;
        match shift.edge {
            Edge::Zero => {
                let moved = by.unsigned_abs().min(size);
                Some(match by > 0 {
                    true => Self { before: moved, from: 0, to: size - moved, after: 0 },
                    false => Self { before: 0, from: moved, to: size, after: moved },
                })
            }
            Edge::Crop => {
                let left = size.checked_sub(high.abs_diff(low)).filter(|left| *left > 0)?;
                let from = high.abs_diff(by);
                Some(Self { before: 0, from, to: from + left, after: 0 })
            }
        }
    }

    /// How many come out.
    pub fn size(&self) -> u64 {
        self.before + (self.to - self.from) + self.after
    }
}
