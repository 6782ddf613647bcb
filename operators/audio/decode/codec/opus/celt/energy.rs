//! The amplitudes of bands: RFC 6716, section 4.3.2.

use super::range::Range;
use super::tables::{BANDS, CHANGES};
use super::{Frame, MAX_FINE};

/// What one frame's amplitudes tell of the next's, and what a band's change tells of the next band's, by the
/// length of frames.
const BEFORE: [f32; 4] = [29440.0 / 32768.0, 26112.0 / 32768.0, 21248.0 / 32768.0, 16384.0 / 32768.0];
const BELOW: [f32; 4] = [30147.0 / 32768.0, 22282.0 / 32768.0, 12124.0 / 32768.0, 6554.0 / 32768.0];
const BELOW_ALONE: f32 = 4915.0 / 32768.0;

/// log2 of the amplitude of bands, less its mean.
pub(super) type Energies = [[f32; BANDS]; 2];

/// Reads by how much the amplitudes change in steps of 6 dB.
pub(super) fn coarse(range: &mut Range<'_>, frame: &Frame, alone: bool, energies: &mut Energies) {
    let (before, below) = if alone { (0.0, BELOW_ALONE) } else { (BEFORE[frame.size], BELOW[frame.size]) };
    let mut sums = [0.0; 2];
    for band in 0..frame.end {
        for (energies, sum) in energies.iter_mut().zip(&mut sums).take(frame.channels) {
            let change = match range.budget() - range.bits() {
                15.. => laplace(range, CHANGES[frame.size][usize::from(alone)][band]),
                2..15 => [0, -1, 1][range.table(&[2, 1, 0], 2)],
                1 => -i32::from(range.bit(1)),
                _ => -1,
            } as f32;
            energies[band] = energies[band].max(-9.0) * before + *sum + change;
            *sum += change - below * change;
        }
    }
}

/// Reads a number that is the less likely the further from 0 it is.
fn laplace(range: &mut Range<'_>, (none, decay): (u8, u8)) -> i32 {
    /// How likely a number is at least, and how many are of each sign.
    const LEAST: u32 = 1;
    const MANY: u32 = 16;
    let (none, decay) = (u32::from(none) << 7, u32::from(decay) << 6);
    range.of_15_bits(|at| {
        if at < none {
            return (0, 0, none);
        }
        let (mut number, mut from) = (1, none);
        let mut likely = (((32768 - LEAST * 2 * MANY - none) * (16384 - decay)) >> 15) + LEAST;
        while likely > LEAST && at >= from + 2 * likely {
            likely *= 2;
            from += likely;
            likely = (((likely - 2 * LEAST) * decay) >> 15) + LEAST;
            number += 1;
        }
        if likely <= LEAST {
            let further = (at - from) / (2 * LEAST);
            number += further as i32;
            from += 2 * further * LEAST;
        }
        if at < from + likely {
            number = -number;
        } else {
            from += likely;
        }
        (number, from, (from + likely).min(32768))
    })
}

/// Reads the amplitudes more finely, with `bits` for each band.
pub(super) fn fine(range: &mut Range<'_>, frame: &Frame, bits: &[i32; BANDS], energies: &mut Energies) {
    for (band, bits) in bits.iter().enumerate().take(frame.end) {
        if *bits <= 0 || range.bits() + frame.channels as i32 * bits > range.budget() {
            continue;
        }
        for energies in energies.iter_mut().take(frame.channels) {
            let step = range.plain(*bits as u32) as f32;
            energies[band] += (step + 0.5) / (1 << bits) as f32 - 0.5;
        }
    }
}

/// Spends the bits that are left on the amplitudes, of bands that were given too few first.
pub(super) fn last(
    range: &mut Range<'_>,
    frame: &Frame,
    bits: &[i32; BANDS],
    later: &[bool; BANDS],
    energies: &mut Energies,
) {
    let mut left = range.budget() - range.bits();
    for turn in [false, true] {
        for band in 0..frame.end {
            if left < frame.channels as i32 {
                break;
            }
            if bits[band] >= MAX_FINE || later[band] != turn {
                continue;
            }
            for energies in energies.iter_mut().take(frame.channels) {
                let up = range.plain(1) as f32;
                energies[band] += (up - 0.5) / (2 << bits[band]) as f32;
                left -= 1;
            }
        }
    }
}
