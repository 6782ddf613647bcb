//! A channel of a frame: RFC 9639, section 9.2.

use super::super::bits::Padded;
use super::sample::{Sample, signed};

/// The highest order of a predictor.
pub(super) const ORDER: usize = 32;

/// How samples are predicted of those before. What was read of them are the first ones and residuals.
#[derive(Debug, Clone)]
pub(super) struct Subframe {
    /// How many samples before count.
    pub(super) order: usize,
    /// Their weights, that of the last one first, …
    pub(super) weights: [i32; ORDER],
    /// … in units of this power of two.
    pub(super) shift: u32,
    /// Whether sums may need more than 32 bits.
    pub(super) wide: bool,
    /// Bits that are 0 in all samples and not coded.
    pub(super) wasted: u32,
}

/// The weights of fixed predictors.
const FIXED: [[i32; 4]; 5] = [[0; 4], [1, 0, 0, 0], [2, -1, 0, 0], [3, -3, 1, 0], [4, -6, 4, -1]];

impl Subframe {
    /// Nothing is predicted.
    pub(super) const NONE: Self = Self { order: 0, weights: [0; ORDER], shift: 0, wide: false, wasted: 0 };

    /// Reads a channel of so many samples of so many bits. The bits of the frame end at `end`.
    pub(super) fn read<S: Sample>(
        bits: &mut Padded<'_>,
        width: u32,
        length: usize,
        end: usize,
        samples: &mut Vec<S>,
    ) -> Result<Self, &'static str> {
        samples.resize(length, S::default());
        let head = bits.read(8);
        let kind = head >> 1 & 0x3f;
        let mut subframe = Self::NONE;
        if head & 1 == 1 {
            let zeros = bits.window().leading_zeros();
            bits.at += zeros as usize + 1;
            subframe.wasted = zeros + 1;
        }
        let Some(width) = width.checked_sub(subframe.wasted).filter(|width| *width > 0) else {
            return Err("flac: samples have no bits");
        };
        match kind {
            0 => {
                let value = S::read(bits, width);
                samples.fill(value);
                return Ok(subframe);
            }
            1 => {
                samples.iter_mut().for_each(|sample| *sample = S::read(bits, width));
                return Ok(subframe);
            }
            8..=12 => {
                subframe.order = kind as usize - 8;
                subframe.weights[..4].copy_from_slice(&FIXED[subframe.order]);
            }
            32..=63 => subframe.order = kind as usize - 31,
            _ => return Err("flac: a kind of subframe that there is not"),
        }
        let Some((first, rest)) = samples.split_at_mut_checked(subframe.order) else {
            return Err("flac: a predictor is longer than its block");
        };
        first.iter_mut().for_each(|sample| *sample = S::read(bits, width));
        if kind >= 32 {
            subframe.read_weights(bits)?;
        }
        S::residuals(bits, rest, length, end)?;
        // No sample is larger than its bits, so neither is what was predicted by more than the residual.
        let predicted = S::largest(rest) + (1i64 << (width - 1));
        subframe.wide = predicted << subframe.shift >= 1 << 31;
        Ok(subframe)
    }

    fn read_weights(&mut self, bits: &mut Padded<'_>) -> Result<(), &'static str> {
        let precision = bits.read(4) + 1;
        if precision == 16 {
            return Err("flac: weights of a precision that there is not");
        }
        let shift = signed(bits, 5);
        self.shift = u32::try_from(shift).map_err(|_| "flac: weights are shifted the wrong way")?;
        let weights = &mut self.weights[..self.order];
        weights.iter_mut().for_each(|weight| *weight = signed(bits, precision));
        Ok(())
    }
}
