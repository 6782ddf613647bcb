//! The shapes of bands: RFC 6716, section 4.3.4. All counts of bits are in eighths.

mod angle;
mod vectors;

use super::allocation::Allocation;
use super::pulses::{Spread, Vector};
use super::range::Range;
use super::tables::{BANDS, CACHE, Cache, DIMENSIONS, EDGES, LONGEST, pulses as pulses_of};
use super::{BIT, Frame};
use angle::QUARTER;
use vectors::{by_block, by_line, haar, merge};

pub(super) use vectors::scale;

/// Reads shapes, all of length 1.
pub(super) struct Bands<'r, 'a> {
    pub(super) range: &'r mut Range<'a>,
    pub(super) frame: &'r Frame,
    pub(super) spread: Spread,
    /// Of the noise.
    pub(super) seed: u32,
    pub(super) resolution: [i8; BANDS],
    cache: &'static Cache,
    band: usize,
    intensity: usize,
    /// What is left of all bits.
    left: i32,
    /// Room.
    vector: Vector,
    unsorted: [f32; DIMENSIONS],
}

/// What bands are folded from, and room to do so.
pub(super) struct Folds {
    norms: [[f32; LONGEST]; 2],
    scratch: [f32; DIMENSIONS],
}

impl Folds {
    pub(super) fn new() -> Self {
        Self { norms: [[0.0; LONGEST]; 2], scratch: [0.0; DIMENSIONS] }
    }
}

/// A shape to be read.
struct Part<'x> {
    bits: i32,
    blocks: usize,
    /// What it may be folded from.
    low: Option<&'x [f32]>,
    gain: f32,
    /// Which blocks of that have any.
    fill: u32,
}

impl<'r, 'a> Bands<'r, 'a> {
    pub(super) fn new(
        range: &'r mut Range<'a>,
        frame: &'r Frame,
        spread: Spread,
        resolution: [i8; BANDS],
        seed: u32,
    ) -> Self {
        Self {
            range,
            frame,
            spread,
            seed,
            resolution,
            cache: &CACHE,
            band: 0,
            intensity: 0,
            left: 0,
            vector: Vector::new(),
            unsorted: [0.0; DIMENSIONS],
        }
    }

    /// Reads the shapes of all bands, and tells which of their blocks have any.
    pub(super) fn read(
        &mut self,
        allocation: &Allocation,
        total: i32,
        shapes: &mut [[f32; LONGEST]; 2],
        folds: &mut Folds,
    ) -> [[u8; 2]; BANDS] {
        let frame = self.frame;
        let (size, stereo) = (frame.size, frame.channels == 2);
        let blocks = if frame.short { 1 << size } else { 1 };
        let mut masks = [[0; 2]; BANDS];
        let (mut balance, mut dual) = (allocation.balance, allocation.dual);
        // The band behind which folds end.
        let (mut fold, mut renew) = (0, true);
        self.intensity = allocation.intensity;
        let [x, y] = shapes;
        let Folds { norms: [norm, norm2], scratch } = folds;
        for band in 0..frame.end {
            self.band = band;
            let (at, lines) = (EDGES[band] << size, frame.lines(band));
            let used = self.range.eighths();
            if band > 0 {
                balance -= used;
            }
            self.left = total - used - 1;
            let mut bits = 0;
            if band < allocation.coded {
                let share = balance / (allocation.coded - band).min(3) as i32;
                bits = (allocation.shape[band] + share).min(self.left + 1).clamp(0, 16383);
            }
            if band > 0 && (renew || fold == 0) {
                fold = band;
            }
            let all = (1 << blocks) - 1;
            let change = self.resolution[band];
            let (mut low, mut fills) = (None, [all, all]);
            if fold > 0 && (self.spread != Spread::Aggressive || blocks > 1 || change < 0) {
                let begin = (EDGES[fold] << size).saturating_sub(lines);
                low = Some(begin);
                // Bands that lie in it.
                let mut first = fold - 1;
                while EDGES[first] << size > begin {
                    first -= 1;
                }
                let mut last = fold;
                while last < band && EDGES[last] << size < begin + lines {
                    last += 1;
                }
                fills = [0, 0];
                for mask in &masks[first..last] {
                    fills[0] |= u32::from(mask[0]);
                    fills[1] |= u32::from(mask[usize::from(stereo)]);
                }
            }
            if dual && band == allocation.intensity {
                dual = false;
                norm[..at].iter_mut().zip(&*norm2).for_each(|(a, b)| *a = 0.5 * (*a + b));
            }
            let (below, above) = norm.split_at_mut(at);
            let (below2, above2) = norm2.split_at_mut(at);
            // The last band is not folded from.
            let last = band + 1 == frame.end;
            let out = if last { None } else { above.get_mut(..lines) };
            let out2 = if last { None } else { above2.get_mut(..lines) };
            let low1 = low.and_then(|begin| below.get(begin..begin + lines));
            let low2 = low.and_then(|begin| below2.get(begin..begin + lines));
            let (x, y) = (&mut x[at..at + lines], &mut y[at..at + lines]);
            let part = |bits, low, fill| Part { bits, blocks, low, gain: 1.0, fill };
            let found = if dual {
                let first = self.shape(x, part(bits / 2, low1, fills[0]), out, scratch);
                [first, self.shape(y, part(bits / 2, low2, fills[1]), out2, scratch)]
            } else {
                let part = part(bits, low1, fills[0] | fills[1]);
                [if stereo { self.pair(x, y, part, out, scratch) } else { self.shape(x, part, out, scratch) };
                    2]
            };
            masks[band] = [found[0] as u8, found[1] as u8];
            balance += allocation.shape[band] + used;
            // Folds are renewed only as long as lines have a bit.
            renew = bits > lines as i32 * BIT;
        }
        masks
    }

    /// A single line is a sign.
    fn sign(&mut self) -> f32 {
        if self.left < BIT {
            return 1.0;
        }
        self.left -= BIT;
        if self.range.plain(1) == 1 { -1.0 } else { 1.0 }
    }

    /// Reads the shape of one channel.
    fn shape(&mut self, x: &mut [f32], part: Part<'_>, out: Option<&mut [f32]>, scratch: &mut [f32]) -> u32 {
        let lines = x.len();
        if let [x] = x {
            *x = self.sign();
            if let Some([out]) = out {
                *out = *x;
            }
            return 1;
        }
        let Part { bits, mut blocks, mut low, gain, mut fill } = part;
        let long = blocks == 1;
        let mut change = i32::from(self.resolution[self.band]);
        let recombine = change.max(0) as usize;
        let mut each = lines / blocks;
        let changed = recombine > 0 || (each & 1 == 0 && change < 0) || blocks > 1;
        let mut copy = None;
        if let Some(low) = low.filter(|_| changed) {
            let scratch = &mut scratch[..lines];
            scratch.copy_from_slice(low);
            copy = Some(scratch);
        }
        for step in 0..recombine {
            if let Some(low) = &mut copy {
                haar(low, 1 << step);
            }
            // Pairs of blocks become one.
            fill = PAIRED[fill as usize & 15] | PAIRED[fill as usize >> 4 & 15] << 2;
        }
        blocks >>= recombine;
        each <<= recombine;
        let mut divided = 0;
        while each & 1 == 0 && change < 0 {
            if let Some(low) = &mut copy {
                haar(low, blocks);
            }
            fill |= fill << blocks;
            blocks <<= 1;
            each >>= 1;
            divided += 1;
            change += 1;
        }
        let (narrow, many) = (each >> recombine, blocks << recombine);
        if blocks > 1
            && let Some(low) = &mut copy
        {
            by_block(low, narrow, many, long, &mut self.unsorted);
        }
        if let Some(copy) = copy {
            low = Some(copy);
        }
        let size = self.frame.size as i32;
        let mut mask = self.part(x, size, Part { bits, blocks, low, gain, fill });
        if blocks > 1 {
            by_line(x, narrow, many, long, &mut self.unsorted);
        }
        for _ in 0..divided {
            blocks >>= 1;
            mask |= mask >> blocks;
            haar(x, blocks);
        }
        for step in 0..recombine {
            mask = DOUBLED[mask as usize & 15];
            haar(x, 1 << step);
        }
        blocks <<= recombine;
        if let Some(out) = out {
            let scale = (lines as f32).sqrt();
            out.iter_mut().zip(&*x).for_each(|(out, x)| *out = scale * x);
        }
        mask & ((1 << blocks) - 1)
    }

    /// Reads the shapes of two channels.
    fn pair(
        &mut self,
        x: &mut [f32],
        y: &mut [f32],
        part: Part<'_>,
        out: Option<&mut [f32]>,
        scratch: &mut [f32],
    ) -> u32 {
        if let ([x], [y]) = (&mut *x, &mut *y) {
            (*x, *y) = (self.sign(), self.sign());
            if let Some([out]) = out {
                *out = *x;
            }
            return 1;
        }
        let mut part = part;
        let (whole, blocks) = (part.fill, part.blocks);
        let split = self.split(x.len(), &mut part, blocks, self.frame.size as i32, true);
        let Part { bits, low, fill, .. } = part;
        let mask;
        if x.len() == 2 {
            // The side is at a right angle to the mid, and only its sign is told.
            let side = if split.angle != 0 && split.angle != QUARTER { BIT } else { 0 };
            self.left -= split.used + side;
            let (a, b) = if split.angle > QUARTER / 2 { (&mut *y, &mut *x) } else { (&mut *x, &mut *y) };
            let negative = side > 0 && self.range.plain(1) == 1;
            let sign = if negative { -1.0 } else { 1.0 };
            let part = Part { bits: bits - side, blocks, low, gain: 1.0, fill: whole };
            mask = self.shape(a, part, out, scratch);
            (b[0], b[1]) = (-sign * a[1], sign * a[0]);
            for (x, y) in x.iter_mut().zip(&mut *y) {
                let (mid, side) = (split.first * *x, split.second * *y);
                (*x, *y) = (mid - side, mid + side);
            }
        } else {
            let mut first = ((bits - split.delta) / 2).min(bits).max(0);
            let mut second = bits - first;
            self.left -= split.used;
            let before = self.left;
            // There is nothing to fold the side from.
            let side = |bits| Part { bits, blocks, low: None, gain: split.second, fill: fill >> blocks };
            let mid = |bits| Part { bits, blocks, low, gain: 1.0, fill };
            if first >= second {
                mask = self.shape(x, mid(first), out, scratch) | {
                    second += spare(first - (before - self.left), split.angle != 0);
                    self.shape(y, side(second), None, &mut [])
                };
            } else {
                mask = self.shape(y, side(second), None, &mut []) | {
                    first += spare(second - (before - self.left), split.angle != QUARTER);
                    self.shape(x, mid(first), out, scratch)
                };
            }
            merge(x, y, split.first);
        }
        if split.inverse {
            y.iter_mut().for_each(|y| *y = -*y);
        }
        mask
    }

    /// Reads a shape, or halves of it where it has more bits than one vector of pulses takes.
    fn part(&mut self, x: &mut [f32], size: i32, part: Part<'_>) -> u32 {
        let costs = self.cache.costs(size, self.band);
        let Part { bits, blocks, low, gain, fill } = part;
        if size == -1 || bits <= costs.most() + 11 || x.len() <= 2 {
            let mut step = costs.step(bits);
            let mut cost = costs.cost(step);
            self.left -= cost;
            while self.left < 0 && step > 0 {
                self.left += cost;
                step -= 1;
                cost = costs.cost(step);
                self.left -= cost;
            }
            if step > 0 {
                return self.vector.read(self.range, x, (pulses_of(step), blocks), self.spread, gain);
            }
            return self.fold(x, low, gain, fill & ((1 << blocks) - 1), blocks);
        }
        let (half, size) = (x.len() / 2, size - 1);
        let fill = if blocks == 1 { (fill & 1) | (fill << 1) } else { fill };
        let mut part = Part { blocks: blocks.div_ceil(2), fill, ..part };
        let split = self.split(half, &mut part, blocks, size, false);
        let Part { bits, blocks: part, fill, .. } = part;
        let mut delta = split.delta;
        // Of blocks in time quiet ones get more.
        if blocks > 1 && split.angle & (QUARTER - 1) != 0 {
            if split.angle > QUARTER / 2 {
                delta -= delta >> (4 - size);
            } else {
                delta = (delta + ((half as i32 * BIT) >> (5 - size))).min(0);
            }
        }
        let mut first = ((bits - delta) / 2).min(bits).max(0);
        let mut second = bits - first;
        self.left -= split.used;
        let before = self.left;
        let (x, y) = x.split_at_mut(half);
        let (low, low2) = match low.map(|low| low.split_at(half)) {
            Some((low, low2)) => (Some(low), Some(low2)),
            None => (None, None),
        };
        let a = |bits| Part { bits, blocks: part, low, gain: gain * split.first, fill };
        let b = |bits| Part { bits, blocks: part, low: low2, gain: gain * split.second, fill: fill >> part };
        let (mask, mask2);
        if first >= second {
            mask = self.part(x, size, a(first));
            second += spare(first - (before - self.left), split.angle != 0);
            mask2 = self.part(y, size, b(second));
        } else {
            mask2 = self.part(y, size, b(second));
            first += spare(second - (before - self.left), split.angle != QUARTER);
            mask = self.part(x, size, a(first));
        }
        mask | mask2 << (blocks >> 1)
    }

    /// Fills a shape without pulses.
    fn fold(&mut self, x: &mut [f32], low: Option<&[f32]>, gain: f32, fill: u32, blocks: usize) -> u32 {
        if fill == 0 {
            x.fill(0.0);
            return 0;
        }
        let mask;
        if let Some(low) = low {
            for (x, low) in x.iter_mut().zip(low) {
                self.seed = random(self.seed);
                // About 48 dB below.
                let sign = (!self.seed & 0x8000) << 16;
                *x = low + f32::from_bits((1.0f32 / 256.0).to_bits() | sign);
            }
            mask = fill;
        } else {
            for x in x.iter_mut() {
                self.seed = random(self.seed);
                *x = (self.seed as i32 >> 20) as f32;
            }
            mask = (1 << blocks) - 1;
        }
        scale(x, gain);
        mask
    }
}

/// What a part left for the other.
fn spare(left: i32, wanted: bool) -> i32 {
    if wanted && left > 3 * BIT { left - 3 * BIT } else { 0 }
}

/// The next number of a linear congruential generator.
#[inline]
pub(super) fn random(seed: u32) -> u32 {
    seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)
}

/// Of four blocks, which pairs have any.
const PAIRED: [u32; 16] = [0, 1, 1, 1, 2, 3, 3, 3, 2, 3, 3, 3, 2, 3, 3, 3];

/// Of four pairs, which blocks may have some.
const DOUBLED: [u32; 16] =
    [0x00, 0x03, 0x0c, 0x0f, 0x30, 0x33, 0x3c, 0x3f, 0xc0, 0xc3, 0xcc, 0xcf, 0xf0, 0xf3, 0xfc, 0xff];
