//! Functions in single precision that the compiler turns into SIMD.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_PI_2, LN_2, PI};

/// sin(πx/2)/x and cos(πx/2) for |x| ≤ 1 as polynomials in x², off by less than 5e-8.
const SIN: [f32; 5] = [1.570_796_2, -0.645_963_4, 0.079_688_48, -0.004_672_228, 0.000_150_820_55];
const COS: [f32; 5] = [0.999_999_95, -1.233_698_2, 0.253_650_75, -0.020_810_627, 0.000_858_190_5];

/// arctan(x)/x for 0 ≤ x ≤ 1 as a polynomial in x², off by less than 4e-8.
const ARCTAN: [f32; 8] = [
    0.999_999_34,
    -0.333_298_62,
    0.199_465_66,
    -0.139_086_29,
    0.096_421_96,
    -0.055_912_3,
    0.021_862_939,
    -0.004_054_566,
];

/// tanh(x)/x for |x| ≤ 9 as a ratio of polynomials in x², relatively off by less than 3e-8.
const ABOVE: [f32; 5] = [1.0, 0.133_810_15, 0.003_495_575_3, 2.060_887_3e-5, 1.335_437_7e-8];
const BELOW: [f32; 5] = [1.0, 0.467_143_3, 0.025_876_933, 0.000_328_561_4, 7.776_441e-7];

fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[N - 1];
    for index in (0..N - 1).rev() {
        sum = sum * x + coefficients[index];
    }
    sum
}

/// Sine and cosine of x quarter turns, |x| ≤ 1.
pub fn quarters(x: f32) -> (f32, f32) {
    (x * polynomial(x * x, SIN), polynomial(x * x, COS))
}

/// Sine and cosine of an angle from −π to π.
pub fn sin_cos(angle: f32) -> (f32, f32) {
    let (sin, cos) = quarters(angle / PI);
    (2.0 * sin * cos, 1.0 - 2.0 * sin * sin)
}

/// The angle of a complex number, from −π to π; that of 0 is 0.
pub fn arg(re: f32, im: f32) -> f32 {
    let (x, y) = (re.abs(), im.abs());
    let (low, high) = if x < y { (x, y) } else { (y, x) };
    let ratio = low / (high + f32::MIN_POSITIVE);
    let angle = ratio * polynomial(ratio * ratio, ARCTAN);
    let angle = if x < y { FRAC_PI_2 - angle } else { angle };
    let angle = if re < 0.0 { PI - angle } else { angle };
    angle.copysign(im)
}

/// The hyperbolic tangent.
pub fn tanh(x: f32) -> f32 {
    // From 9 on it is 1.
    let x = x.clamp(-9.0, 9.0);
    x * polynomial(x * x, ABOVE) / polynomial(x * x, BELOW)
}

/// The natural logarithm of a positive number.
pub fn ln(x: f32) -> f32 {
    // x = 2^exponent · mantissa, with the mantissa from √½ to √2.
    const ROOT: u32 = FRAC_1_SQRT_2.to_bits();
    let above = x.to_bits().wrapping_sub(ROOT);
    let exponent = above as i32 >> 23;
    let mantissa = f32::from_bits((above & 0x007f_ffff) + ROOT);
    // ln m = 2 artanh((m − 1) / (m + 1)).
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let series = polynomial(s * s, [2.0, 2.0 / 3.0, 2.0 / 5.0, 2.0 / 7.0, 2.0 / 9.0]);
    exponent as f32 * LN_2 + s * series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From −1 to 1.
    fn numbers() -> impl Iterator<Item = f32> {
        (-50_000..=50_000).map(|step| step as f32 / 50_000.0)
    }

    #[test]
    fn angles() {
        for x in numbers() {
            let (sin, cos) = quarters(x);
            let (right_sin, right_cos) = (f64::from(x) * std::f64::consts::FRAC_PI_2).sin_cos();
            assert!((f64::from(sin) - right_sin).abs() < 2e-7 && (f64::from(cos) - right_cos).abs() < 2e-7);
            let angle = PI * x;
            let (sin, cos) = sin_cos(angle);
            let (right_sin, right_cos) = f64::from(angle).sin_cos();
            assert!((f64::from(sin) - right_sin).abs() < 1e-6 && (f64::from(cos) - right_cos).abs() < 1e-6);
            for radius in [1e-15, 1.0, 1e15] {
                let found = arg(radius * right_cos as f32, radius * right_sin as f32);
                assert!((found - angle).abs() < 1e-6 || x.abs() > 0.99999, "{found} instead of {angle}");
            }
        }
        assert_eq!((arg(0.0, 0.0), arg(1.0, 0.0), arg(0.0, 1.0)), (0.0, 0.0, FRAC_PI_2));
        assert!((arg(-1.0, 0.0) - PI).abs() < 1e-6 && (arg(0.0, -2.0) + FRAC_PI_2).abs() < 1e-6);
    }

    #[test]
    fn tangents() {
        for x in numbers().map(|x| 20.0 * x).filter(|x| *x != 0.0) {
            let expected = f64::from(x).tanh();
            assert!((f64::from(tanh(x)) / expected - 1.0).abs() < 5e-7, "tanh {x}");
        }
        assert!(tanh(0.0) == 0.0 && tanh(1e-9) == 1e-9 && tanh(1e30) > 0.999_999);
    }

    #[test]
    fn logarithms() {
        for x in numbers().filter(|x| *x > 0.0) {
            for x in [x, 1e-20 * x, 1e20 * x] {
                assert!((ln(x) - x.ln()).abs() < 1e-6 * x.ln().abs().max(1.0), "ln {x}: {}", ln(x));
            }
        }
    }
}
