use serde_json::{Value, json};

use super::*;

fn encoder(name: &str, parameters: &Value) -> Encoder {
    serde_json::from_value(json!({name: parameters})).unwrap()
}

/// A parameter, and values of it that are refused.
type Refused = (&'static str, Vec<Value>);

/// For each encoder its parameters.
fn refused() -> Vec<(&'static str, Vec<Refused>)> {
    let channels =
        || vec![json!([]), json!([0]), json!([5000]), json!([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])];
    let blocks = || {
        vec![
            ("depth", vec![json!(0), json!(65)]),
            ("heads", vec![json!(0), json!(65)]),
            ("head_dim", vec![json!(0), json!(1025)]),
            ("mlp", vec![json!(0), json!(65537)]),
            ("dropout", vec![json!(-0.1), json!(0.95)]),
        ]
    };
    let with = |own: Vec<Refused>, more: Vec<Refused>| own.into_iter().chain(more).collect::<Vec<_>>();
    vec![
        ("cnn", vec![("channels", channels())]),
        ("vggish", vec![("channels", channels())]),
        ("resnet18", vec![("channels", vec![json!([0, 1, 1, 1]), json!([1, 1, 1, 5000])])]),
        ("sample_cnn", vec![("channels", channels()), ("output", vec![json!(0), json!(8193)])]),
        (
            "vit",
            with(
                vec![
                    ("patches", vec![json!([]), json!([[0, 1]]), json!([[1, 1025]])]),
                    ("dim", vec![json!(12), json!(18), json!(8196)]),
                    ("drop", vec![json!(-0.1), json!(1)]),
                ],
                blocks(),
            ),
        ),
        ("transformer", with(vec![("dim", vec![json!(14), json!(17), json!(8194)])], blocks())),
        (
            "wav2vec2",
            vec![
                ("channels", channels()),
                ("kernels", vec![json!([10]), json!([10, 3, 3, 3, 3, 2, 0])]),
                ("strides", vec![json!([5]), json!([5, 2, 2, 2, 2, 2, 65])]),
                ("dim", vec![json!(8), json!(8193)]),
                ("depth", vec![json!(0), json!(65)]),
                ("heads", vec![json!(0), json!(7)]),
                ("mlp", vec![json!(0)]),
                ("positions", vec![json!(0), json!(1025)]),
                ("position_groups", vec![json!(0), json!(7)]),
                ("dropout", vec![json!(0.95)]),
                ("layer_drop", vec![json!(-0.1), json!(0.95)]),
                ("feature_gradient", vec![json!(-0.1), json!(1.1)]),
            ],
        ),
    ]
}

#[test]
fn ranges_are_enforced_with_the_parameters_name() {
    for (name, parameters) in refused() {
        assert_eq!(encoder(name, &json!({})).check(), Ok(()), "{name}");
        for (parameter, values) in parameters {
            for value in values {
                let invalid = encoder(name, &json!({parameter: value})).check().unwrap_err();
                assert_eq!(invalid.parameter, format!("encoder.{name}.{parameter}"), "{value}");
            }
        }
    }
}

#[test]
fn every_parameter_of_every_encoder_is_here() {
    let known = refused();
    let schema = serde_json::to_value(schemars::schema_for!(Encoder)).unwrap();
    for choice in schema["oneOf"].as_array().unwrap() {
        let name = choice["required"][0].as_str().unwrap();
        let reference = choice["properties"][name]["$ref"].as_str().unwrap();
        let properties = schema.pointer(reference.trim_start_matches('#')).unwrap()["properties"].clone();
        let (_, parameters) = known.iter().find(|(known, _)| *known == name).unwrap();
        for parameter in properties.as_object().unwrap().keys().filter(|parameter| *parameter != "mel") {
            assert!(parameters.iter().any(|(known, _)| known == parameter), "{name}.{parameter}");
        }
    }
}

#[test]
fn a_front_end_is_for_audio() {
    let features = Sampling { rate: 16000, hop: 160, channels: 128, planes: 2 };
    for name in ["cnn", "vggish", "resnet18", "vit"] {
        let (plain, own) = (encoder(name, &json!({})), encoder(name, &json!({"mel": {"n_mels": 32}})));
        assert_eq!(plain.check_signal(Sampling::mono(16000), 32000), Ok(()), "{name}");
        assert_eq!(own.check_signal(Sampling::mono(16000), 32000), Ok(()), "{name}");
        assert_eq!(plain.check_signal(features, 100), Ok(()), "{name}");
        assert!(own.check_signal(features, 100).unwrap_err().starts_with("`mel` is not used"), "{name}");
        // A checkpoint says what was taken by default.
        let (mut audio, mut other) = (plain.clone(), plain.clone());
        audio.settle(Sampling::mono(16000));
        other.settle(features);
        assert_eq!((&audio, other), (&encoder(name, &json!({"mel": {}})), plain), "{name}");
        let invalid = encoder(name, &json!({"mel": {"hop": 1}})).check().unwrap_err();
        assert_eq!(invalid.parameter, format!("encoder.{name}.mel.hop"));
    }
}
