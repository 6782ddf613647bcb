//! Numbers, and samples as text.

use serde_json::Value;

use super::{BOUNDS, audio, decode, features, page, read, sine, written};
use crate::inspect::page::encode::base64;
use crate::inspect::page::model::number;

#[test]
fn base64_is_that_of_rfc_4648() {
    let cases = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
    for (length, expected) in cases.into_iter().enumerate() {
        let mut text = Vec::new();
        base64("foobar".bytes().take(length), &mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
    let mut text = Vec::new();
    base64((0..60_000u16).flat_map(u16::to_le_bytes), &mut text).unwrap();
    assert_eq!(decode(&String::from_utf8(text).unwrap()), (0..60_000).collect::<Vec<u16>>());
}

#[test]
fn numbers_are_short() {
    let cases = [
        (0.0, "0"),
        (-0.0, "0"),
        (12.0, "12"),
        (22_050.0, "22050"),
        (-3.2183456, "-3.2183"),
        (0.25, "0.25"),
        (0.000_123_456, "0.00012346"),
        (0.000_012, "1.2000e-5"),
        (123_456.7, "123457"),
        (99.999_99, "100"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "∞"),
        (f64::NEG_INFINITY, "-∞"),
    ];
    for (value, expected) in cases {
        assert_eq!(number(value), expected);
    }
}

#[test]
fn audio_keeps_its_scale() {
    for amplitude in [1e-4, 0.5, 1.7] {
        let mut samples = sine(16_000, 440.0, amplitude, 800);
        samples[3] = f32::NAN;
        samples[5] = f32::NEG_INFINITY;
        let (model, written) = read(&written(&page(vec![audio(samples.clone())]), &BOUNDS));
        let of = |name: &str| model[0][name].as_f64().unwrap();
        assert_eq!(of("not_finite"), 2.0);
        let scale = of("high").max(-of("low")) / 32767.0;
        for (sample, number) in samples.iter().zip(&written[0]) {
            let sample = if sample.is_finite() { f64::from(*sample) } else { 0.0 };
            assert!((sample - f64::from(*number as i16) * scale).abs() <= 0.51 * scale);
        }
    }
}

#[test]
fn features_keep_what_is_not_finite() {
    let mut bins = vec![vec![-4.0f32, 0.25, 3.0], vec![1.0, f32::NAN, 2.0]];
    bins[0].push(f32::INFINITY);
    bins[1].push(f32::NEG_INFINITY);
    let (model, written) = read(&written(&page(vec![features(1, bins.clone())]), &BOUNDS));
    let of = |name: &str| model[0][name].as_f64().unwrap();
    assert_eq!((of("low"), of("high"), of("not_finite")), (-4.0, 3.0, 3.0));
    for (value, number) in bins.concat().iter().zip(&written[0]) {
        match value {
            value if value.is_nan() => assert_eq!(*number, 65535),
            value if value.is_infinite() => assert_eq!(*number, if *value > 0.0 { 65534 } else { 65533 }),
            value => {
                let step = (of("high") - of("low")) / 65532.0;
                assert!((f64::from(*value) - of("low") - f64::from(*number) * step).abs() <= 0.51 * step);
            }
        }
    }
}

#[test]
fn values_that_are_all_the_same_are_written() {
    let constant = |value: f32| features(2, vec![vec![value; 7]; 4]);
    let signals = vec![audio(vec![0.0; 100]), constant(-3.5), constant(f32::NAN), constant(f32::MAX)];
    let (model, written) = read(&written(&page(signals), &BOUNDS));
    assert_eq!(written[0], [0; 100]);
    assert_eq!(written[1], [0; 28]);
    assert_eq!(written[2], [65535; 28]);
    assert_eq!((&model[1]["low"], &model[1]["high"]), (&Value::from(-3.5), &Value::from(-3.5)));
    assert_eq!(model[1]["planes"], 2);
}

#[test]
fn planes_that_do_not_divide_the_channels_are_one() {
    let (model, _) = read(&written(&page(vec![features(3, vec![vec![0.0; 5]; 4])]), &BOUNDS));
    assert_eq!(model[0]["planes"], 1);
}
