use std::f64::consts::TAU;

use serde_json::{Value, json};

use super::*;
use crate::framed::golden::{agrees, features, no_parameter_is_ignored, scaled_error, sound};
use crate::harness::operator;

/// librosa's and torch's figures, by `golden/stft.py`.
#[test]
fn it_is_that_of_others() {
    agrees::<Stft>(include_str!("golden/stft.json"));
}

#[test]
fn no_parameter_is_without_effect() {
    let base = json!({"n_fft": 64, "hop": 40});
    no_parameter_is_ignored::<Stft>(
        &base,
        &[
            ("n_fft", json!(64), json!(65), json!(8)),
            ("window_length", json!(null), json!(60), json!(65)),
            ("hop", json!(40), json!(41), json!(0)),
            ("window", json!("hann"), json!("hamming"), Value::Null),
            ("padding", json!("none"), json!("reflect"), Value::Null),
            ("values", json!("magnitude"), json!("power"), Value::Null),
        ],
    );
    let short = crate::harness::wrong(&operator::<Stft>(json!({"window_length": 1})));
    assert_eq!(short.as_deref(), Some("window_length"));
    let wide =
        |n_fft: usize| crate::harness::wrong(&operator::<Stft>(json!({"n_fft": n_fft, "values": "complex"})));
    assert_eq!((wide(65533), wide(65534).as_deref()), (None, Some("n_fft")));
}

/// By the definition, in double precision.
#[test]
fn it_is_the_fourier_transform() {
    let (n_fft, hop) = (60, 25);
    let sound = sound(400);
    let samples = sound.1.channel(0);
    type Weight = fn(f64) -> f64;
    let windows: [(&str, Weight); 4] = [
        ("hann", |turn| 0.5 - 0.5 * turn.cos()),
        ("hamming", |turn| 0.54 - 0.46 * turn.cos()),
        ("blackman", |turn| 0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos()),
        ("rectangular", |_| 1.0),
    ];
    for (name, weight) in windows {
        let parameters = json!({"n_fft": n_fft, "hop": hop, "window": name, "values": "complex"});
        let found = features(&operator::<Stft>(parameters), &sound);
        let part = |bin: usize, frame: usize, of: fn(f64) -> f64| {
            let term = |n: usize| {
                let turn = TAU * n as f64 / n_fft as f64;
                f64::from(samples[frame * hop + n]) * weight(turn) * of(turn * bin as f64)
            };
            (0..n_fft).map(term).sum::<f64>() as f32
        };
        let bins = n_fft / 2 + 1;
        let frames = found[0].len();
        let plane = |of: fn(f64) -> f64| {
            (0..bins)
                .flat_map(move |bin| (0..frames).map(move |frame| (bin, frame)))
                .map(move |(b, f)| part(b, f, of))
                .collect::<Vec<_>>()
        };
        let expected = [plane(|angle| angle.cos()), plane(|angle| -angle.sin())].concat();
        assert!(scaled_error(&found.concat(), &expected) < 1e-6, "{name}");
    }
}
