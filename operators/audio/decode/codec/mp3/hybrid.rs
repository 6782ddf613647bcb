//! From lines to samples of subbands: ISO/IEC 11172-3, 2.4.3.4.10.
//!
//! The transform of a subband's 18 lines is a discrete cosine transform of the fourth kind, which is a Fourier
//! transform of nine complex points with turns before and behind it. Several subbands are done side by side.

use std::f64::consts::PI;
use std::ops::{Add, Mul, Sub};
use std::sync::LazyLock;

use super::bands::Bands;
use super::side::Block;

/// Subbands that are done side by side.
const WIDTH: usize = 8;

/// Samples of each subband in a granule.
pub(super) const SLOTS: usize = 18;

/// The same number of eight subbands.
#[derive(Clone, Copy)]
struct Lanes([f32; WIDTH]);

impl Lanes {
    const ZERO: Self = Self([0.0; WIDTH]);
}

macro_rules! lanewise {
    ($trait:ident, $name:ident) => {
        impl $trait for Lanes {
            type Output = Self;

            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane].$name(other.0[lane])))
            }
        }
    };
}

lanewise!(Add, add);
lanewise!(Sub, sub);
lanewise!(Mul, mul);

impl Mul<f32> for Lanes {
    type Output = Self;

    #[inline(always)]
    fn mul(self, factor: f32) -> Self {
        Self(self.0.map(|lane| lane * factor))
    }
}

/// Complex numbers of eight subbands.
#[derive(Clone, Copy)]
struct Complex(Lanes, Lanes);

impl Complex {
    /// Turned by an angle, which is given as its cosine and sine, against the clock.
    #[inline(always)]
    fn turned(self, (cosine, sine): (f32, f32)) -> Self {
        Self(self.0 * cosine - self.1 * sine, self.0 * sine + self.1 * cosine)
    }
}

/// A Fourier transform of three points.
#[inline(always)]
fn three(points: [Complex; 3]) -> [Complex; 3] {
    const SINE: f32 = 0.866_025_4;
    let [first, second, third] = points;
    let sum = Complex(second.0 + third.0, second.1 + third.1);
    let difference = Complex((second.0 - third.0) * SINE, (second.1 - third.1) * SINE);
    let middle = Complex(first.0 - sum.0 * 0.5, first.1 - sum.1 * 0.5);
    [
        Complex(first.0 + sum.0, first.1 + sum.1),
        Complex(middle.0 + difference.1, middle.1 - difference.0),
        Complex(middle.0 - difference.1, middle.1 + difference.0),
    ]
}

/// Angles and windows.
struct Tables {
    /// Before and behind the Fourier transform.
    turns: [(f32, f32); 9],
    /// Within it: of one, two and four ninths.
    ninths: [(f32, f32); 3],
    /// For 36 samples of a long block, by what they are multiplied; the signs of every other sample of every
    /// other subband turn. Long, start and stop.
    windows: [[Lanes; 36]; 3],
    /// The transform of six lines of a short block to 12 samples, the window included.
    short: [[f32; 6]; 12],
    /// How much of a line goes to its mirror image in the next subband, and how much stays.
    alias: [(f32, f32); 8],
}

fn angle(turns: f64) -> (f32, f32) {
    let angle = 2.0 * PI * turns;
    (angle.cos() as f32, angle.sin() as f32)
}

/// Samples whose sign turns: the odd ones of odd subbands.
fn turned(slot: usize, subband: usize) -> bool {
    slot % 2 == 1 && subband % 2 == 1
}

fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> = LazyLock::new(|| {
        let sine = |at: usize, of: f64| (PI / of * (at as f64 + 0.5)).sin();
        // Of a block before short ones; the one behind them is its mirror image.
        let start = |at: usize| match at {
            0..18 => sine(at, 36.0),
            18..24 => 1.0,
            24..30 => sine(at - 18, 12.0),
            _ => 0.0,
        };
        let window = |value: &dyn Fn(usize) -> f64| {
            std::array::from_fn(|at| {
                let lane = |lane: usize| if turned(at % SLOTS, lane) { -value(at) } else { value(at) } as f32;
                Lanes(std::array::from_fn(lane))
            })
        };
        let alias = [-0.6, -0.535, -0.33, -0.185, -0.095, -0.041, -0.0142, -0.0037];
        Tables {
            turns: std::array::from_fn(|at| angle(-(8.0 * at as f64 + 1.0) / 288.0)),
            ninths: [1.0, 2.0, 4.0].map(|ninths| angle(-ninths / 9.0)),
            windows: [window(&|at| sine(at, 36.0)), window(&start), window(&|at| start(35 - at))],
            short: std::array::from_fn(|at| {
                std::array::from_fn(|line| {
                    let angle = PI / 24.0 * (2 * at + 7) as f64 * (2 * line + 1) as f64;
                    (angle.cos() * sine(at, 12.0)) as f32
                })
            }),
            alias: alias.map(|c: f64| {
                let stays = 1.0 / (1.0 + c * c).sqrt();
                (stays as f32, (c * stays) as f32)
            }),
        }
    });
    &TABLES
}

/// The lines of a granule: a row for each line of a subband.
type Matrix = [[f32; 32]; SLOTS];

/// What a channel keeps from one granule to the next.
pub(super) struct Hybrid {
    /// The second halves of the last blocks.
    overlap: Matrix,
    lines: Matrix,
}

impl Hybrid {
    pub(super) fn new() -> Self {
        Self { overlap: [[0.0; 32]; SLOTS], lines: [[0.0; 32]; SLOTS] }
    }

    /// Transforms the lines of a granule, of which those from `end` on are 0, as they are coded; a row of the
    /// result is a slot.
    pub(super) fn transform(
        &mut self,
        lines: &[f32; 576],
        end: usize,
        block: Block,
        bands: &Bands,
        slots: &mut [[f32; 32]; SLOTS],
    ) {
        let tables = tables();
        for (subband, order) in bands.order.chunks_exact(SLOTS).enumerate() {
            for (row, at) in self.lines.iter_mut().zip(order) {
                row[subband] = lines[usize::from(*at) % 576];
            }
        }
        let subbands = bands.reach(end).div_ceil(SLOTS).min(32);
        let reach = match block {
            Block::Short { mixed: false } => subbands,
            Block::Short { mixed: true } => {
                alias(&mut self.lines, 1, &tables.alias);
                subbands.max(2)
            }
            _ => {
                let edges = subbands.min(31);
                alias(&mut self.lines, edges, &tables.alias);
                (subbands + 1).min(32)
            }
        };
        for first in (0..32).step_by(WIDTH) {
            if first >= reach {
                rest(&mut self.overlap, slots, first);
                continue;
            }
            match block {
                Block::Short { mixed } => {
                    let low = (mixed && first == 0).then(|| {
                        let (mut overlap, mut low) = (self.overlap, [[0.0; 32]; SLOTS]);
                        long(&self.lines, &mut overlap, &mut low, 0, tables, &tables.windows[0]);
                        (overlap, low)
                    });
                    short(&self.lines, &mut self.overlap, slots, first, &tables.short);
                    let Some((overlap, low)) = low else { continue };
                    for slot in 0..SLOTS {
                        slots[slot][..2].copy_from_slice(&low[slot][..2]);
                        self.overlap[slot][..2].copy_from_slice(&overlap[slot][..2]);
                    }
                }
                Block::Long => long(&self.lines, &mut self.overlap, slots, first, tables, &tables.windows[0]),
                Block::Start => {
                    long(&self.lines, &mut self.overlap, slots, first, tables, &tables.windows[1])
                }
                Block::Stop => long(&self.lines, &mut self.overlap, slots, first, tables, &tables.windows[2]),
            }
        }
    }

    /// Adds what another one has of the same granule.
    pub(super) fn add(&mut self, other: &Self) {
        for (row, other) in self.overlap.iter_mut().zip(&other.overlap) {
            row.iter_mut().zip(other).for_each(|(value, other)| *value += other);
        }
    }
}

/// Takes out what neighbouring subbands have of each other, at the lowest edges.
fn alias(lines: &mut Matrix, edges: usize, amounts: &[(f32, f32); 8]) {
    for (at, (stays, goes)) in amounts.iter().enumerate() {
        let (head, tail) = lines.split_at_mut(9);
        let (below, above) = (&mut tail[8 - at], &mut head[at]);
        for (below, above) in below[..edges].iter_mut().zip(&mut above[1..=edges]) {
            (*below, *above) = (*below * stays - *above * goes, *above * stays + *below * goes);
        }
    }
}

#[inline(always)]
fn load(rows: &Matrix, row: usize, first: usize) -> Lanes {
    Lanes(std::array::from_fn(|lane| rows[row][first + lane]))
}

/// Long blocks of eight subbands.
#[inline(always)]
fn long(
    lines: &Matrix,
    overlap: &mut Matrix,
    slots: &mut Matrix,
    first: usize,
    tables: &Tables,
    window: &[Lanes; 36],
) {
    let line = |at: usize| load(lines, at, first);
    let points: [Complex; 9] =
        std::array::from_fn(|at| Complex(line(2 * at), line(17 - 2 * at)).turned(tables.turns[at]));
    let columns: [[Complex; 3]; 3] =
        std::array::from_fn(|at| three([points[at], points[at + 3], points[at + 6]]));
    let [one, two, four] = tables.ninths;
    let rows = [
        three([columns[0][0], columns[1][0], columns[2][0]]),
        three([columns[0][1], columns[1][1].turned(one), columns[2][1].turned(two)]),
        three([columns[0][2], columns[1][2].turned(two), columns[2][2].turned(four)]),
    ];
    // The transform of the fourth kind.
    let mut values = [Lanes::ZERO; SLOTS];
    for at in 0..9 {
        let Complex(real, imaginary) = rows[at % 3][at / 3].turned(tables.turns[at]);
        values[2 * at] = real;
        values[17 - 2 * at] = Lanes::ZERO - imaginary;
    }
    for slot in 0..SLOTS {
        let (now, later) = if slot < 9 {
            (values[9 + slot], Lanes::ZERO - values[8 - slot])
        } else {
            (Lanes::ZERO - values[26 - slot], Lanes::ZERO - values[slot - 9])
        };
        let sum = now * window[slot] + load(overlap, slot, first);
        let kept = later * window[SLOTS + slot];
        slots[slot][first..first + WIDTH].copy_from_slice(&sum.0);
        overlap[slot][first..first + WIDTH].copy_from_slice(&kept.0);
    }
}

/// Three short blocks of eight subbands.
fn short(lines: &Matrix, overlap: &mut Matrix, slots: &mut Matrix, first: usize, transform: &[[f32; 6]; 12]) {
    let mut samples = [Lanes::ZERO; 36];
    for block in 0..3 {
        for (at, row) in transform.iter().enumerate() {
            let sample = &mut samples[6 + 6 * block + at];
            for (line, factor) in row.iter().enumerate() {
                *sample = *sample + load(lines, 3 * line + block, first) * *factor;
            }
        }
    }
    for slot in 0..SLOTS {
        let sign = Lanes(std::array::from_fn(|lane| if turned(slot, lane) { -1.0 } else { 1.0 }));
        let sum = samples[slot] * sign + load(overlap, slot, first);
        let kept = samples[SLOTS + slot] * sign;
        slots[slot][first..first + WIDTH].copy_from_slice(&sum.0);
        overlap[slot][first..first + WIDTH].copy_from_slice(&kept.0);
    }
}

/// Eight subbands with no lines.
fn rest(overlap: &mut Matrix, slots: &mut Matrix, first: usize) {
    for (slot, overlap) in slots.iter_mut().zip(overlap) {
        slot[first..first + WIDTH].copy_from_slice(&overlap[first..first + WIDTH]);
        overlap[first..first + WIDTH].fill(0.0);
    }
}
