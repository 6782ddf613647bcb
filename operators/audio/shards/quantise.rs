//! Samples as 16-bit integers.

use multiversion::multiversion;

/// 1.5 × 2²³: in a sum with it, the last bit of a single-precision number is a whole.
const MAGIC: f32 = 12_582_912.0;

/// Adds samples as 16-bit integers; gives how many were beyond full scale.
///
/// `(sample * 32768).round()` within −32768 and 32767, halves away from zero, and 0 for what is no
/// number; in steps that every processor's vector instructions have, which `round` is not.
#[multiversion(targets("x86_64+avx2"))]
pub fn quantise(samples: &[f32], to: &mut Vec<i16>) -> u64 {
    let begin = to.len();
    to.resize(begin + samples.len(), 0);
    let mut saturated = 0u64;
    for (to, samples) in to[begin..].chunks_mut(4096).zip(samples.chunks(4096)) {
        let mut beyond = 0u32;
        for (to, &sample) in to.iter_mut().zip(samples) {
            *to = whole(sample);
            beyond += u32::from(sample.abs() > 1.0);
        }
        saturated += u64::from(beyond);
    }
    saturated
}

#[inline(always)]
fn whole(sample: f32) -> i16 {
    let scaled = sample * 32768.0;
    let scaled = if scaled > 32767.0 { 32767.0 } else { scaled };
    let scaled = if scaled < -32768.0 { -32768.0 } else { scaled };
    let scaled = if scaled.is_nan() { 0.0 } else { scaled };
    let sum = scaled + MAGIC;
    // The sum has rounded halves to even: those that went towards zero are put right.
    let rest = scaled - (sum - MAGIC);
    let up = i32::from(rest == 0.5 && scaled > 0.0);
    let down = i32::from(rest == -0.5 && scaled < 0.0);
    let whole = sum.to_bits().wrapping_sub(MAGIC.to_bits()) as i32;
    (whole + up - down) as i16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn definition(sample: f32) -> i16 {
        (sample * 32768.0).round().clamp(-32768.0, 32767.0) as i16
    }

    fn one(sample: f32) -> (i16, u64) {
        let mut to = Vec::new();
        let saturated = quantise(&[sample], &mut to);
        (to[0], saturated)
    }

    #[test]
    fn every_whole_and_half_is_as_defined() {
        for half in -70_000i32..=70_000 {
            let exact = half as f32 / 65_536.0;
            for sample in [exact, exact.next_up(), exact.next_down()] {
                assert_eq!(one(sample), (definition(sample), u64::from(sample.abs() > 1.0)), "{sample:?}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_zero() {
        for sample in [f32::NAN, -f32::NAN, 0.0, -0.0, f32::MIN_POSITIVE] {
            assert_eq!(one(sample), (0, 0));
        }
        assert_eq!(one(f32::INFINITY), (i16::MAX, 1));
        assert_eq!(one(f32::NEG_INFINITY), (i16::MIN, 1));
        assert_eq!(one(f32::MAX), (i16::MAX, 1));
        assert_eq!((one(1.0), one(-1.0)), ((i16::MAX, 0), (i16::MIN, 0)));
    }

    proptest! {
        #[test]
        fn any_bits_are_as_defined(bits in prop::collection::vec(any::<u32>(), 1..9000), scale in any::<bool>()) {
            let samples: Vec<f32> = bits
                .iter()
                .map(|&bits| if scale { bits as i32 as f32 * (1.1 / 2_147_483_648.0) } else { f32::from_bits(bits) })
                .collect();
            let mut to = vec![7];
            let saturated = quantise(&samples, &mut to);
            prop_assert_eq!(to[0], 7);
            for (sample, to) in samples.iter().zip(&to[1..]) {
                prop_assert_eq!(*to, definition(*sample), "{:?}", sample);
            }
            prop_assert_eq!(saturated, samples.iter().filter(|sample| sample.abs() > 1.0).count() as u64);
        }
    }
}
