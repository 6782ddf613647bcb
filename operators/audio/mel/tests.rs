use etude_pipeline::flow::{Block, Header, Unit};
use serde_json::{Value, json};

use super::*;
use crate::compress::Compression;
use crate::framed::golden::{agrees, features, no_parameter_is_ignored, scaled_error, signal, sound};
use crate::harness::{operator, output, run, wrong};
use crate::standardise::Standardisation;

/// librosa's and torchaudio's figures, by `golden/mel.py`.
#[test]
fn it_is_that_of_others() {
    agrees::<Mel>(include_str!("golden/mel.json"));
}

#[test]
fn no_parameter_is_without_effect() {
    let base = json!({"n_fft": 400, "hop": 100, "n_mels": 20});
    no_parameter_is_ignored::<Mel>(
        &base,
        &[
            ("n_fft", json!(400), json!(401), json!(8)),
            ("window_length", json!(null), json!(300), json!(401)),
            ("hop", json!(100), json!(101), json!(0)),
            ("padding", json!("none"), json!("zero"), Value::Null),
            ("power", json!(1), json!(2), json!(3)),
            ("n_mels", json!(20), json!(21), json!(1025)),
            ("f_min", json!(0.0), json!(100.0), json!(-1.0)),
            ("f_max", json!(null), json!(7000.0), json!(0.0)),
            ("scale", json!("htk"), json!("slaney"), Value::Null),
            ("norm", json!("none"), json!("slaney"), Value::Null),
            ("compress", json!("none"), json!({"log1p": {}}), json!({"log": {"offset": 0.0}})),
            ("standardise", json!("none"), json!("frame"), Value::Null),
        ],
    );
    let clip =
        |standardise: &str| features(&operator::<Mel>(json!({"standardise": standardise})), &sound(2500));
    assert!(clip("clip") != clip("frame"));
}

/// What `op: log_mel` was: ln(power + 10⁻⁶) of triangles on the HTK scale, frames not padded.
#[test]
fn the_defaults_are_a_log_mel_spectrogram() {
    let mel = Mel::default();
    let samples = signal(1200);
    let weights = filterbank(&mel, crate::framed::golden::RATE);
    let column = |frame: usize| {
        let power = |bin: usize| {
            let part = |of: fn(f64) -> f64| {
                let term = |n: usize| {
                    let turn = std::f64::consts::TAU * n as f64 / 512.0;
                    f64::from(samples[frame * 160 + n]) * (0.5 - 0.5 * turn.cos()) * of(turn * bin as f64)
                };
                (0..512).map(term).sum::<f64>().powi(2)
            };
            part(f64::sin) + part(f64::cos)
        };
        let powers: Vec<f64> = (0..257).map(power).collect();
        let band = |weights: &[f32]| {
            let sum: f64 =
                weights.iter().zip(&powers).map(|(weight, power)| f64::from(*weight) * power).sum();
            (sum + 1e-6).ln() as f32
        };
        weights.chunks(257).map(band).collect::<Vec<_>>()
    };
    let found = features(&mel, &sound(1200));
    assert_eq!((found.len(), found[0].len()), (64, 5));
    for frame in 0..5 {
        let ours: Vec<f32> = found.iter().map(|plane| plane[frame]).collect();
        assert!(scaled_error(&ours, &column(frame)) < 1e-6);
    }
}

#[test]
fn it_compresses_and_standardises_as_the_operators_do() {
    /// What an operator makes of a clip, as a clip.
    fn after(operator: &impl Operator, clip: &(Header, Block)) -> (Header, Block) {
        let (header, planes) = run(operator, std::slice::from_ref(clip)).signals.remove(0);
        (header, Block::planar(planes.len(), planes.concat()))
    }
    let mel = |compress: &Value, standardise: &str| {
        let parameters = json!({"n_mels": 30, "compress": compress, "standardise": standardise});
        after(&operator::<Mel>(parameters), &sound(4000))
    };
    for compress in [json!({"db": {"top_db": 20.0}}), json!({"log": {}})] {
        for over in ["clip", "frame"] {
            let compression: Compression = operator(json!({"function": compress}));
            let standardisation: Standardisation = operator(json!({"over": over}));
            let compressed = after(&compression, &mel(&json!("none"), "none"));
            assert!(mel(&compress, over) == after(&standardisation, &compressed), "{compress} {over}");
        }
    }
}

#[test]
fn decibels_say_what_the_bands_are() {
    let of = |power: u32, of: &str| {
        wrong(&operator::<Mel>(json!({"power": power, "compress": {"db": {"of": of}}})))
    };
    assert_eq!((of(2, "power"), of(1, "magnitude")), (None, None));
    assert_eq!(of(1, "power").as_deref(), Some("compress.db.of"));
    assert_eq!(of(2, "magnitude").as_deref(), Some("compress.db.of"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused =
        |parameters: Value, unit, rate| output(&operator::<Mel>(parameters), unit, rate).unwrap_err();
    assert!(refused(json!({}), Unit::Clip, None).contains("resample"));
    assert!(refused(json!({"f_max": 4001}), Unit::Clip, Some(8000)).contains("half the rate"));
    assert!(refused(json!({"f_min": 4000}), Unit::Clip, Some(8000)).contains("half the rate"));
    let top = json!({"compress": {"db": {"top_db": 80.0}}});
    assert!(refused(top, Unit::Recording, Some(8000)).contains("segment"));
    assert!(refused(json!({"standardise": "clip"}), Unit::Recording, Some(8000)).contains("segment"));
    assert!(output(&Mel::default(), Unit::Recording, Some(8000)).is_ok());
    // As an encoder's front-end.
    let mel = |padding: &str| operator::<Mel>(json!({"padding": padding}));
    assert!(mel("none").check_clip(8000, 511).unwrap_err().contains("shorter than `n_fft`, 512"));
    assert!(mel("reflect").check_clip(8000, 256).unwrap_err().contains("mirrored"));
    assert!(mel("none").check_clip(8000, 512).is_ok() && mel("reflect").check_clip(8000, 257).is_ok());
    let below = operator::<Mel>(json!({"hop": 0})).check_below("mel.").unwrap_err();
    assert_eq!(below.parameter, "mel.hop");
}

#[test]
fn the_scales_are_their_own_inverses() {
    for scale in [Scale::Htk, Scale::Slaney] {
        for hz in [0.0, 50.0, 999.0, 1000.0, 1001.0, 8000.0] {
            assert!((scale.hz(scale.mel(hz)) - hz).abs() < 1e-9 * (1.0 + hz));
        }
    }
    assert!((Scale::Slaney.mel(6400.0) - 42.0).abs() < 1e-9);
}
