//! Residuals in partitions, each with a Rice parameter of its own.

use multiversion::multiversion;

use super::bits::Bits;

/// A block is cut into at most 2⁵ partitions: 128 samples of a whole block.
const ORDER: usize = 5;
const MOST: usize = 1 << ORDER;
/// The largest parameters of four and of five bits; one more says that the numbers are not coded.
const FOUR_BITS: u8 = 14;
const FIVE_BITS: u8 = 30;

/// What is known of a partition.
#[derive(Clone, Copy, Default)]
struct Partition {
    /// The sum of its numbers, and the bits that any of them has.
    sum: u64,
    union: u32,
}

/// How a partition is kept.
#[derive(Clone, Copy, Default)]
struct Choice {
    /// The parameter, or where it is none the width of a number.
    parameter: u8,
    raw: bool,
}

/// How residuals are cut and coded.
pub struct Plan {
    order: usize,
    partitions: [Partition; MOST],
    choices: [Choice; MOST],
    /// Bits that this takes, nearly.
    pub bits: f32,
}

/// Chooses partitions for folded residuals, of which the first `skipped` are none.
pub fn plan(folded: &[u32], skipped: usize) -> Plan {
    let length = folded.len();
    let finest = (0..=ORDER)
        .rev()
        .find(|order| length.is_multiple_of(1 << order) && length >> order > skipped)
        .unwrap_or(0);
    let mut partitions = [Partition::default(); MOST];
    if length > 0 {
        for (partition, numbers) in partitions.iter_mut().zip(folded.chunks(length >> finest)) {
            *partition = measure(numbers);
        }
    }
    let mut best =
        Plan { order: finest, partitions, choices: [Choice::default(); MOST], bits: f32::INFINITY };
    for order in (0..=finest).rev() {
        if order < finest {
            for index in 0..1 << order {
                let (a, b) = (partitions[2 * index], partitions[2 * index + 1]);
                partitions[index] = Partition { sum: a.sum + b.sum, union: a.union | b.union };
            }
        }
        let mut choices = [Choice::default(); MOST];
        let mut bits = 0.0;
        for index in 0..1 << order {
            let count = (length >> order) - if index == 0 { skipped } else { 0 };
            let (choice, cost) = choose(partitions[index], count);
            choices[index] = choice;
            bits += cost;
        }
        if bits < best.bits {
            best = Plan { order, partitions, choices, bits };
        }
    }
    best
}

#[multiversion(targets("x86_64+avx2"))]
fn measure(numbers: &[u32]) -> Partition {
    // In halves, for sums of 32 bits are twice as fast.
    let mut partition = Partition::default();
    for numbers in numbers.chunks(1 << 12) {
        let (mut low, mut high) = (0u32, 0u32);
        for &number in numbers {
            low += number & 0xffff;
            high += number >> 16;
            partition.union |= number;
        }
        partition.sum += u64::from(low) + (u64::from(high) << 16);
    }
    partition
}

/// The best way to keep a partition, and the bits it takes.
fn choose(partition: Partition, count: usize) -> (Choice, f32) {
    if count == 0 {
        return (Choice::default(), 4.0);
    }
    let count = count as f32;
    // Numbers that fall off geometrically are coded best with the parameter for which a quotient is
    // as likely to be zero as the golden ratio says: 2^k ≤ ln(1.618) × (mean + ½).
    let mean = partition.sum as f32 / count + 0.5;
    let parameter = (mean * 0.481_211_8 * 2.0).max(1.0) as u32;
    let parameter = parameter.ilog2().min(u32::from(FIVE_BITS));
    let quotient = if parameter == 0 {
        mean - 0.5
    } else {
        // The mean of the quotients of such numbers: 1 / (exp(x) − 1).
        let x = (1u64 << parameter) as f32 / mean;
        1.0 / x - 0.5 + x / 12.0
    };
    let cost = 4.0 + count * ((parameter + 1) as f32 + quotient);
    // Numbers as they are: a width below 32 in five bits; none of zero, which not all readers know.
    let width = (u32::BITS - partition.union.leading_zeros()).max(1);
    let raw = 9.0 + count * width as f32;
    if raw < cost && width < 32 {
        (Choice { parameter: width as u8, raw: true }, raw)
    } else {
        (Choice { parameter: parameter as u8, raw: false }, cost)
    }
}

impl Plan {
    /// Writes the residuals that the plan was made for.
    pub fn write(&self, folded: &[u32], skipped: usize, bits: &mut Bits) {
        let choices = &self.choices[..1 << self.order];
        let wide = choices.iter().any(|choice| !choice.raw && choice.parameter > FOUR_BITS);
        let (method, width, none) = if wide { (1, 5, 31) } else { (0, 4, 15) };
        bits.put(method, 2);
        bits.put(self.order as u64, 4);
        let length = folded.len() >> self.order;
        for (index, choice) in choices.iter().enumerate() {
            let begin = if index == 0 { skipped } else { index * length };
            let numbers = &folded[begin..(index + 1) * length];
            if choice.raw {
                bits.put(none, width);
                bits.put(u64::from(choice.parameter), 5);
                for &number in numbers {
                    bits.put_signed(
                        (number >> 1) as i32 ^ -((number & 1) as i32),
                        u32::from(choice.parameter),
                    );
                }
            } else {
                bits.put(u64::from(choice.parameter), width);
                bits.put_rice(numbers, u32::from(choice.parameter), self.partitions[index].sum);
            }
        }
    }
}
