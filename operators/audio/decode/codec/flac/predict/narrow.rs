//! Two channels of 16 bits, side by side: each waits for its last sample most of the time, and eight products
//! are one instruction.

use multiversion::multiversion;
use safe_arch::{
    add_i32_m128i, bitor_m128i, byte_shl_imm_u128_m128i, byte_shr_imm_u128_m128i, get_i32_from_m128i_s,
    insert_i16_from_i32_m128i, m128i, mul_i16_horizontal_add_m128i, set_i16_m128i, shuffle_ai_f32_all_m128i,
};

use super::Subframe;
use super::rest;

/// Makes samples of the residuals of two channels as far as they have 16 bits; gives the place from which on
/// they have more. None when the predictors are not for that.
pub(super) fn both(first: &mut [i32], one: &Subframe, second: &mut [i32], two: &Subframe) -> Option<usize> {
    if !fits(one) || !fits(two) {
        return None;
    }
    // From where on both have all the samples before that they need.
    let from = one.order.max(two.order).min(first.len());
    for (samples, of) in [(&mut *first, one), (&mut *second, two)] {
        rest(&mut samples[..from], &Subframe { wasted: 0, ..of.clone() }, of.order);
    }
    if !first[..from].iter().chain(&second[..from]).all(|sample| has_16_bits(*sample)) {
        return Some(from);
    }
    Some(if one.order.max(two.order) <= 9 {
        run::<1>(first, one, second, two, from)
    } else {
        run::<2>(first, one, second, two, from)
    })
}

/// Whether a predictor has no more than 17 weights, and sums that wrap around at 32 bits are right all the
/// same: because no sum is larger, if the samples are what the stream says they are.
fn fits(of: &Subframe) -> bool {
    (1..=17).contains(&of.order) && !of.wide
}

/// The predictor of a channel at some place.
struct State<const VECTORS: usize> {
    /// The weight of the last sample, and that sample.
    weight: i32,
    last: i32,
    /// Those before, the newest first.
    weights: [m128i; VECTORS],
    before: [m128i; VECTORS],
    shift: u32,
}

impl<const VECTORS: usize> State<VECTORS> {
    fn new(samples: &[i32], of: &Subframe) -> Self {
        let weight = |at: usize| of.weights.get(at).map_or(0, |weight| *weight as i16);
        let before = |back: usize| samples.iter().nth_back(back).map_or(0, |sample| *sample as i16);
        Self {
            weight: of.weights[0],
            last: samples.last().copied().unwrap_or(0),
            weights: std::array::from_fn(|vector| eight(|lane| weight(1 + 8 * vector + lane))),
            before: std::array::from_fn(|vector| eight(|lane| before(1 + 8 * vector + lane))),
            shift: of.shift,
        }
    }

    /// Makes a sample of its residual.
    #[inline(always)]
    fn next(&mut self, residual: i32) -> i32 {
        let mut sums = mul_i16_horizontal_add_m128i(self.before[0], self.weights[0]);
        if VECTORS == 2 {
            sums = add_i32_m128i(sums, mul_i16_horizontal_add_m128i(self.before[1], self.weights[1]));
            let over = byte_shr_imm_u128_m128i::<14>(self.before[0]);
            self.before[1] = bitor_m128i(byte_shl_imm_u128_m128i::<2>(self.before[1]), over);
        }
        let sums = add_i32_m128i(sums, shuffle_ai_f32_all_m128i::<0b01_00_11_10>(sums));
        let sums = add_i32_m128i(sums, shuffle_ai_f32_all_m128i::<0b10_11_00_01>(sums));
        let sum = get_i32_from_m128i_s(sums).wrapping_add(self.weight.wrapping_mul(self.last));
        self.before[0] =
            insert_i16_from_i32_m128i::<0>(byte_shl_imm_u128_m128i::<2>(self.before[0]), self.last);
        self.last = residual.wrapping_add(sum >> self.shift);
        self.last
    }
}

#[inline(always)]
fn has_16_bits(sample: i32) -> bool {
    i32::from(sample as i16) == sample
}

fn eight(lane: impl Fn(usize) -> i16) -> m128i {
    let [a, b, c, d, e, f, g, h] = std::array::from_fn(lane);
    set_i16_m128i(h, g, f, e, d, c, b, a)
}

#[multiversion(targets("x86_64+avx+bmi2"))]
fn run<const VECTORS: usize>(
    first: &mut [i32],
    one: &Subframe,
    second: &mut [i32],
    two: &Subframe,
    from: usize,
) -> usize {
    let (before, first) = first.split_at_mut(from);
    let mut one = State::<VECTORS>::new(before, one);
    let (before, second) = second.split_at_mut(from);
    let mut two = State::<VECTORS>::new(before, two);
    for (at, (first, second)) in first.iter_mut().zip(second).enumerate() {
        *first = one.next(*first);
        *second = two.next(*second);
        if !(has_16_bits(*first) & has_16_bits(*second)) {
            return from + at + 1;
        }
    }
    from + first.len()
}
