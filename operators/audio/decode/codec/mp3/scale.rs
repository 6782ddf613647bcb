//! Scale factors and gains: ISO/IEC 11172-3, 2.4.2.7 and 2.4.3.4, and 13818-3, 2.4.3.2.

use std::sync::LazyLock;

use super::super::bits::Padded;
use super::bands::Bands;
use super::side::{Block, Part};

/// A scale factor for each band; those that are not coded are 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Factors {
    pub(super) values: [u8; 39],
}

impl Default for Factors {
    fn default() -> Self {
        Self { values: [0; 39] }
    }
}

/// Bits of scale factors in MPEG-1: of the lower bands, and of the upper ones.
const BITS: [(u32, u32); 16] = [
    (0, 0),
    (0, 1),
    (0, 2),
    (0, 3),
    (3, 0),
    (1, 1),
    (1, 2),
    (1, 3),
    (2, 1),
    (2, 2),
    (2, 3),
    (3, 1),
    (3, 2),
    (3, 3),
    (4, 2),
    (4, 3),
];

/// Where groups of long scale factors begin that a second granule may share.
const GROUPS: [usize; 5] = [0, 6, 11, 16, 21];

/// Reads the scale factors of MPEG-1. `first` are those of the first granule, and which groups of them count.
pub(super) fn read_first(
    bits: &mut Padded<'_>,
    part: &Part,
    first: Option<(&Factors, [bool; 4])>,
) -> Factors {
    let mut factors = Factors::default();
    let (lower, upper) = BITS[part.compress as usize & 15];
    match part.block {
        Block::Short { mixed } => {
            let lower_count = if mixed { 17 } else { 18 };
            let all = factors.values[..lower_count + 18].iter_mut().enumerate();
            all.for_each(|(at, factor)| {
                *factor = bits.read(if at < lower_count { lower } else { upper }) as u8
            });
        }
        _ => {
            for (group, edges) in GROUPS.windows(2).enumerate() {
                let range = edges[0]..edges[1];
                match first.filter(|(_, same)| same[group]) {
                    Some((first, _)) => factors.values[range.clone()].copy_from_slice(&first.values[range]),
                    None => {
                        let count = if group < 2 { lower } else { upper };
                        factors.values[range].iter_mut().for_each(|factor| *factor = bits.read(count) as u8);
                    }
                }
            }
        }
    }
    factors
}

/// How many scale factors of each of four lengths there are in MPEG-2, for long, short and mixed blocks: one
/// row for each range of what the side information says; the first three of places between left and right.
const COUNTS: [[[usize; 4]; 3]; 6] = [
    [[7, 7, 7, 0], [12, 12, 12, 0], [6, 15, 12, 0]],
    [[6, 6, 6, 3], [12, 9, 9, 6], [6, 12, 9, 6]],
    [[8, 8, 5, 0], [15, 12, 9, 0], [6, 18, 9, 0]],
    [[6, 5, 5, 5], [9, 9, 9, 9], [6, 9, 9, 9]],
    [[6, 5, 7, 3], [9, 9, 12, 6], [6, 9, 12, 6]],
    [[11, 10, 0, 0], [18, 18, 0, 0], [15, 18, 0, 0]],
];

/// Reads the scale factors of MPEG-2. Where intensity is coded, those of the right channel are `places` between
/// left and right.
pub(super) fn read_second(bits: &mut Padded<'_>, part: &mut Part, places: bool) -> Factors {
    let half = part.compress / 2;
    let whole = part.compress;
    let (row, lengths) = match (places, half, whole) {
        (true, 0..180, _) => (0, [half / 36, half % 36 / 6, half % 6, 0]),
        (true, 180..244, _) => {
            let rest = half - 180;
            (1, [rest / 16, rest % 16 / 4, rest % 4, 0])
        }
        (true, ..) => (2, [(half - 244) / 3, (half - 244) % 3, 0, 0]),
        (false, _, 0..400) => (3, [whole / 80, whole / 16 % 5, whole % 16 / 4, whole % 4]),
        (false, _, 400..500) => {
            let rest = whole - 400;
            (4, [rest / 20, rest / 4 % 5, rest % 4, 0])
        }
        (false, ..) => (5, [(whole - 500) / 3, (whole - 500) % 3, 0, 0]),
    };
    part.emphasis = row == 5;
    let kind = match part.block {
        Block::Short { mixed: false } => 1,
        Block::Short { mixed: true } => 2,
        _ => 0,
    };
    let mut factors = Factors::default();
    let mut at = 0;
    for (count, length) in COUNTS[row][kind].into_iter().zip(lengths) {
        let some = factors.values[at..at + count].iter_mut();
        some.for_each(|factor| *factor = bits.read(length) as u8);
        at += count;
    }
    factors
}

/// What is added to the factors of high bands.
const EMPHASIS: [u8; 22] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 2, 0];

/// A power of two with a quarter as its exponent's unit.
pub(super) fn quarters(exponent: i32) -> f32 {
    const LOWEST: i32 = -400;
    static POWERS: LazyLock<[f32; 512]> =
        LazyLock::new(|| std::array::from_fn(|at| (f64::from(at as i32 + LOWEST) / 4.0).exp2() as f32));
    POWERS[((exponent - LOWEST).max(0) as usize).min(511)]
}

/// Multiplies lines by their bands' gains, and by another in quarters of powers of two. Those from `end` on
/// are 0.
pub(super) fn scale(
    lines: &mut [f32; 576],
    end: usize,
    part: &Part,
    factors: &Factors,
    bands: &Bands,
    gain: i32,
) {
    let gain = part.gain - 210 + gain;
    let shift = if part.coarse { 2 } else { 1 };
    for (band, range) in bands.lines().take_while(|(_, range)| range.start < end) {
        let factor = factors.values[band];
        let exponent = match bands.block(band) {
            None => {
                let emphasis = if part.emphasis { EMPHASIS[band] } else { 0 };
                gain - (i32::from(factor + emphasis) << shift)
            }
            Some(block) => gain - 8 * part.block_gains[block] - (i32::from(factor) << shift),
        };
        let gain = quarters(exponent);
        lines[range].iter_mut().for_each(|line| *line *= gain);
    }
}
