//! One whole training step against PyTorch's figures; `golden/train_step.py` made them.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use etude_audio::mel::Mel;
use serde_json::Value;

use crate::device::cpu;
use crate::encoder::Cnn;
use crate::encoder::front::LogMel;
use crate::head::Projector;
use crate::model::Model;
use crate::objective::nt_xent;
use crate::optimizer::AdamW;
use crate::parameters::{Tensors, export, import};

const RATE: u32 = 8000;
const CLIPS: usize = 4;
const SAMPLES: usize = 2048;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/train_step.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn assert_close(what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!((ours - theirs).abs() <= tolerance, "{what}[{index}]: {ours}, PyTorch {theirs}");
    }
}

fn mel() -> Mel {
    Mel { n_fft: 256, hop: 128, n_mels: 16, f_min: 50.0, f_max: Some(4000.0) }
}

fn audio(device: &Device) -> Tensor<2> {
    let sample = |clip: usize, t: usize| {
        let (clip, t) = (clip as f64, t as f64);
        0.5 * (TAU * (110.0 + 37.0 * clip) * t / 8000.0).sin() + 0.1 * (0.013 * (clip + 1.0) * t * t).sin()
    };
    let samples: Vec<f32> =
        (0..CLIPS).flat_map(|clip| (0..SAMPLES).map(move |t| sample(clip, t) as f32)).collect();
    Tensor::from_data(TensorData::new(samples, [CLIPS, SAMPLES]), device)
}

/// The model of the script: the weights follow closed formulas.
fn model(golden: &Value, device: &Device) -> Model {
    let front = LogMel::new(&mel(), RATE, device);
    let encoder = Cnn::with_front(front, &[4, 8], 0, device);
    let projector = Projector::new(8, 8, 4, 0, device);
    let names: Vec<&str> =
        golden["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let mut tensors = Tensors::new();
    for (name, shape) in golden["shapes"].as_object().unwrap() {
        if !name.contains("encoder.") && !name.contains("projector.") {
            continue;
        }
        let shape: Vec<usize> =
            shape.as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect();
        let value = |index: usize| -> f64 {
            let k = names.iter().position(|known| known == name).unwrap_or(0) as f64;
            let wave = (0.9 * index as f64 + k).sin();
            match name.rsplit('.').next().unwrap() {
                "running_mean" => 0.0,
                "running_var" => 1.0,
                "weight" if name.contains("norm") => 1.0 + 0.1 * wave,
                _ => 0.3 * wave,
            }
        };
        let values = (0..shape.iter().product()).map(|index| value(index) as f32).collect();
        tensors.insert(name.clone(), (shape, values));
    }
    import(Model { encoder, projector }, &tensors).unwrap()
}

#[test]
fn the_front_end_is_pytorchs() {
    let golden = golden();
    let device = cpu();
    let bands = LogMel::new(&mel(), RATE, &device).forward(audio(&device));
    let [clips, _, n_mels, frames] = bands.dims();
    assert_eq!((clips, n_mels, frames), (CLIPS, 16, 15));
    let bands = bands.try_into_vec_as::<f32>().unwrap();
    assert_close("front end", &bands[..n_mels * frames], &numbers(&golden["front_end"]), 1e-4);
}

#[test]
fn a_training_step_is_pytorchs() {
    let golden = golden();
    let device = cpu().autodiff();
    let mut model = model(&golden, &device);
    let audio = audio(&cpu());

    let embeddings = model.clone().embed(audio.clone()).inner().try_into_vec_as::<f32>().unwrap();
    assert_close("embeddings", &embeddings, &numbers(&golden["embeddings"]), 2e-5);

    // The forward pass above has moved the running statistics: start again.
    model = self::model(&golden, &device);
    let mut optimizer = AdamW::new(&model, 0.1);
    let projections = model.project(audio.clone());
    let values = projections.clone().inner().try_into_vec_as::<f32>().unwrap();
    assert_close("projections", &values, &numbers(&golden["projections"]), 2e-5);
    let loss = nt_xent(projections, 0.1);
    let value = loss.clone().try_into_scalar::<f32>().unwrap();
    assert!((f64::from(value) - golden["loss"].as_f64().unwrap()).abs() < 1e-4, "loss {value}");

    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    model = optimizer.step(model, gradients, 0.01);
    let after: BTreeMap<String, Vec<f32>> =
        export(&model).unwrap().into_iter().map(|(name, _, values)| (name, values)).collect();
    let expected = golden["after"].as_object().unwrap();
    assert_eq!(after.len(), expected.len());
    for (name, values) in expected {
        assert_close(name, &after[name], &numbers(values), 2e-5);
    }

    let loss = nt_xent(model.project(audio), 0.1).try_into_scalar::<f32>().unwrap();
    assert!((f64::from(loss) - golden["loss_after"].as_f64().unwrap()).abs() < 2e-3, "loss after {loss}");
}
