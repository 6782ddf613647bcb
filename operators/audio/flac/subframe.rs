//! One channel of a block: the cheapest way to keep it.

use super::bits::Bits;
use super::{BLOCK, fixed, lpc, rice};

/// Blocks shorter than this are not worth a predictor of their own.
const SHORTEST: usize = 64;

/// Memory that is used for one block after another.
#[derive(Default)]
pub struct Scratch {
    folded: Vec<u32>,
    short: Vec<i16>,
    shifted: Vec<i32>,
    windowed: Vec<f32>,
    /// The windows of whole blocks and of the last shorter one.
    windows: [Vec<f32>; 2],
}

/// What a block is kept by.
enum Way {
    Fixed(usize),
    Linear(lpc::Predictor),
}

/// Writes the samples of a channel, which have that many bits.
pub fn write(samples: &[i32], width: u32, scratch: &mut Scratch, bits: &mut Bits) {
    let Some(&first) = samples.first() else { return };
    let (mut union, mut differ) = (0, 0);
    for &sample in samples {
        union |= sample;
        differ |= sample ^ first;
    }
    if differ == 0 {
        bits.put(0, 8);
        bits.put_signed(first, width);
        return;
    }
    // Bits that are zero in every sample, as in recordings of 8 bits.
    let wasted = union.trailing_zeros();
    let mut shifted = std::mem::take(&mut scratch.shifted);
    let samples = if wasted == 0 {
        samples
    } else {
        shifted.clear();
        shifted.extend(samples.iter().map(|sample| sample >> wasted));
        &shifted
    };
    predicted(samples, width - wasted, wasted, scratch, bits);
    scratch.shifted = shifted;
}

fn predicted(samples: &[i32], width: u32, wasted: u32, scratch: &mut Scratch, bits: &mut Bits) {
    let length = samples.len();
    let begin = bits.mark();
    let mut way = choose(samples, width, scratch);
    scratch.folded.resize(length, 0);
    let folded = &mut scratch.folded[..length];
    if let Way::Linear(predictor) = &way {
        let fits = if width <= 16 {
            scratch.short.clear();
            scratch.short.extend(samples.iter().map(|&sample| sample as i16));
            lpc::residual_narrow(&scratch.short, predictor, folded);
            true
        } else if width == 17 {
            lpc::residual_narrow(samples, predictor, folded);
            true
        } else {
            lpc::residual(samples, predictor, folded)
        };
        if !fits {
            way = Way::Fixed(best_fixed(samples));
        }
    }
    if let Way::Fixed(order) = way {
        fixed::residual(samples, order, folded);
    }
    let order = match &way {
        Way::Fixed(order) => *order,
        Way::Linear(predictor) => predictor.order,
    };
    let plan = rice::plan(folded, order);
    let verbatim = length * width as usize;
    if plan.bits < verbatim as f32 {
        match &way {
            Way::Fixed(order) => header(0b00_1000 | *order as u64, wasted, bits),
            Way::Linear(predictor) => header(0b10_0000 | (predictor.order as u64 - 1), wasted, bits),
        }
        for &sample in &samples[..order] {
            bits.put_signed(sample, width);
        }
        if let Way::Linear(predictor) = &way {
            bits.put(u64::from(lpc::PRECISION - 1), 4);
            bits.put(u64::from(predictor.shift), 5);
            for &coefficient in &predictor.coefficients[..order] {
                bits.put_signed(i32::from(coefficient), lpc::PRECISION);
            }
        }
        plan.write(folded, order, bits);
        if bits.since(begin) <= verbatim + 8 + wasted as usize {
            return;
        }
        bits.rewind(begin);
    }
    header(0b00_0001, wasted, bits);
    for &sample in samples {
        bits.put_signed(sample, width);
    }
}

/// The kind of a subframe and its wasted bits.
fn header(kind: u64, wasted: u32, bits: &mut Bits) {
    bits.put(kind << 1 | u64::from(wasted > 0), 8);
    if wasted > 0 {
        bits.put(1, wasted);
    }
}

fn choose(samples: &[i32], width: u32, scratch: &mut Scratch) -> Way {
    let length = samples.len();
    if length < SHORTEST {
        return Way::Fixed(best_fixed(samples));
    }
    let window = &mut scratch.windows[usize::from(length != BLOCK)];
    if window.len() != length {
        lpc::window(length, window);
    }
    let correlation = lpc::correlate(samples, window, &mut scratch.windowed);
    if correlation[0] < 1.0 {
        return Way::Fixed(best_fixed(samples));
    }
    let ladder = lpc::ladder(&correlation);
    let mut best = (f32::INFINITY, 0);
    for order in 1..=lpc::ORDER {
        let error = ladder.errors[order];
        let bits = estimate(error, length, order) + (order as u32 * (width + lpc::PRECISION)) as f32 + 9.0;
        if bits < best.0 {
            best = (bits, order);
        }
    }
    // The fixed predictors by the same measure: their errors are a form of the correlations.
    const FORMS: [[f64; 5]; 5] = [
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [2.0, -2.0, 0.0, 0.0, 0.0],
        [6.0, -8.0, 2.0, 0.0, 0.0],
        [20.0, -30.0, 12.0, -2.0, 0.0],
        [70.0, -112.0, 56.0, -16.0, 2.0],
    ];
    let mut way = None;
    for (order, form) in FORMS.iter().enumerate() {
        let error = form.iter().zip(&correlation).map(|(weight, value)| weight * value).sum::<f64>();
        let bits = estimate(error.max(correlation[0] * 1e-7), length, order) + (order as u32 * width) as f32;
        if bits <= best.0 {
            best.0 = bits;
            way = Some(order);
        }
    }
    match way {
        Some(order) => Way::Fixed(order),
        None => {
            match best.1.checked_sub(1).and_then(|index| lpc::quantise(&ladder.coefficients[index][..best.1]))
            {
                Some(predictor) => Way::Linear(predictor),
                None => Way::Fixed(best_fixed(samples)),
            }
        }
    }
}

/// The bits of a residual with that energy.
fn estimate(error: f64, length: usize, order: usize) -> f32 {
    // Of Laplace's distribution: ½ log₂(½ ln²2 × energy).
    let each = 0.5 * log2((0.240_226_5 * error / length as f64) as f32);
    each.max(0.0) * (length - order) as f32
}

/// The binary logarithm to three digits, the same everywhere.
fn log2(value: f32) -> f32 {
    let bits = value.max(f32::MIN_POSITIVE).to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let m = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000) - 1.0;
    exponent as f32 + m * (1.437_2 + m * (-0.673_0 + m * (0.313_2 + m * -0.077_4)))
}

/// The fixed order whose residual is the smallest.
fn best_fixed(samples: &[i32]) -> usize {
    if samples.len() <= 8 {
        return 0;
    }
    let sums = fixed::sums(samples);
    (0..fixed::ORDERS).min_by_key(|&order| sums[order]).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_has_three_digits() {
        for value in [1e-30f32, 0.1, 0.5, 0.999, 1.0, 1.2, 1.5, 1.9, 2.0, 3.7, 1e6, 8e20] {
            assert!((log2(value) - value.log2()).abs() < 2e-3, "{value}: {}", log2(value));
        }
    }
}
