//! Shapes as vectors of pulses: RFC 6716, sections 4.3.4.2 and 4.3.4.3.

use super::range::Range;
use super::tables::{DIMENSIONS, ROW, all_ways, vectors};

/// How far pulses are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Spread {
    None,
    Light,
    Normal,
    Aggressive,
}

impl Spread {
    fn factor(self) -> Option<f32> {
        match self {
            Self::None => None,
            Self::Light => Some(15.0),
            Self::Normal => Some(10.0),
            Self::Aggressive => Some(5.0),
        }
    }
}

/// A vector that is read.
pub(super) struct Vector {
    /// Room.
    y: [i32; DIMENSIONS],
}

impl Vector {
    pub(super) fn new() -> Self {
        Self { y: [0; DIMENSIONS] }
    }

    /// Reads one of `pulses`, gives it the length `gain`, and tells which of the `blocks` have any.
    pub(super) fn read(
        &mut self,
        range: &mut Range<'_>,
        x: &mut [f32],
        (pulses, blocks): (usize, usize),
        spread: Spread,
        gain: f32,
    ) -> u32 {
        let y = &mut self.y[..x.len()];
        let index = vectors(y.len(), pulses).map_or(0, |vectors| range.uniform(vectors));
        let square = vector(index, pulses, y);
        let scale = gain / (square as f32).sqrt();
        for (x, y) in x.iter_mut().zip(&*y) {
            *x = *y as f32 * scale;
        }
        rotate(x, pulses, blocks, spread);
        if blocks == 1 {
            return 1;
        }
        let some = |block: &[i32]| u32::from(block.iter().fold(0, |some, y| some | y) != 0);
        let block = y.len() / blocks;
        y.chunks_exact(block).enumerate().fold(0, |mask, (at, block)| mask | some(block) << at)
    }
}

/// The vector of a number, and the sum of its squares.
#[inline]
fn vector(mut index: u32, mut pulses: usize, y: &mut [i32]) -> i32 {
    let ways = all_ways();
    let mut square = 0;
    let mut left = y.len();
    let mut put = |at: &mut i32, had: usize, has: usize, negative: bool| {
        let pulses = (had - has) as i32;
        *at = if negative { -pulses } else { pulses };
        square += pulses * pulses;
    };
    for at in y.iter_mut() {
        if left <= 2 {
            break;
        }
        let had = pulses;
        if pulses >= left {
            let row = &ways[left * ROW..(left + 1) * ROW];
            let negative = index >= row[(pulses + 1).min(ROW - 1)];
            if negative {
                index -= row[pulses + 1];
            }
            if row[left] > index {
                // Fewer than dimensions are left.
                pulses = left - 1;
                while ways[pulses * ROW + left] > index {
                    pulses -= 1;
                }
                index -= ways[pulses * ROW + left];
            } else {
                while row[pulses] > index {
                    pulses -= 1;
                }
                index -= row[pulses];
            }
            put(at, had, pulses, negative);
        } else {
            let (none, some) = (ways[pulses * ROW + left], ways[(pulses + 1) * ROW + left]);
            if none <= index && index < some {
                index -= none;
                *at = 0;
            } else {
                let negative = index >= some;
                if negative {
                    index -= some;
                }
                pulses -= 1;
                while ways[pulses * ROW + left] > index {
                    pulses -= 1;
                }
                index -= ways[pulses * ROW + left];
                put(at, had, pulses, negative);
            }
        }
        left -= 1;
    }
    // In two dimensions and one the numbers are known.
    let last = y.len() - 2;
    if let [first, second] = &mut y[last..] {
        let negative = index as usize > 2 * pulses;
        if negative {
            index -= 2 * pulses as u32 + 1;
        }
        let rest = (index as usize).div_ceil(2);
        if rest > 0 {
            index -= 2 * rest as u32 - 1;
        }
        put(first, pulses, rest, negative);
        put(second, rest, 0, index > 0);
    }
    square
}

/// Spreads pulses by rotations.
fn rotate(x: &mut [f32], pulses: usize, blocks: usize, spread: Spread) {
    let length = x.len();
    let Some(factor) = spread.factor().filter(|_| 2 * pulses < length) else { return };
    let gain = length as f32 / (length as f32 + factor * pulses as f32);
    let (sin, cos) = (std::f32::consts::FRAC_PI_4 * gain * gain).sin_cos();
    // The square root of a block's length, rounded.
    let mut stride = 0;
    if length >= 8 * blocks {
        stride = 1;
        while (stride * stride + stride) * blocks + (blocks >> 2) < length {
            stride += 1;
        }
    }
    for block in x.chunks_exact_mut(length / blocks) {
        if stride > 0 {
            turn(block, stride, sin, cos);
        }
        turn(block, 1, cos, sin);
    }
}

/// Turns each value and the one that is `stride` behind it, forth and back.
#[inline]
fn turn(x: &mut [f32], stride: usize, cos: f32, sin: f32) {
    if stride == 1 {
        return turn_next(x, cos, sin);
    }
    let Some(last) = x.len().checked_sub(stride) else { return };
    let mut pair = |at: usize| {
        let (a, b) = (x[at], x[at + stride]);
        x[at + stride] = cos * b + sin * a;
        x[at] = cos * a - sin * b;
    };
    (0..last).for_each(&mut pair);
    (0..last.saturating_sub(stride)).rev().for_each(pair);
}

#[inline]
fn turn_next(x: &mut [f32], cos: f32, sin: f32) {
    let Some(last) = x.len().checked_sub(1) else { return };
    let mut a = x[0];
    for at in 0..last {
        let b = x[at + 1];
        x[at] = cos * a - sin * b;
        a = cos * b + sin * a;
    }
    x[last] = a;
    if last < 1 {
        return;
    }
    let mut b = x[last - 1];
    for at in (0..last - 1).rev() {
        let a = x[at];
        x[at + 1] = cos * b + sin * a;
        b = cos * a - sin * b;
    }
    x[0] = b;
}
