use etude_pipeline::flow::Unit;
use serde_json::{Value, json};

use super::*;
use crate::framed::golden::{RATE, agrees, features, no_parameter_is_ignored};
use crate::harness::{at, clip, operator, output};

/// librosa's figures, by `golden/chroma.py`.
#[test]
fn it_is_librosas() {
    agrees::<Chroma>(include_str!("golden/chroma.json"));
}

#[test]
fn no_parameter_is_without_effect() {
    no_parameter_is_ignored::<Chroma>(
        &json!({"n_fft": 1024}),
        &[
            ("n_fft", json!(1024), json!(1025), json!(8)),
            ("window_length", json!(null), json!(1000), json!(1025)),
            ("hop", json!(512), json!(513), json!(0)),
            ("padding", json!("none"), json!("reflect"), Value::Null),
            ("n_chroma", json!(12), json!(24), json!(18)),
            ("tuning", json!(0.0), json!(0.2), json!(1.1)),
            ("octave_centre", json!(5.0), json!(4.0), json!(13.0)),
            ("octave_width", json!(2.0), json!(1.0), json!(0.0)),
            ("norm", json!("max"), json!("l2"), Value::Null),
        ],
    );
}

/// A tone of a frequency.
fn tone(hz: f64) -> (etude_pipeline::flow::Header, etude_pipeline::flow::Block) {
    let sample = |t: usize| (0.5 * (std::f64::consts::TAU * hz * t as f64 / f64::from(RATE)).sin()) as f32;
    at(RATE, clip(0, &(0..4096).map(sample).collect::<Vec<_>>()))
}

#[test]
fn a_tone_is_of_its_pitch_class() {
    // C4, E4, A4, B5, and an A that is tuned to 452 Hz.
    for (hz, tuning, class) in
        [(261.63, 0.0, 0), (329.63, 0.0, 4), (440.0, 0.0, 9), (987.77, 0.0, 11), (452.0, 0.466, 9)]
    {
        let found = features(&operator::<Chroma>(json!({"tuning": tuning})), &tone(hz));
        for (other, values) in found.iter().enumerate() {
            let right = |value: &f32| if other == class { *value == 1.0 } else { *value < 0.75 };
            assert!(values.iter().all(right), "{hz}: {other}");
        }
    }
}

#[test]
fn frames_are_normalised_and_silence_stays() {
    type Of = fn(f32) -> f32;
    let sums: [(&str, Of); 2] = [("l1", |value| value), ("l2", |value| value * value)];
    for (norm, of) in sums {
        let found = features(&operator::<Chroma>(json!({"norm": norm})), &tone(440.0));
        let sum: f32 = found.iter().map(|plane| of(plane[0])).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{norm}: {sum}");
    }
    for norm in ["max", "l1", "l2", "none"] {
        let silent = at(RATE, clip(0, &[0.0; 3000]));
        let found = features(&operator::<Chroma>(json!({"norm": norm})), &silent);
        assert!(found.concat().iter().all(|value| *value == 0.0));
    }
}

#[test]
fn it_needs_one_rate() {
    let chroma: Chroma = operator(json!({}));
    assert!(output(&chroma, Unit::Recording, None).unwrap_err().contains("resample"));
    assert_eq!(output(&chroma, Unit::Recording, Some(8000)).unwrap().channels, Some(12));
}
