//! A whole training step against PyTorch's: `golden/train_step.py` made the figures.

use serde_json::{Value, json};
use tch::Device;

use super::*;
use crate::golden::{assert_close, audio, numbers, set, values};
use crate::optimizer::Optimizer;
use crate::torch::trained;
use etude_learning::train::Precision;

fn train(more: Value) -> Train {
    let mel = json!({"n_fft": 256, "hop": 128, "n_mels": 16, "f_min": 50.0, "f_max": 4000.0});
    let mut yaml = json!({
        "encoder": {"cnn": {"mel": mel, "channels": [4, 8]}},
        "projector": {"hidden": 8, "outputs": 4},
        "objective": {"nt_xent": {"temperature": 0.1}},
        "optimizer": {"adam_w": {"learning_rate": 0.01, "weight_decay": 0.1}},
        "epochs": 1,
    });
    for (name, value) in more.as_object().unwrap() {
        yaml[name] = value.clone();
    }
    yaml.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    serde_json::from_value(yaml).unwrap()
}

fn model(train: &Train) -> Model {
    Model::new(train, 2, Sampling::mono(8000), [0; 2], &Scope::root(1, Device::Cpu))
}

fn batch(views: usize, samples: usize) -> Batch {
    let clips = 4 / views as i64;
    let (clips, items) = ((0..clips).collect(), (0..clips).collect());
    Batch {
        values: audio(4, samples),
        views,
        clips,
        items,
        masks: None,
        masking: Masking::None,
        targets: None,
        features: None,
    }
}

fn pass(precision: Precision) -> Pass {
    Pass::training(precision, 0, &[b"golden"])
}

#[test]
fn a_training_step_is_pytorchs() {
    let golden: Value = serde_json::from_str(include_str!("../golden/train_step.json")).unwrap();
    let train = train(json!({}));
    let model = model(&train);
    let tensors = named(&model);
    set(&tensors, |name, index, place, _| {
        let wave = (0.9 * index as f64 + place as f64).sin();
        if name.ends_with("norm.weight") { 1.0 + 0.1 * wave } else { 0.3 * wave }
    });
    // The script calls the two layers of the projector by other names, in the same order.
    let theirs = |name: &str| name.replace("layers.0", "input").replace("layers.1", "output");

    let step = model.step(&pass(Precision::F32), &batch(2, 2048), None).unwrap();
    assert_close("embeddings", &values(&step.vectors), &numbers(&golden["embeddings"]), 2e-5);
    assert_close("loss", &values(&step.loss.value), &numbers(&golden["loss"]), 1e-5);
    let mut optimizer = Optimizer::new(&train.optimizer, &tensors);
    let leaves = optimizer.tensors();
    let gradients = Tensor::run_backward(&[&step.loss.value], &leaves, false, false);
    for ((name, _), gradient) in trained(&tensors).zip(&gradients) {
        let expected = &golden["gradients"][theirs(name)];
        assert_close(name, &values(gradient), &numbers(expected), 1e-4);
    }
    optimizer.step(&gradients, 0.01);
    for (name, tensor) in &tensors {
        assert_close(name, &values(tensor), &numbers(&golden["after"][theirs(name)]), 2e-5);
    }
    let loss = model.step(&pass(Precision::F32), &batch(2, 2048), None).unwrap().loss.value;
    assert_close("loss after", &values(&loss), &numbers(&golden["loss_after"]), 1e-3);
}

#[test]
fn sixteen_bits_are_near() {
    let model = model(&train(json!({})));
    let loss = |precision| {
        let loss = model.step(&pass(precision), &batch(2, 2048), None).unwrap().loss.value;
        values(&loss)[0]
    };
    let (whole, half) = (loss(Precision::F32), loss(Precision::Bf16));
    assert!(whole != half && (whole - half).abs() < 0.05, "{whole} {half}");
}

/// Every objective, fed by an encoder that fits, gives a finite loss and a gradient to the encoder's first weight.
#[test]
fn every_objective_reaches_the_encoder() {
    let wav2vec2 = json!({"wav2vec2": {"channels": [8, 8], "kernels": [10, 4], "strides": [5, 4], "dim": 16, "depth": 1,
        "heads": 2, "mlp": 32, "positions": 8, "position_groups": 2}});
    let quantizer = json!({"entries": 8, "dim": 8, "projection": 8});
    let predictor = json!({"hidden": 8, "norm": "batch"});
    let masked = |objective: Value, quantizer: Value| {
        json!({"encoder": wav2vec2, "projector": null, "objective": objective, "mask": {"length": 3},
            "quantizer": quantizer})
    };
    let cases = [
        json!({"objective": {"nt_xent": {}}}),
        json!({"objective": {"clip": {}}}),
        json!({"objective": {"sogclr": {}}}),
        json!({"objective": {"multi_positive": {}}}),
        json!({"objective": {"byol": {}}, "predictor": predictor}),
        json!({"objective": {"simsiam": {}}, "predictor": predictor}),
        json!({"objective": {"barlow": {}}}),
        json!({"objective": {"vicreg": {}}}),
        json!({"objective": {"dino": {}}}),
        json!({"objective": {"sum": {"of": [{"nt_xent": {}}, {"vicreg": {"weight": 0.5}}]}}}),
        masked(json!({"info_nce": {"negatives": 5}}), quantizer.clone()),
        masked(json!({"masked_cross_entropy": {"size": 16, "n_mels": 8}}), Value::Null),
        masked(json!({"masked_mse": {"n_mels": 8}}), Value::Null),
        masked(
            json!({"sum": {"of": [{"info_nce": {"negatives": 5}}, {"diversity": {"weight": 0.1}},
                {"feature_penalty": {"weight": 10.0}}]}}),
            quantizer,
        ),
    ];
    for case in cases {
        let train = train(case.clone());
        train.objective.check().unwrap();
        let views = if train.objective.needs().mask { 1 } else { 2 };
        let scope = Scope::root(1, Device::Cpu);
        let model = Model::new(&train, 4, Sampling::mono(8000), [0; 2], &scope);
        let teacher = model.teacher(&train, Sampling::mono(8000), &scope);
        let tensors = named(&model);
        let leaves: Vec<Tensor> = trained(&tensors).map(|(_, tensor)| tensor.shallow_clone()).collect();
        let step = model.step(&pass(Precision::F32), &batch(views, 2048), teacher.as_ref()).unwrap();
        assert!(values(&step.loss.value)[0].is_finite(), "{case}");
        let gradients = Tensor::run_backward(&[&step.loss.value], &leaves, false, false);
        let first = trained(&tensors).position(|(name, _)| name.starts_with("encoder.")).unwrap();
        assert!(values(&gradients[first]).iter().any(|value| *value != 0.0), "{case}");
        for ((name, _), gradient) in trained(&tensors).zip(&gradients) {
            assert!(gradient.defined(), "{case}: nothing reaches {name}");
        }
    }
}

/// Masked frames of features are predicted: each objective of such reaches all weights, with masks that are drawn, that
/// come with the clips, and of which a first view tells what was there.
#[test]
fn masked_features_are_predicted() {
    let transformer = json!({"transformer": {"dim": 16, "depth": 1, "heads": 2, "head_dim": 8, "mlp": 32}});
    let quantizer = json!({"entries": 8, "dim": 8, "projection": 8});
    let cases = [
        (json!({"masked_mse": {}}), Value::Null),
        (json!({"masked_cross_entropy": {"size": 16}}), Value::Null),
        (json!({"info_nce": {"negatives": 5}}), quantizer),
    ];
    let sampling = Sampling { rate: 8000, hop: 128, channels: 16, planes: 2 };
    let values_of = |batch: &Batch, objective: &Value, quantizer: &Value| {
        let more = json!({"encoder": transformer, "projector": null, "objective": objective,
            "mask": {"length": 3}, "quantizer": quantizer});
        let train = train(more);
        let model = Model::new(&train, 4, sampling, [0; 2], &Scope::root(1, Device::Cpu));
        let tensors = named(&model);
        let step = model.step(&pass(Precision::F32), batch, None).unwrap();
        let leaves: Vec<&Tensor> = trained(&tensors).map(|(_, tensor)| tensor).collect();
        let gradients = Tensor::run_backward(&[&step.loss.value], &leaves, false, false);
        for ((name, _), gradient) in trained(&tensors).zip(&gradients) {
            // What is filled is seen as it is.
            let unseen = batch.masking == Masking::Filled && name.ends_with("mask_token");
            assert!(gradient.defined() != unseen, "{objective}: nothing reaches {name}");
        }
        values(&step.loss.value)[0]
    };
    let clips = audio(4, 16 * 30).reshape([4, 2, 8, 30]);
    let spans: [&[(u64, u64)]; 4] = [&[(3, 9)], &[(0, 4), (10, 12)], &[(24, 30)], &[(5, 11)]];
    let marked: Vec<flow::Mask> = spans.map(|spans| flow::Mask::marked(spans.into())).into();
    let filled: Vec<flow::Mask> = spans.map(|spans| flow::Mask::filled(spans.into())).into();
    for (objective, quantizer) in &cases {
        let batch = |views: usize, masks, masking| {
            let clips_of_view: Vec<i64> = (0..4 / views as i64).collect();
            let values = clips.shallow_clone();
            Batch {
                values,
                views,
                clips: clips_of_view.clone(),
                items: clips_of_view,
                masks,
                masking,
                targets: None,
                features: None,
            }
        };
        let drawn = values_of(&batch(1, None, Masking::None), objective, quantizer);
        let whole = values_of(&batch(1, Some(marked.clone()), Masking::Marked), objective, quantizer);
        assert!(drawn.is_finite() && whole.is_finite() && drawn != whole, "{objective}");
        if quantizer.is_null() {
            let pair = values_of(&batch(2, Some(filled.clone()), Masking::Filled), objective, quantizer);
            let mixed = values_of(&batch(2, Some(marked.clone()), Masking::Mixed), objective, quantizer);
            assert!(pair.is_finite() && mixed.is_finite() && pair != mixed, "{objective}");
            // The masks are those of the second view: where the first has none, nothing changes.
            let mut second = filled.clone();
            second[..2].fill(flow::Mask::default());
            let of_second = values_of(&batch(2, Some(second), Masking::Filled), objective, quantizer);
            assert_eq!(of_second, pair, "{objective}");
            let moved = filled.iter().rev().cloned().collect();
            assert_ne!(values_of(&batch(2, Some(moved), Masking::Filled), objective, quantizer), pair);
        }
    }
}

#[test]
fn tokens_that_are_left_keep_their_places() {
    let transformer = json!({"transformer": {"dim": 16, "depth": 1, "heads": 2, "head_dim": 8, "mlp": 32}});
    let train = train(json!({"encoder": transformer}));
    let sampling = Sampling { rate: 8000, hop: 128, channels: 16, planes: 1 };
    let model = Model::new(&train, 4, sampling, [0; 2], &Scope::root(1, Device::Cpu));
    let loss = |masks, masking| {
        let values_of = audio(4, 16 * 30).reshape([4, 1, 16, 30]);
        let batch = Batch {
            values: values_of,
            views: 2,
            clips: vec![0, 1],
            items: vec![0, 1],
            masks,
            masking,
            targets: None,
            features: None,
        };
        values(&model.step(&pass(Precision::F32), &batch, None).unwrap().loss.value)[0]
    };
    let spans: [&[(u64, u64)]; 4] = [&[(3, 9)], &[(0, 6)], &[(30, 36)], &[(5, 11)]];
    let dropped: Vec<flow::Mask> = spans.map(|spans| flow::Mask::filled(spans.into())).into();
    let placed = loss(Some(dropped.clone()), Masking::Dropped);
    assert_ne!(placed, loss(None, Masking::None));
    // A mask in which something else stands moves nothing.
    assert_eq!(loss(Some(dropped), Masking::Filled), loss(None, Masking::None));
}

#[test]
fn weights_of_a_sum_count() {
    let loss = |weight: f64| {
        let objective = json!({"sum": {"of": [{"nt_xent": {}}, {"vicreg": {"weight": weight}}]}});
        let model = model(&train(json!({"objective": objective})));
        values(&model.step(&pass(Precision::F32), &batch(2, 2048), None).unwrap().loss.value)[0]
    };
    let (one, two, four) = (loss(1.0), loss(2.0), loss(4.0));
    assert!(((four - two) - 2.0 * (two - one)).abs() < 1e-3 * four.abs(), "{one} {two} {four}");
}

#[test]
fn a_teacher_begins_as_the_student_and_follows_it() {
    let train = train(json!({"objective": {"byol": {}}}));
    let scope = Scope::root(1, Device::Cpu);
    let model = Model::new(&train, 2, Sampling::mono(8000), [0; 2], &scope);
    let teacher = model.teacher(&train, Sampling::mono(8000), &scope).unwrap();
    let (student, own) = (named(&model), named(&teacher));
    let weight = |tensors: &Named| {
        let (_, tensor) = tensors.iter().find(|(name, _)| name == "projector.layers.0.weight").unwrap();
        values(tensor)
    };
    let begin = weight(&own);
    assert_eq!(begin, weight(&student));
    tch::no_grad(|| {
        for (_, tensor) in trained(&student) {
            let _ = tensor.shallow_clone().g_add_scalar_(1.0);
        }
    });
    assert_eq!(weight(&own), begin, "the teacher shares the student's memory");
    teacher.follow(&student, 0.75);
    for (moved, begin) in weight(&own).iter().zip(&begin) {
        assert!((moved - begin - 0.25).abs() < 1e-6);
    }
    assert!(own.iter().all(|(_, tensor)| !tensor.requires_grad()));
}
