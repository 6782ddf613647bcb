use etude_pipeline::flow::Unit;
use serde_json::{Value, json};

use super::*;
use crate::framed::golden::{agrees, no_parameter_is_ignored};
use crate::harness::{operator, output, wrong};

/// librosa's and torchaudio's figures, by `golden/mfcc.py`.
#[test]
fn it_is_that_of_others() {
    agrees::<Mfcc>(include_str!("golden/mfcc.json"));
}

#[test]
fn no_parameter_is_without_effect() {
    no_parameter_is_ignored::<Mfcc>(
        &json!({"mel": {"n_mels": 30}}),
        &[
            ("n_mfcc", json!(20), json!(21), json!(31)),
            ("mel.n_fft", json!(512), json!(400), json!(8)),
            ("mel.window_length", json!(null), json!(300), json!(513)),
            ("mel.hop", json!(160), json!(100), json!(0)),
            ("mel.padding", json!("none"), json!("zero"), Value::Null),
            ("mel.n_mels", json!(30), json!(31), json!(1025)),
            ("mel.f_min", json!(0.0), json!(100.0), json!(-1.0)),
            ("mel.f_max", json!(null), json!(7000.0), json!(0.0)),
            ("mel.scale", json!("htk"), json!("slaney"), Value::Null),
            ("mel.norm", json!("none"), json!("slaney"), Value::Null),
            ("compress", json!({"db": {}}), json!({"log": {}}), json!({"db": {"top_db": -1.0}})),
            ("norm", json!("ortho"), json!("none"), Value::Null),
            ("lifter", json!(0.0), json!(22.0), json!(-1.0)),
        ],
    );
}

#[test]
fn what_has_no_place_is_refused() {
    let wrong = |mel: Value| wrong(&operator::<Mfcc>(json!({"mel": mel})));
    assert_eq!(wrong(json!({"compress": "none"})).as_deref(), Some("mel.compress"));
    assert_eq!(wrong(json!({"standardise": "clip"})).as_deref(), Some("mel.standardise"));
    assert_eq!(wrong(json!({"power": 1})).as_deref(), Some("compress.db.of"));
    assert_eq!(wrong(json!({"n_mels": 19})).as_deref(), Some("n_mfcc"));
    let refused = output(&operator::<Mfcc>(json!({})), Unit::Recording, Some(8000)).unwrap_err();
    assert!(refused.contains("segment"));
    let streamed = output(&operator::<Mfcc>(json!({"compress": {"db": {}}})), Unit::Recording, Some(8000));
    assert_eq!(streamed.unwrap().channels, Some(20));
}
