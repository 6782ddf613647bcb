//! How shapes are split in two, by an angle: RFC 6716, section 4.3.4.4.

use super::{Bands, Part};
use crate::decode::codec::opus::celt::BIT;
use crate::decode::codec::opus::celt::tables::LOG_WIDTHS;

/// By how much less than their share of bits angles get.
const ANGLE_OFFSET: i32 = 4;
const ANGLE_OFFSET_OF_TWO: i32 = 16;

/// Angles: a quarter of a circle.
pub(super) const QUARTER: i32 = 16384;

/// How a shape is split in two.
pub(super) struct Split {
    /// Whether the second is turned round.
    pub(super) inverse: bool,
    pub(super) angle: i32,
    pub(super) first: f32,
    pub(super) second: f32,
    /// By how many bits more the second gets.
    pub(super) delta: i32,
    /// What the angle took.
    pub(super) used: i32,
}

impl Bands<'_, '_> {
    /// Reads how a shape of twice `lines` is split: one channel from the other, or the first half from the second,
    /// which has as many blocks as `part`, of the `whole`.
    pub(super) fn split(
        &mut self,
        lines: usize,
        part: &mut Part<'_>,
        whole: usize,
        size: i32,
        stereo: bool,
    ) -> Split {
        let blocks = part.blocks;
        let most = LOG_WIDTHS[self.band] + size * 8;
        let two = stereo && lines == 2;
        let offset = (most >> 1) - if two { ANGLE_OFFSET_OF_TWO } else { ANGLE_OFFSET };
        let steps = if stereo && self.band >= self.intensity {
            1
        } else {
            steps(lines as i32, part.bits, offset, most, two)
        };
        let before = self.range.eighths();
        let (mut angle, mut inverse) = (0, false);
        if steps > 1 {
            let step = match () {
                () if stereo && lines > 2 => self.stepped(steps),
                () if whole > 1 || stereo => self.range.uniform(steps + 1),
                () => self.triangular(steps),
            };
            angle = (step * QUARTER as u32 / steps) as i32;
        } else if stereo && part.bits > 2 * BIT && self.left > 2 * BIT {
            inverse = self.range.bit(2);
        }
        let used = self.range.eighths() - before;
        part.bits -= used;
        let (first, second, delta) = match angle {
            0 => {
                part.fill &= (1 << blocks) - 1;
                (32767, 0, -QUARTER)
            }
            QUARTER => {
                part.fill &= ((1 << blocks) - 1) << blocks;
                (0, 32767, QUARTER)
            }
            _ => {
                let (cos, sin) = (cos(angle), cos(QUARTER - angle));
                (cos, sin, times((lines as i32 - 1) << 7, log_tan(sin, cos)))
            }
        };
        let unit = |number: i32| number as f32 / 32768.0;
        Split { inverse, angle, first: unit(first), second: unit(second), delta, used }
    }

    /// Reads an angle of which lower ones are three times as likely.
    fn stepped(&mut self, steps: u32) -> u32 {
        let middle = steps / 2;
        let low = 3 * (middle + 1);
        self.range.symbol(low + middle, |at| {
            if at < low { (at / 3, at / 3 * 3, at / 3 * 3 + 3) } else { (at - low + middle + 1, at, at + 1) }
        })
    }

    /// Reads an angle of which those in the middle are likeliest.
    fn triangular(&mut self, steps: u32) -> u32 {
        let half = steps / 2;
        let total = (half + 1) * (half + 1);
        let root = |number: u32| (number as f32).sqrt() as u32;
        self.range.symbol(total, |at| {
            if at < half * (half + 1) / 2 {
                let step = (root(8 * at + 1) - 1) / 2;
                let from = step * (step + 1) / 2;
                (step, from, from + step + 1)
            } else {
                let step = (2 * (steps + 1) - root(8 * (total - at - 1) + 1)) / 2;
                let from = total - (steps + 1 - step) * (steps + 2 - step) / 2;
                (step, from, from + steps + 1 - step)
            }
        })
    }
}

/// How many steps an angle has.
#[inline]
fn steps(lines: i32, bits: i32, offset: i32, most: i32, two: bool) -> u32 {
    /// Powers of the eighth root of two.
    const POWERS: [u32; 8] = [16384, 17866, 19483, 21247, 23170, 25267, 27554, 30048];
    let numbers = 2 * lines - 1 - i32::from(two);
    // The other half always has bits for a pulse.
    let bits = ((bits + numbers * offset) / numbers).min(bits - most - 4 * BIT).min(8 * BIT);
    if bits < BIT / 2 {
        return 1;
    }
    ((POWERS[bits as usize & 7] >> (14 - (bits >> 3))) + 1) & !1
}

/// The product of numbers of 16 bits with 15 behind the point.
#[inline]
fn times(a: i32, b: i32) -> i32 {
    (16384 + i32::from(a as i16) * i32::from(b as i16)) >> 15
}

/// The cosine of an angle, to the bit.
#[inline]
fn cos(angle: i32) -> i32 {
    let square = (4096 + angle * angle) >> 13;
    1 + (32767 - square) + times(square, -7651 + times(square, 8277 + times(-626, square)))
}

/// log2 of the tangent with 11 bits behind the point, to the bit.
#[inline]
fn log_tan(sin: i32, cos: i32) -> i32 {
    let log = |number: i32| 32 - number.leading_zeros() as i32;
    let (of_sin, of_cos) = (log(sin), log(cos));
    let rest = |number: i32| times(number, times(number, -2597) + 7932);
    (of_sin - of_cos) * (1 << 11) + rest(sin << (15 - of_sin)) - rest(cos << (15 - of_cos))
}
