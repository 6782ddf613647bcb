//! PyTorch's figures; the scripts in `golden/` made them. What they were made of are closed formulas.

use serde_json::Value;
use tch::Tensor;

use crate::torch::Named;

/// A number in [−1, 1) for an index and a name.
pub fn u(index: usize, name: usize) -> f64 {
    let x = ((index as f64 * 12.9898 + name as f64 * 78.233) + 1.0).sin() * 43758.5453;
    let x = x.abs();
    2.0 * (x - x.floor()) - 1.0
}

/// The numbers of a list.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().map(|number| number.as_f64().unwrap()).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// The whole numbers of a list.
pub fn sizes(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect()
}

/// A tensor's values.
pub fn values(tensor: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(tensor.detach().to_kind(tch::Kind::Double).contiguous().view(-1)).unwrap()
}

/// A tensor from f64 values, rounded to f32.
pub fn tensor(values: &[f64], shape: &[usize]) -> Tensor {
    let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
    Tensor::from_slice(&values).reshape(shape.iter().map(|size| *size as i64).collect::<Vec<_>>())
}

/// Audio `[batch, samples]` at 8 kHz.
pub fn audio(batch: usize, samples: usize) -> Tensor {
    let sample = |clip: usize, t: usize| {
        let (clip, t) = (clip as f64, t as f64);
        let turn = std::f64::consts::TAU * (110.0 + 37.0 * clip) * t / 8000.0;
        0.5 * turn.sin() + 0.1 * (0.013 * (clip + 1.0) * t * t).sin()
    };
    let samples_of = |clip| (0..samples).map(move |t| sample(clip, t));
    tensor(&(0..batch).flat_map(samples_of).collect::<Vec<_>>(), &[batch, samples])
}

/// Sets all trained tensors by a formula of index, place among the names, and shape.
pub fn set(tensors: &Named, formula: impl Fn(&str, usize, usize, &[usize]) -> f64) {
    tch::no_grad(|| {
        for (place, (name, tensor)) in crate::torch::trained(tensors).enumerate() {
            let shape: Vec<usize> = tensor.size().iter().map(|size| *size as usize).collect();
            let count = shape.iter().product();
            let values: Vec<f64> = (0..count).map(|index| formula(name, index, place, &shape)).collect();
            tensor.shallow_clone().copy_(&self::tensor(&values, &shape));
        }
    });
}

/// An error unless all differ by at most `tolerance` · (1 + |theirs|).
pub fn assert_close(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let close = (ours - theirs).abs() <= tolerance * (1.0 + theirs.abs());
        assert!(close, "{what}[{index}]: {ours}, PyTorch {theirs}");
    }
}
