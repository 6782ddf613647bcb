//! Logarithms without branches or calls: loops over them vectorise, and they are the same on all machines.

/// ln 2 in two parts: the first is exact after multiplication by any exponent.
const LN_2: (f32, f32) = (0.693_145_75, 1.428_606_8e-6);

/// ln(x) of what is at least the smallest normal number, within 2 units in the last place.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    // x = 2^exponent · m with m from √½ to √2.
    const ROOT_HALF: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    let exponent = (x.to_bits().wrapping_sub(ROOT_HALF) as i32) >> 23;
    let m = f32::from_bits(x.to_bits().wrapping_sub((exponent as u32) << 23));
    // ln m = 2 · artanh(s); the series' next term is below 3·10⁻⁹ of it.
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let tail = z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0))));
    // 2s = f − s·f: f is exact.
    let low = exponent as f32 * LN_2.1 - s * (f - 2.0 * tail);
    let finite = exponent as f32 * LN_2.0 + (f + low);
    if x < f32::INFINITY { finite } else { x }
}

/// ln(1 + y) of what is at least 0, within 3 units in the last place.
#[inline(always)]
pub fn ln_1p(y: f32) -> f32 {
    let u = 1.0 + y;
    // What rounding took from 1 + y.
    let lost = y - (u - 1.0);
    let near = ln(u) + lost / u;
    if y < f32::INFINITY { near } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error in units in the last place.
    fn worst(ours: impl Fn(f32) -> f32, theirs: impl Fn(f64) -> f64, from: f32, to: f32) -> f64 {
        let (from, to) = (from.to_bits(), to.to_bits());
        let error = |bits: u32| {
            let x = f32::from_bits(bits);
            let exact = theirs(f64::from(x));
            let unit = f64::from((exact as f32).abs().next_up()) - f64::from((exact as f32).abs());
            (f64::from(ours(x)) - exact).abs() / unit.max(f64::from(f32::MIN_POSITIVE))
        };
        (from..to).step_by(997).map(error).fold(0.0, f64::max)
    }

    #[test]
    fn they_are_within_units_in_the_last_place() {
        assert!(worst(ln, f64::ln, f32::MIN_POSITIVE, f32::MAX) < 2.0);
        assert!(worst(ln_1p, f64::ln_1p, 1e-30, f32::MAX) < 3.0);
        assert_eq!((ln(1.0), ln_1p(0.0)), (0.0, 0.0));
    }

    #[test]
    fn what_is_no_number_stays_so() {
        assert!(ln(f32::NAN).is_nan() && ln_1p(f32::NAN).is_nan());
        assert_eq!((ln(f32::INFINITY), ln_1p(f32::INFINITY)), (f32::INFINITY, f32::INFINITY));
    }
}
