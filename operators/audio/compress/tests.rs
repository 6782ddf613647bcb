use std::sync::Arc;

use etude_pipeline::flow::{Header, SignalType, Unit};
use serde_json::{Value, json};

use super::*;
use crate::harness::{operator, output, run, wrong};

const VALUES: [f32; 7] = [0.0, 1e-12, 1e-5, 0.03, 1.0, 7.5, 4e4];

/// A clip of features of 2 channels.
fn clip(values: &[f32]) -> (Header, Block) {
    let frames = values.len() as u64;
    let header = Header { hop: 10, frames: Some(frames), ..Header::audio(Arc::from("a"), 0, 8000, 2, None) };
    (header, Block::planar(2, [values, values].concat()))
}

fn out(function: &Value, values: &[f32]) -> Vec<f32> {
    let outcome = run(&operator::<Compression>(json!({"function": function})), &[clip(values)]);
    assert_eq!(outcome.signals[0].1[0], outcome.signals[0].1[1]);
    outcome.signals[0].1[0].clone()
}

#[test]
fn the_functions_are_what_they_say() {
    type Function = fn(f64) -> f64;
    let table: [(Value, Function); 9] = [
        (json!("none"), |x| x),
        (json!({"log": {}}), |x| (x + 1e-6).ln()),
        (json!({"log": {"offset": 1e-3}}), |x| (x + 1e-3).ln()),
        (json!({"log1p": {}}), f64::ln_1p),
        (json!({"log1p": {"scale": 100.0}}), |x| (100.0 * x).ln_1p()),
        (json!({"log10": {}}), |x| (1e4 * x + 1.0).log10()),
        (json!({"log10": {"scale": 2.0}}), |x| (2.0 * x + 1.0).log10()),
        (json!({"db": {}}), |x| 10.0 * x.max(1e-10).log10()),
        (json!({"db": {"of": "magnitude", "reference": 0.5, "floor": 0.01}}), |x| {
            20.0 * (x.max(0.01) / 0.5).log10()
        }),
    ];
    for (function, expected) in table {
        for (found, value) in out(&function, &VALUES).iter().zip(VALUES) {
            let expected = expected(f64::from(value));
            let error = (f64::from(*found) - expected).abs();
            assert!(
                error <= 2e-7 * (1.0 + expected.abs()),
                "{function} of {value}: {found}, expected {expected}"
            );
        }
    }
    // Magnitudes have a floor of their own.
    assert_eq!(out(&json!({"db": {"of": "magnitude"}}), &[0.0])[0].round(), -100.0);
}

#[test]
fn a_clip_goes_so_far_below_its_highest_value() {
    let found = out(&json!({"db": {"top_db": 30.0}}), &[1e-9, 1e-2, 10.0, 2.0]);
    assert_eq!(found.iter().map(|db| db.round()).collect::<Vec<_>>(), [-20.0, -20.0, 10.0, 3.0]);
    assert_eq!(out(&json!({"db": {"top_db": 0.0}}), &[1.0, 10.0]), [10.0, 10.0]);
}

#[test]
fn negative_values_count_as_zero_and_what_is_no_number_stays() {
    for function in [json!({"log": {}}), json!({"log1p": {}}), json!({"log10": {}}), json!({"db": {}})] {
        let found = out(&function, &[-1.0, 0.0]);
        assert_eq!(found[0], found[1], "{function}");
        let compression: Compression = operator(json!({"function": function}));
        let mut values = [f32::NAN, 1.0];
        compression.function.apply(&mut values);
        assert!(values[0].is_nan() && values[1].is_finite(), "{function}");
    }
}

#[test]
fn ranges_are_enforced() {
    for (function, parameter) in [
        (json!({"log": {"offset": 0.0}}), "function.log.offset"),
        (json!({"log": {"offset": 2.0}}), "function.log.offset"),
        (json!({"log1p": {"scale": 0.0}}), "function.log1p.scale"),
        (json!({"log10": {"scale": 1e13}}), "function.log10.scale"),
        (json!({"db": {"reference": 0.0}}), "function.db.reference"),
        (json!({"db": {"floor": 2.0}}), "function.db.floor"),
        (json!({"db": {"top_db": -1.0}}), "function.db.top_db"),
        (json!({"db": {"top_db": 1001.0}}), "function.db.top_db"),
    ] {
        let found = wrong(&operator::<Compression>(json!({"function": function})));
        assert_eq!(found.as_deref(), Some(parameter));
    }
}

#[test]
fn it_is_for_features_and_top_db_for_clips() {
    let top: Compression = operator(json!({"function": {"db": {"top_db": 80.0}}}));
    let features = |unit| {
        let signal = Flow::Signal(SignalType { hop: 10, ..SignalType::audio(Some(8000), Some(2), unit) });
        top.output(&Inputs(vec![("from", vec![&signal])]))
    };
    assert!(features(Unit::Clip).is_ok());
    assert!(features(Unit::Recording).unwrap_err().message.contains("segment"));
    assert!(output(&top, Unit::Clip, Some(8000)).unwrap_err().contains("not audio"));
}
