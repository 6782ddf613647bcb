//! Each optimiser against PyTorch's: `golden/optimizers.py` made the figures.

use super::*;
use crate::golden::{assert_close, numbers, tensor, u, values};
use serde_json::{Value, json};

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/optimizers.json")).unwrap()
}

const SHAPES: [(&str, &[usize]); 2] = [("matrix", &[3, 4]), ("vector", &[4])];

fn made(scale: f64, seed: usize, shape: &[usize]) -> Tensor {
    let count = shape.iter().product();
    tensor(&(0..count).map(|index| scale * u(index, seed)).collect::<Vec<_>>(), shape)
}

fn gradients(step: usize) -> Vec<Tensor> {
    let all = SHAPES.iter().enumerate();
    all.map(|(which, (_, shape))| made(1.0, 2000 + 10 * step + which, shape)).collect()
}

fn parameters(case: &Value) -> parameters::Optimizer {
    let yaml = match case["name"].as_str().unwrap() {
        name @ ("adamw" | "adam") => {
            let body = json!({"learning_rate": case["lr"], "betas": case["betas"], "epsilon": case["eps"],
                "weight_decay": case["weight_decay"]});
            if name == "adam" { json!({"adam": body}) } else { json!({"adam_w": body}) }
        }
        "sgd" => json!({"sgd": {"learning_rate": case["lr"], "momentum": case["momentum"],
            "nesterov": case["nesterov"], "weight_decay": case["weight_decay"]}}),
        "lars" => {
            json!({"lars": {"learning_rate": case["lr"], "momentum": case["momentum"], "trust": case["trust"],
            "weight_decay": case["weight_decay"]}})
        }
        other => panic!("{other}"),
    };
    serde_json::from_value(yaml).unwrap()
}

fn model(initial: f64) -> Named {
    let all = SHAPES.iter().enumerate();
    all.map(|(which, (name, shape))| {
        ((*name).to_owned(), made(initial, 1000 + which, shape).set_requires_grad(true))
    })
    .collect()
}

#[test]
fn steps_are_pytorchs() {
    for case in golden()["cases"].as_array().unwrap() {
        let parameters = parameters(case);
        let learning_rate = parameters.chosen().learning_rate();
        let model = model(case["initial"].as_f64().unwrap());
        let mut optimizer = Optimizer::new(&parameters, &model);
        for step in 0..5 {
            optimizer.step(&gradients(step), learning_rate);
            for (name, tensor) in &model {
                let what = format!("{parameters:?} step {step} {name}");
                assert_close(&what, &values(tensor), &numbers(&case[name][step]), 2e-6);
            }
        }
    }
}

#[test]
fn a_step_without_the_memory_is_the_same() {
    // A transposed tensor is not contiguous: libtorch's operations take over.
    for yaml in [json!({"adam_w": {"weight_decay": 0.1}}), json!({"adam": {"weight_decay": 0.1}})] {
        let parameters: parameters::Optimizer = serde_json::from_value(yaml).unwrap();
        let plain = made(1.0, 1, &[3, 4]);
        let turned = plain.transpose(0, 1).contiguous().transpose(0, 1);
        assert!(!turned.is_contiguous());
        let step = |tensor: Tensor| {
            let model = vec![("a".to_owned(), tensor.set_requires_grad(true))];
            let mut optimizer = Optimizer::new(&parameters, &model);
            (0..3).for_each(|step| optimizer.step(&gradients(step)[..1], 0.01));
            values(&model[0].1)
        };
        assert_close("turned", &step(turned), &step(plain.copy()), 1e-6);
    }
}

#[test]
fn the_state_goes_on() {
    for yaml in
        [json!("adam_w"), json!({"sgd": {"learning_rate": 0.1}}), json!({"lars": {"learning_rate": 0.1}})]
    {
        let yaml = if yaml.is_string() { json!({yaml.as_str().unwrap(): {}}) } else { yaml };
        let parameters: parameters::Optimizer = serde_json::from_value(yaml).unwrap();
        let (whole, parted) = (model(1.0), model(1.0));
        let mut optimizer = Optimizer::new(&parameters, &whole);
        (0..4).for_each(|step| optimizer.step(&gradients(step), 0.01));
        let mut first = Optimizer::new(&parameters, &parted);
        (0..2).for_each(|step| first.step(&gradients(step), 0.01));
        let state = crate::parameters::read(&first.state()).unwrap();
        let mut second = Optimizer::new(&parameters, &parted);
        crate::parameters::load(&second.state(), &state).unwrap();
        (2..4).for_each(|step| second.step(&gradients(step), 0.01));
        for ((_, whole), (_, parted)) in whole.iter().zip(&parted) {
            assert_eq!(values(whole), values(parted));
        }
    }
}

#[test]
fn an_undefined_gradient_leaves_its_tensor_alone() {
    let model = model(1.0);
    let before = values(&model[1].1);
    let mut optimizer = Optimizer::new(&parameters::Optimizer::default(), &model);
    optimizer.step(&[gradients(0).remove(0), Tensor::new()], 0.1);
    assert_eq!(values(&model[1].1), before);
    // Its own first step is its first, as in PyTorch: by the learning rate, whatever the gradient.
    optimizer.step(&gradients(1), 0.1);
    for ((after, before), gradient) in values(&model[1].1).iter().zip(&before).zip(values(&gradients(1)[1])) {
        assert!((after - before + 0.1 * gradient.signum()).abs() < 1e-4);
    }
}

#[test]
fn clipping_is_pytorchs() {
    for case in golden()["clip"].as_array().unwrap() {
        let scale = case["scale"].as_f64().unwrap();
        let mut gradients: Vec<Tensor> =
            SHAPES.iter().enumerate().map(|(which, (_, shape))| made(scale, 2000 + which, shape)).collect();
        gradients.push(Tensor::new());
        let norm = clip_norm(&mut gradients, case["max_norm"].as_f64()).unwrap();
        assert_close("norm", &values(&norm), &numbers(&case["norm"]), 1e-6);
        for ((name, _), gradient) in SHAPES.iter().zip(&gradients) {
            assert_close(name, &values(gradient), &numbers(&case[*name]), 1e-6);
        }
    }
    let mut none = [Tensor::new()];
    assert!(clip_norm(&mut none, Some(1.0)).is_none());
    let mut kept = [Tensor::ones([2], (Kind::Float, Device::Cpu))];
    clip_norm(&mut kept, None);
    assert_eq!(values(&kept[0]), [1.0, 1.0]);
}
