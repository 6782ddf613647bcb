//! Each objective against PyTorch's: `golden/losses.py` made the figures.

use serde_json::Value;

use super::*;
use crate::golden::{assert_close, numbers, sizes, u, values};

struct Case {
    name: String,
    golden: Value,
    inputs: Vec<(String, Tensor)>,
}

impl Case {
    fn input(&self, name: &str) -> &Tensor {
        &self.inputs.iter().find(|(known, _)| known == name).unwrap().1
    }

    fn parameter(&self, name: &str) -> f64 {
        self.golden["parameters"][name].as_f64().unwrap()
    }

    fn whole(&self, name: &str) -> Tensor {
        let list = self.golden["parameters"][name].as_array().unwrap();
        let rows = list.len() as i64;
        let numbers: Vec<i64> = list
            .iter()
            .flat_map(|row| match row {
                Value::Array(row) => row.iter().map(|number| number.as_i64().unwrap()).collect(),
                number => vec![number.as_i64().unwrap()],
            })
            .collect();
        let tensor = Tensor::from_slice(&numbers);
        if list[0].is_array() { tensor.reshape([rows, -1]) } else { tensor }
    }

    /// Compares a loss and its gradients.
    fn check(&self, loss: &Tensor) {
        assert_close(&self.name, &values(loss), &numbers(&self.golden["loss"]), 1e-5);
        let expected = self.golden["gradients"].as_object().unwrap();
        let leaves: Vec<&Tensor> = self.inputs.iter().map(|(_, tensor)| tensor).collect();
        let gradients = Tensor::run_backward(&[loss], &leaves, false, false);
        for ((name, _), gradient) in self.inputs.iter().zip(&gradients) {
            let what = format!("{}: gradient of {name}", self.name);
            match expected.get(name) {
                Some(expected) => assert_close(&what, &values(gradient), &numbers(expected), 1e-5),
                None => assert!(!gradient.defined(), "{what}"),
            }
        }
    }
}

fn cases(name: &str) -> Vec<Case> {
    let golden: Value = serde_json::from_str(include_str!("../golden/losses.json")).unwrap();
    let cases = golden["losses"][name].as_array().unwrap().iter().enumerate();
    let cases = cases.map(|(index, golden)| {
        let inputs = golden["inputs"].as_object().unwrap().iter();
        let inputs =
            inputs.map(|(name, input)| (name.clone(), made(input).set_requires_grad(true))).collect();
        Case { name: format!("{name} {index}"), golden: golden.clone(), inputs }
    });
    cases.collect()
}

fn made(input: &Value) -> Tensor {
    if let Some(value) = input["value"].as_f64() {
        return Tensor::from_slice(&[value as f32]);
    }
    let shape = sizes(&input["shape"]);
    let seed = input["seed"].as_u64().unwrap() as usize;
    let scale = input["scale"].as_f64().unwrap_or(1.0);
    let offset = input["offset"].as_f64().unwrap_or(0.0);
    let count = shape.iter().product();
    let mut list: Vec<f64> = (0..count).map(|index| offset + scale * u(index, 1000 + seed)).collect();
    let width = shape.last().copied().unwrap_or(1);
    for copy in input["copies"].as_array().into_iter().flatten() {
        let pair = sizes(copy);
        list.copy_within(pair[1] * width..(pair[1] + 1) * width, pair[0] * width);
    }
    for zero in input["zeros"].as_array().into_iter().flatten() {
        list[zero.as_u64().unwrap() as usize] = 0.0;
    }
    crate::golden::tensor(&list, &shape)
}

#[test]
fn info_nce_is_pytorchs() {
    for case in cases("info_nce") {
        let (context, targets) = (case.input("c").unsqueeze(0), case.input("q").unsqueeze(0));
        let rows = case.input("q");
        let same = rows.unsqueeze(0).eq_tensor(&rows.unsqueeze(1)).all_dim(-1, false).unsqueeze(0);
        let negatives = case.whole("negatives").unsqueeze(0);
        let logits = info_nce::logits(&context, &targets, &negatives, &same, case.parameter("temperature"));
        case.check(&info_nce::first(&logits));
    }
}

#[test]
fn clip_is_pytorchs() {
    for case in cases("clip") {
        case.check(&clip::clip(case.input("a"), case.input("b"), case.input("log_scale")));
    }
}

#[test]
fn multi_positive_is_pytorchs() {
    for case in cases("multi_positive_nce") {
        let labels = case.whole("labels");
        case.check(&multi_positive::multi_positive(case.input("z"), &labels, case.parameter("temperature")));
    }
}

#[test]
fn sogclr_is_pytorchs() {
    for case in cases("sogclr") {
        let z = Tensor::cat(&[case.input("z1"), case.input("z2")], 0);
        let (gamma, temperature) = (case.parameter("gamma"), case.parameter("temperature"));
        let (loss, means) = sogclr::sogclr(&z, case.input("u"), gamma, temperature);
        assert_close(&case.name, &values(&means), &numbers(&case.golden["beside"]["u"]), 1e-5);
        case.check(&loss);
    }
}

#[test]
fn byol_is_pytorchs() {
    for case in cases("byol") {
        case.check(&byol::byol(case.input("p"), case.input("z")));
    }
}

#[test]
fn simsiam_is_pytorchs() {
    for case in cases("simsiam") {
        let pair = |left, right| [case.input(left).shallow_clone(), case.input(right).shallow_clone()];
        case.check(&simsiam::simsiam(pair("p1", "p2"), pair("z1", "z2")));
    }
}

#[test]
fn barlow_is_pytorchs() {
    for case in cases("barlow") {
        case.check(&barlow::barlow(case.input("z1"), case.input("z2"), case.parameter("off_diagonal")));
    }
}

#[test]
fn vicreg_is_pytorchs() {
    for case in cases("vicreg") {
        let parts = vicreg::vicreg(case.input("z1"), case.input("z2"));
        let mut loss = Tensor::zeros([1], (Kind::Float, tch::Device::Cpu));
        for (part, name) in parts.iter().zip(["invariance", "variance", "covariance"]) {
            assert_close(&case.name, &values(part), &numbers(&case.golden["beside"][name]), 1e-5);
            loss += part * case.parameter(name);
        }
        case.check(&loss);
    }
}

#[test]
fn dino_is_pytorchs() {
    for case in cases("dino") {
        let student = Tensor::cat(&[case.input("s1"), case.input("s2")], 0);
        let taught = Tensor::cat(&[case.input("t1"), case.input("t2")], 0);
        let (sharp, sharper) = (case.parameter("student_temperature"), case.parameter("teacher_temperature"));
        let centre = case.input("centre").detach();
        case.check(&dino::dino(&student, &taught, &centre, sharp, sharper));
        let mean = taught.mean_dim(0i64, false, Kind::Float);
        let next = centre.copy().lerp_(&mean.detach(), 1.0 - case.parameter("momentum"));
        assert_close(&case.name, &values(&next), &numbers(&case.golden["beside"]["centre"]), 1e-5);
    }
}

#[test]
fn masked_losses_are_pytorchs() {
    for case in cases("masked_cross_entropy") {
        let at = case.whole("mask").nonzero().view(-1);
        let codes = case.whole("codes").index_select(0, &at);
        case.check(&cross_entropy(&case.input("logits").index_select(0, &at), &codes));
    }
    for case in cases("masked_mse") {
        let at = case.whole("mask").nonzero().view(-1);
        let rows = |name: &str| case.input(name).index_select(0, &at);
        case.check(&masked_mse::mean_square(&rows("x"), &rows("y").detach()));
    }
}

#[test]
fn penalties_are_pytorchs() {
    for case in cases("diversity") {
        let (loss, perplexity) = diversity::diversity(case.input("logits"));
        let expected: f64 = numbers(&case.golden["beside"]["perplexity"]).iter().sum();
        assert_close(&case.name, &values(&perplexity), &[expected], 1e-5);
        case.check(&loss);
    }
    for case in cases("feature_penalty") {
        case.check(&feature_penalty::feature_penalty(case.input("x")));
    }
}

fn rows(count: usize, width: usize) -> Tensor {
    let list: Vec<f64> = (0..count * width).map(|index| u(index, 5)).collect();
    crate::golden::tensor(&list, &[count, width])
}

#[test]
fn nt_xent_is_pytorchs() {
    let golden: Value = serde_json::from_str(include_str!("../golden/nt_xent.json")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let rows = 2 * case["n"].as_u64().unwrap() as usize;
        let dim = case["dim"].as_u64().unwrap() as usize;
        let list: Vec<f64> =
            (0..rows * dim).map(|i| i as f64).map(|i| (0.7 * i + 0.3 + 0.01 * i * i).sin()).collect();
        let z = crate::golden::tensor(&list, &[rows, dim]).set_requires_grad(true);
        let loss = nt_xent::nt_xent(&z, case["temperature"].as_f64().unwrap());
        assert_close("nt_xent", &values(&loss), &numbers(&case["loss"]), 1e-5);
        let gradients = Tensor::run_backward(&[&loss], &[&z], false, false);
        assert_close("nt_xent", &values(&gradients[0]), &numbers(&case["gradient"]), 1e-5);
    }
}

#[test]
fn equal_rows_cost_the_logarithm_of_the_others() {
    let loss = nt_xent::nt_xent(&Tensor::ones([6, 3], (Kind::Float, tch::Device::Cpu)), 0.1);
    assert!((loss.double_value(&[]) - 5f64.ln()).abs() < 1e-5);
}

#[test]
fn a_row_of_zeros_keeps_everything_finite() {
    let z = rows(6, 4);
    let _ = z.get(0).fill_(0.0);
    let z = z.set_requires_grad(true);
    for loss in
        [nt_xent::nt_xent(&z, 0.5), byol::byol(&z, &z), clip::clip(&z, &z, &Tensor::from_slice(&[1f32]))]
    {
        let gradients = Tensor::run_backward(&[&loss], &[&z], false, false);
        assert!(values(&loss)[0].is_finite() && values(&gradients[0]).iter().all(|value| value.is_finite()));
    }
}

#[test]
fn codes_of_a_random_quantiser_are_those_of_the_nearest_vector() {
    let yaml = serde_json::json!({"codebooks": 2, "size": 50, "dim": 4, "n_mels": 8});
    let frames = etude_learning::encoder::Frames { field: 400, hop: 320, features: 8, width: 16 };
    let setting = Setting {
        clips: 1,
        outputs: 0,
        sampling: Sampling::mono(16000),
        frames: Some(frames),
        sides: [0; 2],
    };
    let parameters = serde_json::from_value(yaml).unwrap();
    let scope = Scope::root(3, tch::Device::Cpu);
    let quantiser = masked_cross_entropy::MaskedCrossEntropy::new(&parameters, &setting, &scope);
    let tensors = crate::torch::named(&quantiser);
    let find = |name: &str| &tensors.iter().find(|(known, _)| known == name).unwrap().1;
    assert!(!find("codebooks").requires_grad() && !find("projections").requires_grad());
    let bands = rows(30, 8).reshape([3, 10, 8]);
    let codes = quantiser.codes(&bands);
    assert_eq!(codes.size(), [3, 10, 2]);
    for book in 0..2 {
        let searched = normalise(&bands.flatten(0, 1).matmul(&find("projections").get(book)));
        let distance = Tensor::cdist(&searched, &find("codebooks").get(book), 2.0, None);
        assert_eq!(values(&distance.argmin(1, false)), values(&codes.select(2, book).flatten(0, 1)));
    }
}

#[test]
fn codes_of_another_stage_are_compared_at_masked_frames_alone() {
    let (codes, targets, width) = (5, 2, 3);
    let frames_of = etude_learning::encoder::Frames { field: 400, hop: 320, features: 3, width };
    let setting = Setting {
        clips: 1,
        outputs: 0,
        sampling: Sampling::mono(16000),
        frames: Some(frames_of),
        sides: [targets, 0],
    };
    let parameters = serde_json::from_value(serde_json::json!({"codes": codes})).unwrap();
    let scope = Scope::root(3, tch::Device::Cpu);
    let objective = masked_codes::MaskedCodes::new(&parameters, &setting, &scope);
    let context = rows(8, width).reshape([2, 4, 3]).set_requires_grad(true);
    // The last frame has no codes.
    let list: Vec<i64> = (0..16).map(|at| (at * 7) % 5).collect();
    let given: Vec<f32> =
        list.iter().enumerate().map(|(at, code)| if at < 14 { *code as f32 } else { f32::NAN }).collect();
    let places = Tensor::from_slice(&[0i64, 2, 1, 3]).reshape([2, 2]);
    let unseen = Tensor::from_slice(&[true, false, true, false, false, true, false, true]).reshape([2, 4]);
    let outputs = Outputs {
        frames: Some(Frames {
            raw: Tensor::new(),
            features: Tensor::new(),
            context: context.shallow_clone(),
        }),
        masked: Some(Masked { unseen, places }),
        targets: Some(Tensor::from_slice(&given).reshape([2, 4, 2])),
        ..Outputs::default()
    };
    let loss = objective.loss(&Pass::evaluation(), &outputs, None).unwrap();
    let tensors = crate::torch::named(&objective);
    let find = |name: &str| values(&tensors.iter().find(|(known, _)| known.ends_with(name)).unwrap().1);
    let (weight, bias, frames) = (find("weight"), find("bias"), values(&context));
    let (mut sum, mut right) = (0.0, 0.0);
    for (clip, frame) in [(0, 0), (0, 2), (1, 1)] {
        let at = clip * 4 + frame;
        for book in 0..targets {
            let logits: Vec<f64> = (0..codes)
                .map(|code| {
                    let row = book * codes + code;
                    let products =
                        (0..width).map(|value| weight[row * width + value] * frames[at * width + value]);
                    bias[row] + products.sum::<f64>()
                })
                .collect();
            let code = list[at * targets + book] as usize;
            sum += logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[code];
            right += f64::from(u8::from(logits.iter().all(|logit| *logit <= logits[code])));
        }
    }
    assert_close("loss", &values(&loss.value), &[sum / 6.0], 1e-5);
    assert_close("accuracy", &values(&loss.measures[0].1), &[right / 6.0], 1e-6);
    let gradient = values(&Tensor::run_backward(&[&loss.value], &[&context], false, false)[0]);
    let seen = |frame: usize| gradient[frame * width..(frame + 1) * width].iter().all(|value| *value == 0.0);
    assert_eq!((0..8).map(seen).collect::<Vec<_>>(), [false, true, false, true, true, false, true, true]);
}

#[test]
fn features_of_another_stage_are_compared_at_masked_frames_alone() {
    let frames_of = etude_learning::encoder::Frames { field: 400, hop: 320, features: 3, width: 3 };
    let setting = Setting {
        clips: 1,
        outputs: 0,
        sampling: Sampling::mono(16000),
        frames: Some(frames_of),
        sides: [0, 2],
    };
    let parameters = serde_json::from_value(serde_json::json!({})).unwrap();
    let scope = Scope::root(3, tch::Device::Cpu);
    let objective = masked_features::MaskedFeatures::new(&parameters, &setting, &scope);
    let context = rows(8, 3).reshape([2, 4, 3]).set_requires_grad(true);
    let mut given = values(&rows(8, 2));
    given[15] = f64::NAN;
    let outputs = Outputs {
        frames: Some(Frames {
            raw: Tensor::new(),
            features: Tensor::new(),
            context: context.shallow_clone(),
        }),
        masked: Some(Masked {
            unseen: Tensor::new(),
            places: Tensor::from_slice(&[0i64, 2, 1, 3]).reshape([2, 2]),
        }),
        features: Some(crate::golden::tensor(&given, &[2, 4, 2])),
        ..Outputs::default()
    };
    let loss = objective.loss(&Pass::evaluation(), &outputs, None).unwrap().value;
    let tensors = crate::torch::named(&objective);
    let find = |name: &str| values(&tensors.iter().find(|(known, _)| known.ends_with(name)).unwrap().1);
    let (weight, bias, frames) = (find("weight"), find("bias"), values(&context));
    let mut sum = 0.0;
    for at in [0, 2, 5, 7] {
        for value in 0..2 {
            let guess = bias[value] + (0..3).map(|i| weight[value * 3 + i] * frames[at * 3 + i]).sum::<f64>();
            let error = guess - given[at * 2 + value];
            sum += if error.is_nan() { 0.0 } else { error * error };
        }
    }
    assert_close("loss", &values(&loss), &[sum / 7.0], 1e-5);
    let gradient = values(&Tensor::run_backward(&[&loss], &[&context], false, false)[0]);
    let none = |frame: usize| gradient[frame * 3..(frame + 1) * 3].iter().all(|value| *value == 0.0);
    assert_eq!((0..8).map(none).collect::<Vec<_>>(), [false, true, false, true, true, false, true, false]);
}
