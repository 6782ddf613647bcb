//! Two channels out of what is coded together: ISO/IEC 11172-3, 2.4.3.4.9, and 13818-3, 2.4.3.2.

use std::f32::consts::{FRAC_PI_2, SQRT_2};

use super::bands::Bands;
use super::header::Header;
use super::scale::Factors;

/// Quarters of powers of two by which lines coded as sum and difference are smaller.
pub(super) const MID_SIDE_GAIN: i32 = -2;

/// What is known of the right channel where intensity is coded.
pub(super) struct Right<'a> {
    pub(super) bands: &'a Bands,
    pub(super) factors: &'a Factors,
    /// What the side information says of its scale factors.
    pub(super) compress: u32,
}

/// Left and right of sum and difference.
pub(super) fn mid_side(left: &mut [f32], right: &mut [f32]) {
    for (left, right) in left.iter_mut().zip(right) {
        (*left, *right) = (*left + *right, *left - *right);
    }
}

/// Bands above all that the right channel has are the left one's at two levels; others may be sum and
/// difference.
pub(super) fn intensity(left: &mut [f32; 576], right: &mut [f32; 576], header: &Header, of: &Right<'_>) {
    let bands = of.bands;
    let last = bands.edges.len() - 2;
    // Of each short block, whether nothing was in the right channel yet, from above.
    let mut empty = [true; 3];
    for (band, lines) in bands.lines().rev() {
        let (left, right) = (&mut left[lines.clone()], &mut right[lines]);
        let block = bands.block(band);
        let clear = block.map_or(empty == [true; 3], |block| empty[block]);
        let clear = clear && right.iter().all(|line| *line == 0.0);
        match block {
            Some(block) => empty[block] = clear,
            None => empty = [clear; 3],
        }
        // The highest bands have no factor of their own.
        let told = match block {
            Some(_) if band + 3 > last => band - 3,
            None if band == last => band - 1,
            _ => band,
        };
        match levels(of, told, header.is_first()).filter(|_| clear) {
            Some((to_left, to_right)) => {
                // The gain of sum and difference was none of theirs.
                let undo = if header.mid_side { SQRT_2 } else { 1.0 };
                for (left, right) in left.iter_mut().zip(right) {
                    (*left, *right) = (*left * to_left * undo, *left * to_right * undo);
                }
            }
            None if header.mid_side => mid_side(left, right),
            None => {}
        }
    }
}

/// The levels of left and right where a band's factor puts them; none when it is no place.
fn levels(of: &Right<'_>, band: usize, first: bool) -> Option<(f32, f32)> {
    let place = of.factors.values[band];
    if first {
        return match place {
            0..6 => {
                let ratio = (f32::from(place) * (FRAC_PI_2 / 6.0)).tan();
                Some((ratio / (1.0 + ratio), 1.0 / (1.0 + ratio)))
            }
            6 => Some((1.0, 0.0)),
            _ => None,
        };
    }
    // The highest of fewer bits are places for the encoders that there are, whatever the standard says.
    if place >= 31 {
        return None;
    }
    let step = if of.compress & 1 == 1 { 0.5f32 } else { SQRT_2 / 2.0 }.sqrt();
    let level = step.powi(i32::from(place.div_ceil(2)));
    Some(if place % 2 == 1 { (level, 1.0) } else { (1.0, level) })
}
