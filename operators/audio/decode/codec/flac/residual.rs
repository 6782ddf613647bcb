//! What predictors leave: RFC 9639, section 9.2.7.

use multiversion::multiversion;

use super::super::bits::{Ahead, Padded};
use super::sample::signed;

/// Reads the residuals of a block of `length` samples, the first of which were none.
pub(super) fn read(
    bits: &mut Padded<'_>,
    rest: &mut [i32],
    length: usize,
    end: usize,
) -> Result<(), &'static str> {
    let width = match bits.read(2) {
        0 => 4,
        1 => 5,
        _ => return Err("flac: residuals are coded in a way that there is not"),
    };
    let order = bits.read(4);
    let part = length >> order;
    let Some(first) = part.checked_sub(length - rest.len()).filter(|_| part << order == length) else {
        return Err("flac: residuals are divided in a way that there is not");
    };
    let (first, others) = rest.split_at_mut(first);
    for part in std::iter::once(first).chain(others.chunks_exact_mut(part.max(1))) {
        let parameter = bits.read(width);
        if parameter + 1 == 1 << width {
            let width = bits.read(5);
            part.iter_mut().for_each(|value| *value = if width == 0 { 0 } else { signed(bits, width) });
        } else {
            rice(bits, parameter, part, end);
        }
        if bits.at > end {
            return Err("flac: a frame ends too early");
        }
    }
    Ok(())
}

/// Reads values as Rice coded them: zeros up to a one, and `parameter` bits.
#[multiversion(targets("x86_64+bmi1+bmi2+lzcnt"))]
fn rice(bits: &mut Padded<'_>, parameter: u32, values: &mut [i32], end: usize) {
    // Shifts by what is known beforehand take a third of the time.
    match parameter {
        0 => groups::<0, 8>(bits, values, end),
        1 => groups::<1, 8>(bits, values, end),
        2 => groups::<2, 8>(bits, values, end),
        3 => groups::<3, 8>(bits, values, end),
        4 => groups::<4, 6>(bits, values, end),
        5 => groups::<5, 6>(bits, values, end),
        6 => groups::<6, 4>(bits, values, end),
        7 => groups::<7, 4>(bits, values, end),
        8 => groups::<8, 4>(bits, values, end),
        9 => groups::<9, 4>(bits, values, end),
        10 => groups::<10, 4>(bits, values, end),
        11 => groups::<11, 3>(bits, values, end),
        12 => groups::<12, 3>(bits, values, end),
        13 => groups::<13, 3>(bits, values, end),
        14 => groups::<14, 3>(bits, values, end),
        _ => values.iter_mut().for_each(|value| *value = single(bits, parameter, end)),
    }
}

/// Reads as many values together as nearly always are in a window.
#[inline(always)]
fn groups<const PARAMETER: u32, const TOGETHER: usize>(
    bits: &mut Padded<'_>,
    values: &mut [i32],
    end: usize,
) {
    let (groups, last) = values.as_chunks_mut::<TOGETHER>();
    let mut ahead = Ahead::of(*bits);
    for group in groups {
        ahead.fill();
        let mut window = ahead.window;
        let mut used = 0;
        for value in group.iter_mut() {
            // Where nothing is left, too much is used anyway.
            let zeros = (window | 1).leading_zeros();
            let code = window << zeros;
            *value = fold(zeros, PARAMETER, code);
            window = code << (1 + PARAMETER);
            used += zeros + 1 + PARAMETER;
        }
        if used <= ahead.sure {
            (ahead.window, ahead.sure) = (window, ahead.sure - used);
        } else {
            bits.at = ahead.at();
            group.iter_mut().for_each(|value| *value = single(bits, PARAMETER, end));
            ahead = Ahead::of(*bits);
        }
    }
    bits.at = ahead.at();
    last.iter_mut().for_each(|value| *value = single(bits, PARAMETER, end));
}

/// The value of a code, whose one is at the top of a window, and its bits behind it: even ones are positive.
#[inline(always)]
fn fold(zeros: u32, parameter: u32, window: u64) -> i32 {
    let low = (window >> (63 - parameter)) as u32 ^ 1 << parameter;
    let code = zeros.wrapping_shl(parameter) | low;
    (code >> 1) as i32 ^ -((code & 1) as i32)
}

/// Reads one value, however long its code is.
fn single(bits: &mut Padded<'_>, parameter: u32, end: usize) -> i32 {
    let mut zeros = 0;
    let mut window = bits.window();
    // Behind the end there are zeros without an end.
    while window == 0 && bits.at < end {
        let passed = bits.sure();
        bits.at += passed as usize;
        zeros += passed;
        window = bits.window();
    }
    let more = window.leading_zeros().min(bits.sure() - 1);
    bits.at += more as usize;
    let window = bits.window();
    bits.at += 1 + parameter as usize;
    fold(zeros + more, parameter, window)
}
