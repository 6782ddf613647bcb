use super::*;
use crate::golden::{assert_close, u, values};

/// What comes out, and the gradient: of our own operation, or of libtorch's in 64 bits.
fn all(input: &Tensor, own: bool) -> [Vec<f64>; 2] {
    let kind = if own { Kind::Float } else { Kind::Double };
    let leaf = input.to_kind(kind).detach().copy().set_requires_grad(true);
    // A layer's output, which is no leaf.
    let layer = &leaf * 1.0;
    let output = if own { gelu(layer) } else { layer.gelu("none") };
    let weights: Vec<f64> = (0..input.numel()).map(|index| u(index, 7)).collect();
    let weights = Tensor::from_slice(&weights).reshape(input.size()).to_kind(kind);
    let gradients = Tensor::run_backward(&[(&output * weights).sum(kind)], &[&leaf], false, false);
    [values(&output), values(&gradients[0])]
}

fn same(input: &Tensor) {
    for (ours, theirs) in all(input, true).iter().zip(&all(input, false)) {
        assert_close(&format!("{:?}", input.size()), ours, theirs, 1e-6);
    }
}

#[test]
fn it_is_what_libtorchs_is() {
    // From where it is nothing to where it is the input.
    let input = Tensor::arange_start_step(-14.0, 14.0, 1.0 / 512.0, (Kind::Float, Device::Cpu));
    same(&input);
    for count in 1..70 {
        same(&input.narrow(0, 6000, count));
    }
    same(&input.reshape([64, -1]).transpose(0, 1));
    same(&(input * 1e6));
}

#[test]
fn a_number_that_is_none_stays_one() {
    let input = Tensor::from_slice(&[1.0f32, f32::NAN, -1.0]);
    let [output, gradient] = all(&input, true);
    for values in [output, gradient] {
        assert_eq!(values.iter().map(|value| value.is_nan()).collect::<Vec<_>>(), [false, true, false]);
    }
}

#[test]
fn what_is_somebodys_is_left_as_it_is() {
    let leaf = Tensor::from_slice(&[1.0f32, -2.0]).set_requires_grad(true);
    let _ = gelu(leaf.shallow_clone());
    assert_eq!(values(&leaf), [1.0, -2.0]);
    let plain = Tensor::from_slice(&[1.0f32, -2.0]);
    let _ = gelu(plain.shallow_clone());
    assert_eq!(values(&plain), [1.0, -2.0]);
    let within = tch::no_grad(|| {
        let layer = &leaf * 1.0;
        let _ = gelu(layer.shallow_clone());
        layer
    });
    assert_eq!(values(&within), [1.0, -2.0]);
}
