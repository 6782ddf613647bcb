//! Each encoder against PyTorch's: `golden/encoders.py` made the figures.

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::*;
use crate::golden::{assert_close, audio, numbers, set, sizes, tensor, u, values};
use crate::torch::{named, trained};

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/encoders.json")).unwrap()
}

/// The script's front-end.
fn mel() -> Value {
    json!({"n_fft": 256, "hop": 128, "n_mels": 16, "f_min": 50.0, "f_max": 4000.0})
}

/// What it gives of audio, `[batch, 1, n_mels, frames]`, and what that is.
fn features(audio: &Tensor) -> (Tensor, Sampling) {
    let parameters = serde_json::from_value(mel()).unwrap();
    let values = spectrogram::Mel::new(&parameters, 8000, Device::Cpu).forward(audio).unsqueeze(1);
    (values, Sampling { rate: 8000, hop: 128, channels: 16, planes: 1 })
}

/// The parameters of one of the script's encoders, as in YAML.
fn parameters(name: &str, config: &Value) -> parameters::Encoder {
    let mut config = config.clone();
    let yaml = match name {
        "sample_cnn" | "sample_cnn_odd" => json!({"sample_cnn": config}),
        "wav2vec2" => json!({"wav2vec2": {
            "channels": config["conv_dim"], "kernels": config["conv_kernel"], "strides": config["conv_stride"],
            "dim": config["hidden_size"], "depth": config["num_hidden_layers"],
            "heads": config["num_attention_heads"], "mlp": config["intermediate_size"],
            "positions": config["num_conv_pos_embeddings"], "position_groups": config["num_conv_pos_embedding_groups"],
            "dropout": 0.0, "layer_drop": 0.0, "feature_gradient": 1.0,
        }}),
        "transformer" => json!({"transformer": config}),
        _ => {
            config["mel"] = mel();
            json!({name.trim_end_matches("_hybrid"): config})
        }
    };
    serde_json::from_value(yaml).unwrap()
}

/// The script's weights.
fn weight(name: &str, index: usize, place: usize, shape: &[usize], gains: &[String]) -> f64 {
    let value = u(index, place);
    if gains.iter().any(|gain| name.ends_with(gain)) {
        return 1.0 + 0.1 * value;
    }
    if shape.len() == 1 {
        return 0.1 * value;
    }
    value * (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt()
}

fn agrees(name: &str) {
    let golden = golden();
    let text = golden["formulas"]["gains"].as_str().unwrap();
    let gains: Vec<String> = text.rsplit("one of ").next().unwrap().split(", ").map(str::to_owned).collect();
    let case = &golden["encoders"][name];
    let rate = golden["front_end"]["rate"].as_u64().unwrap() as u32;
    let (batch, samples) =
        (case["batch"].as_u64().unwrap() as usize, case["samples"].as_u64().unwrap() as usize);
    let audio = audio(batch, samples);
    let parameters = parameters(name, &case["config"]);
    let (clips, sampling) = match parameters.takes_tokens() {
        true => features(&audio),
        false => (audio, Sampling::mono(rate)),
    };
    let encoder = Encoder::new(&parameters, sampling, &Scope::root(1, Device::Cpu));
    let mut tensors = named(&encoder);
    // The script's wav2vec 2.0 masks nothing, so it lacks this one.
    tensors.retain(|(name, _)| name != "masked_spec_embed");
    let shapes: Vec<(&str, Vec<usize>)> = trained(&tensors)
        .map(|(name, tensor)| (name.as_str(), tensor.size().iter().map(|size| *size as usize).collect()))
        .collect();
    let theirs = case["tensors"].as_array().unwrap();
    let expected: Vec<(&str, Vec<usize>)> =
        theirs.iter().map(|tensor| (tensor["name"].as_str().unwrap(), sizes(&tensor["shape"]))).collect();
    assert_eq!(shapes, expected, "{name}");
    set(&tensors, |name, index, place, shape| weight(name, index, place, shape, &gains));

    let training = case["mode"] == "train";
    let pass = if training {
        Pass::training(etude_learning::train::Precision::F32, 0, &[b"golden"])
    } else {
        Pass::evaluation()
    };
    let count = clips.size()[clips.dim() - 1];
    let masked: Vec<bool> =
        (0..batch as i64).flat_map(|clip| (0..count).map(move |frame| (clip + frame) % 5 == 0)).collect();
    let masked = Tensor::from_slice(&masked).reshape([batch as i64, count]);
    let mask = parameters.takes_tokens().then_some(&masked);
    let encoded = encoder.encode(&pass, &Clips { mask, ..Clips::of(&clips) });
    let ours = values(&encoded.vector);
    assert_close(name, &ours, &numbers(&case["embedding"]), 1e-5);
    if let Some(frames) = encoded.frames.filter(|_| case["frames"].is_object()) {
        let first = numbers(&case["frames"]["first"]);
        assert_close(name, &values(&frames.context)[..first.len()], &first, 1e-5);
    }

    let probe: Vec<f64> = (0..ours.len()).map(|index| u(index, 7777)).collect();
    let shape: Vec<usize> = encoded.vector.size().iter().map(|size| *size as usize).collect();
    let loss = (&encoded.vector * tensor(&probe, &shape)).sum(Kind::Float) / ours.len() as f64;
    assert_close(name, &values(&loss), &numbers(&case["loss"]), 1e-5);
    let leaves: Vec<&Tensor> = trained(&tensors).map(|(_, tensor)| tensor).collect();
    let gradients = Tensor::run_backward(&[&loss], &leaves, false, false);
    for (theirs, gradient) in theirs.iter().zip(&gradients) {
        let gradient = values(gradient);
        let what = format!("{name}: {}", theirs["name"]);
        let along: f64 = gradient.iter().enumerate().map(|(index, value)| value * u(index, 8888)).sum();
        let norm = gradient.iter().map(|value| value * value).sum::<f64>().sqrt();
        // PyTorch's own f32 pass is up to 8e-5 of the norm away from its f64 pass.
        let expected = theirs["norm"].as_f64().unwrap();
        let tolerance = 2e-4 * (2e-3 + expected);
        assert!((norm - expected).abs() <= tolerance, "{what}: norm {norm}, PyTorch {expected}");
        let bound = tolerance * (gradient.len() as f64 / 3.0).sqrt().max(1.0);
        let expected = theirs["g"].as_f64().unwrap();
        assert!((along - expected).abs() <= bound, "{what}: {along}, PyTorch {expected}");
    }
    for theirs in case["running"].as_array().unwrap() {
        let running = theirs["name"].as_str().unwrap();
        let (_, tensor) = tensors.iter().find(|(name, _)| name == running).unwrap();
        let sum: f64 = values(tensor).iter().sum();
        assert_close(running, &[sum], &[theirs["sum"].as_f64().unwrap()], 1e-5);
    }
}

#[test]
fn sample_cnn_is_pytorchs() {
    agrees("sample_cnn");
    agrees("sample_cnn_odd");
}

#[test]
fn vggish_is_pytorchs() {
    agrees("vggish");
}

#[test]
fn resnet18_is_pytorchs() {
    agrees("resnet18");
}

#[test]
fn vit_is_pytorchs() {
    agrees("vit");
    agrees("vit_hybrid");
}

#[test]
fn wav2vec2_is_hugging_faces() {
    agrees("wav2vec2");
}

#[test]
fn the_transformer_is_pytorchs() {
    agrees("transformer");
}

#[test]
fn features_are_what_the_front_end_gives() {
    let audio = audio(3, 4000);
    let (features, sampling) = features(&audio);
    let cases = [
        ("cnn", json!({"channels": [4, 8]})),
        ("vggish", json!({"channels": [4, 8]})),
        ("resnet18", json!({"channels": [4, 4, 8, 8]})),
        (
            "vit",
            json!({"patches": [[8, 4], [16, 2]], "dim": 16, "depth": 1, "heads": 2, "head_dim": 8, "mlp": 32}),
        ),
    ];
    for (name, mut parameters) in cases {
        let vector = |parameters: &Value, sampling, clips: &Tensor| {
            let parameters = serde_json::from_value(json!({name: parameters})).unwrap();
            let encoder = Encoder::new(&parameters, sampling, &Scope::root(1, Device::Cpu));
            values(&encoder.encode(&Pass::evaluation(), &Clips::of(clips)).vector)
        };
        let of_features = vector(&parameters, sampling, &features);
        parameters["mel"] = mel();
        assert_eq!(of_features, vector(&parameters, Sampling::mono(8000), &audio), "{name}");
    }
}

#[test]
fn every_plane_is_looked_at() {
    let (plane, sampling) = features(&audio(2, 4000));
    let sampling = Sampling { planes: 2, channels: 2 * sampling.channels, ..sampling };
    let cases = [
        json!({"cnn": {"channels": [4]}}),
        json!({"vggish": {"channels": [4]}}),
        json!({"resnet18": {"channels": [4, 4, 4, 4]}}),
        json!({"vit": {"patches": [[8, 4]], "dim": 16, "depth": 1, "heads": 2, "head_dim": 8, "mlp": 32}}),
        json!({"transformer": {"dim": 16, "depth": 1, "heads": 2, "head_dim": 8, "mlp": 32}}),
    ];
    for parameters in cases {
        let encoder = serde_json::from_value(parameters.clone()).unwrap();
        let encoder = Encoder::new(&encoder, sampling, &Scope::root(1, Device::Cpu));
        let vector = |planes: [&Tensor; 2]| {
            let clips = Tensor::cat(&planes, 1);
            values(&encoder.encode(&Pass::evaluation(), &Clips::of(&clips)).vector)
        };
        let other = &plane * 0.5;
        let all = [vector([&plane, &plane]), vector([&plane, &other]), vector([&other, &plane])];
        assert!(all[0] != all[1] && all[0] != all[2] && all[1] != all[2], "{parameters}");
    }
}

#[test]
fn every_parameter_of_the_transformer_counts() {
    let (clips, sampling) = features(&audio(2, 4000));
    let vector = |name: &str, value: Value| {
        let mut yaml = json!({"dim": 16, "depth": 2, "heads": 2, "head_dim": 8, "mlp": 32, "dropout": 0.0});
        yaml[name] = value;
        let parameters = serde_json::from_value(json!({"transformer": yaml})).unwrap();
        let encoder = Encoder::new(&parameters, sampling, &Scope::root(1, Device::Cpu));
        values(&encoder.encode(&pass(true, b"a"), &Clips::of(&clips)).vector)
    };
    let plain = vector("dim", json!(16));
    assert_eq!(plain, vector("depth", json!(2)));
    for (name, value) in [("dim", 18.0), ("depth", 1.0), ("heads", 4.0), ("head_dim", 4.0), ("mlp", 16.0)] {
        assert_ne!(plain, vector(name, json!(value as u64)), "{name}");
    }
    assert_ne!(plain, vector("dropout", json!(0.5)));
}

fn transformer(dropout: f64) -> Encoder {
    let yaml = json!({"dim": 16, "depth": 2, "heads": 2, "head_dim": 8, "mlp": 32, "dropout": dropout});
    let parameters = serde_json::from_value(json!({"transformer": yaml})).unwrap();
    let sampling = Sampling { rate: 8000, hop: 128, channels: 16, planes: 1 };
    Encoder::new(&parameters, sampling, &Scope::root(1, Device::Cpu))
}

#[test]
fn the_transformer_draws_where_it_is_told_to() {
    let (clips, _) = features(&audio(2, 4000));
    let vector = |dropout, key: &[u8]| {
        values(&transformer(dropout).encode(&pass(true, key), &Clips::of(&clips)).vector)
    };
    assert_eq!(vector(0.0, b"a"), vector(0.0, b"b"));
    assert_ne!(vector(0.5, b"a"), vector(0.5, b"b"));
}

#[test]
fn frames_keep_their_places_where_others_are_left_out() {
    let (clips, _) = features(&audio(2, 4000));
    let encoder = transformer(0.0);
    let count = clips.size()[3];
    // Those at 2, 3 and the last one of the first clip are left out, and three at the begin of the second.
    let end = count as u64;
    let dropped: [&[(u64, u64)]; 2] = [&[(2, 4), (end - 1, end)], &[(0, 3)]];
    let dropped = dropped.map(|spans| Mask::filled(spans.into()));
    let kept =
        [(0..count).filter(|at| ![2, 3, count - 1].contains(at)).collect::<Vec<i64>>(), (3..count).collect()];
    let parts: Vec<Tensor> = kept
        .iter()
        .enumerate()
        .map(|(clip, kept)| clips.narrow(0, clip as i64, 1).index_select(3, &Tensor::from_slice(kept)))
        .collect();
    let places = Places::new(&dropped, count as usize - 3, Device::Cpu);
    let index: Vec<i64> = Vec::try_from(places.index.flatten(0, 1)).unwrap();
    assert_eq!((index, places.of), (kept.concat(), count));
    let vector = |places| {
        let clips = Tensor::cat(&parts, 0);
        values(&encoder.encode(&Pass::evaluation(), &Clips { places, ..Clips::of(&clips) }).vector)
    };
    let (placed, moved) = (vector(Some(&places)), vector(None));
    assert_ne!(placed, moved);
    // Without a token left out the places are those of all.
    let all = Places::new(&[Mask::default(), Mask::default()], count as usize, Device::Cpu);
    let whole =
        |places| values(&encoder.encode(&Pass::evaluation(), &Clips { places, ..Clips::of(&clips) }).vector);
    assert_eq!(whole(Some(&all)), whole(None));
}

#[test]
fn full_sizes_have_as_many_parameters() {
    let golden = golden();
    let count = |yaml: Value| -> u64 {
        let parameters: parameters::Encoder = serde_json::from_value(yaml).unwrap();
        let encoder = Encoder::new(&parameters, Sampling::mono(16000), &Scope::root(1, Device::Cpu));
        trained(&named(&encoder)).map(|(_, tensor)| tensor.numel() as u64).sum()
    };
    let expected = |name: &str| golden["full_size"][name].as_u64().unwrap();
    assert_eq!(count(json!({"sample_cnn": {}})), expected("sample_cnn"));
    assert_eq!(count(json!({"vit": {"mel": {"n_mels": 128}}})), expected("vit"));
    assert_eq!(count(json!({"resnet18": {}})), expected("resnet18"));
    assert_eq!(count(json!({"wav2vec2": {}})), expected("wav2vec2_with_masked_spec_embed"));
}

fn pass(training: bool, key: &[u8]) -> Pass {
    match training {
        true => Pass::training(etude_learning::train::Precision::F32, 0, &[key]),
        false => Pass::evaluation(),
    }
}

fn encoder(yaml: Value) -> Encoder {
    Encoder::new(&serde_json::from_value(yaml).unwrap(), Sampling::mono(8000), &Scope::root(1, Device::Cpu))
}

/// Two passes with other keys differ in training and nowhere else.
fn draws(encoder: &Encoder) -> bool {
    let vector = |training, key: &[u8]| {
        values(&encoder.encode(&pass(training, key), &Clips::of(&audio(2, 4000))).vector)
    };
    assert_eq!(vector(false, b"a"), vector(false, b"b"));
    assert_eq!(vector(true, b"a"), vector(true, b"a"));
    vector(true, b"a") != vector(true, b"b")
}

#[test]
fn vit_draws_where_it_is_told_to() {
    let vit = |more: (&str, f64)| {
        let mut yaml = json!({"mel": {"n_fft": 256, "hop": 64, "n_mels": 16}, "patches": [[8, 8]], "dim": 16,
            "depth": 2, "heads": 2, "head_dim": 8, "mlp": 32});
        yaml[more.0] = json!(more.1);
        encoder(json!({"vit": yaml}))
    };
    assert!(!draws(&vit(("drop", 0.0))));
    assert!(draws(&vit(("drop", 0.75))));
    assert!(draws(&vit(("dropout", 0.5))));
}

fn wav2vec2(more: (&str, f64)) -> Encoder {
    let mut yaml = json!({"channels": [8, 8], "kernels": [10, 4], "strides": [5, 4], "dim": 16, "depth": 3,
        "heads": 2, "mlp": 32, "positions": 8, "position_groups": 2, "dropout": 0.0, "layer_drop": 0.0});
    yaml[more.0] = json!(more.1);
    encoder(json!({"wav2vec2": yaml}))
}

#[test]
fn wav2vec2_draws_where_it_is_told_to() {
    assert!(!draws(&wav2vec2(("dropout", 0.0))));
    assert!(draws(&wav2vec2(("dropout", 0.5))));
    assert!((0..20u8).any(|key| {
        let vector = |key: &[u8]| {
            values(&wav2vec2(("layer_drop", 0.5)).encode(&pass(true, key), &Clips::of(&audio(1, 400))).vector)
        };
        vector(&[key]) != vector(&[key + 1])
    }));
}

#[test]
fn wav2vec2_scales_the_gradient_of_its_convolutions_alone() {
    let gradients = |scale: f64| {
        let encoder = wav2vec2(("feature_gradient", scale));
        let tensors = named(&encoder);
        let leaves: Vec<&Tensor> = trained(&tensors).map(|(_, tensor)| tensor).collect();
        let loss =
            encoder.encode(&Pass::evaluation(), &Clips::of(&audio(2, 400))).vector.square().sum(Kind::Float);
        let gradients = Tensor::run_backward(&[loss], &leaves, false, false);
        let names = trained(&tensors).map(|(name, _)| name.clone());
        // The vector of masked frames has no gradient where nothing is masked.
        names.zip(gradients).filter(|(_, gradient)| gradient.defined()).collect::<Vec<_>>()
    };
    for ((name, whole), (_, tenth)) in gradients(1.0).iter().zip(&gradients(0.1)) {
        let factor = if name.starts_with("feature_extractor") { 0.1 } else { 1.0 };
        let expected: Vec<f64> = values(whole).iter().map(|value| value * factor).collect();
        assert_close(name, &values(tenth), &expected, 1e-4);
    }
}

#[test]
fn wav2vec2_does_not_see_masked_frames() {
    let encoder = wav2vec2(("dropout", 0.0));
    let frames = encoder.encode(&Pass::evaluation(), &Clips::of(&audio(1, 400))).frames.unwrap();
    let count = frames.context.size()[1];
    let all = Tensor::ones([1, count], (Kind::Bool, Device::Cpu));
    let masked = |audio: &Tensor| {
        values(&encoder.encode(&Pass::evaluation(), &Clips { mask: Some(&all), ..Clips::of(audio) }).vector)
    };
    assert_eq!(masked(&audio(1, 400)), masked(&(audio(1, 400) * 0.3 + 0.1)));
}

#[test]
fn a_model_of_hugging_face_loads_and_gives_the_same() {
    let golden: Value = serde_json::from_str(include_str!("../golden/hugging_face.json")).unwrap();
    let bytes = include_bytes!("../golden/hugging_face.safetensors");
    let theirs = crate::checkpoint::from_bytes(bytes).unwrap();
    let encoder =
        encoder(json!({"wav2vec2": {"channels": [8, 8, 8], "kernels": [10, 3, 2], "strides": [5, 2, 2],
        "dim": 16, "depth": 1, "heads": 2, "mlp": 16, "positions": 8, "position_groups": 4}}));
    let own: crate::torch::Named =
        named(&encoder).into_iter().map(|(name, tensor)| (format!("encoder.{name}"), tensor)).collect();
    let older = |name: &str| {
        name.replace("parametrizations.weight.original0", "weight_g")
            .replace("parametrizations.weight.original1", "weight_v")
    };
    let spelt = theirs.iter().map(|(name, tensor)| (older(name), tensor.clone())).collect();
    for source in [&theirs, &spelt] {
        tch::no_grad(|| own.iter().for_each(|(_, tensor)| drop(tensor.shallow_clone().fill_(9.0))));
        assert_eq!(crate::parameters::load_known(&own, source).unwrap(), Vec::<String>::new());
        let frames = encoder.encode(&Pass::evaluation(), &Clips::of(&audio(3, 1000))).frames.unwrap();
        let first = values(&frames.context.get(0));
        assert_close("last hidden state", &first, &numbers(&golden["last_hidden_state"]), 1e-4);
    }
}
