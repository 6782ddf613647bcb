use super::*;
use crate::golden::{assert_close, u, values};

const MOMENTUM: f64 = 0.1;
const EPSILON: f64 = 1e-5;

fn made(shape: &[usize], seed: usize) -> Tensor {
    let list: Vec<f64> = (0..shape.iter().product()).map(|index| u(index, seed)).collect();
    crate::golden::tensor(&list, shape)
}

/// What comes out, the running statistics, and the gradients of input, gain and offset: of our own operation, or of the three of
/// libtorch in 64 bits.
fn all(input: &Tensor, pool: i64, own: bool) -> Vec<Vec<f64>> {
    let channels = input.size()[1] as usize;
    let kind = if own { Kind::Float } else { Kind::Double };
    let leaf = |tensor: &Tensor| tensor.to_kind(kind).detach().copy().set_requires_grad(true);
    let (input, weight, bias) =
        (leaf(input), leaf(&(made(&[channels], 2) * 2.0)), leaf(&made(&[channels], 3)));
    let mean = made(&[channels], 4).to_kind(kind);
    let variance = (made(&[channels], 5).abs() + 0.1).to_kind(kind);
    let output = match own {
        true => {
            let tensors = [&weight, &bias, &mean, &variance];
            norm_pool(&Norm { tensors, momentum: MOMENTUM, epsilon: EPSILON }, &input, pool).unwrap()
        }
        false => {
            let (weight, bias, mean, variance) = (Some(&weight), Some(&bias), Some(&mean), Some(&variance));
            let norm = input.batch_norm(weight, bias, mean, variance, true, MOMENTUM, EPSILON, true);
            norm.max_pool1d(pool, pool, 0, 1, false).relu()
        }
    };
    let shape: Vec<usize> = output.size().iter().map(|size| *size as usize).collect();
    let loss = (&output * made(&shape, 6).to_kind(kind)).sum(kind);
    let gradients = Tensor::run_backward(&[loss], &[&input, &weight, &bias], false, false);
    [&output, &mean, &variance].into_iter().chain(&gradients).map(values).collect()
}

fn same(input: &Tensor, pool: i64) {
    for (number, (ours, theirs)) in all(input, pool, true).iter().zip(&all(input, pool, false)).enumerate() {
        assert_eq!(ours.len(), theirs.len());
        assert_close(&format!("{:?} by {pool}, number {number}", input.size()), ours, theirs, 1e-5);
    }
}

#[test]
fn it_is_what_libtorchs_three_operations_give() {
    for frames in [3, 4, 5, 29, 96, 700] {
        for pool in [1, 3] {
            same(&made(&[4, 5, frames], frames), pool);
            // Far from zero, where squares lose what they are of.
            same(&(made(&[2, 3, frames], frames) * 0.1 + 30.0), pool);
        }
    }
    // Not contiguous.
    same(&made(&[7, 40, 3], 9).transpose(0, 2), 3);
}

#[test]
fn of_equal_neighbours_the_first_has_the_gradient() {
    let input = made(&[3, 4, 10], 8).repeat_interleave_self_int(3, 2, None);
    same(&input, 3);
}

#[test]
fn without_a_gradient_it_keeps_none() {
    let input = made(&[2, 3, 12], 1);
    let [weight, bias, mean, variance] = [2, 3, 4, 5].map(|seed| made(&[3], seed).abs());
    let tensors = [&weight, &bias, &mean, &variance];
    let norm = Norm { tensors, momentum: MOMENTUM, epsilon: EPSILON };
    assert!(!norm_pool(&norm, &input, 3).unwrap().requires_grad());
    let weight = weight.set_requires_grad(true);
    let norm = Norm { tensors: [&weight, &bias, &mean, &variance], ..norm };
    assert!(!tch::no_grad(|| norm_pool(&norm, &input, 3).unwrap()).requires_grad());
    assert!(norm_pool(&norm, &input, 3).unwrap().requires_grad());
}

#[test]
fn a_number_that_is_none_comes_out_as_one() {
    let input = made(&[2, 3, 12], 1);
    let _ = input.get(1).get(2).get(7).fill_(f64::NAN);
    let found = all(&input, 3, true);
    // Channel 2 of the output and of the running mean, and no other.
    let none = |values: &[f64]| values.iter().map(|value| value.is_nan()).collect::<Vec<bool>>();
    assert_eq!(none(&found[1]), [false, false, true]);
    for (place, none) in none(&found[0]).into_iter().enumerate() {
        assert_eq!(none, place / 4 % 3 == 2, "{place}");
    }
}

#[test]
fn what_it_cannot_do_it_leaves() {
    let tensors = [1, 2, 3, 4].map(|seed| made(&[3], seed));
    let norm = Norm { tensors: tensors.each_ref(), momentum: MOMENTUM, epsilon: EPSILON };
    assert!(norm_pool(&norm, &made(&[2, 3, 12], 1), 2).is_none());
    assert!(norm_pool(&norm, &made(&[2, 3, 2], 1), 3).is_none());
    assert!(norm_pool(&norm, &made(&[2, 3, 12], 1).to_kind(Kind::BFloat16), 3).is_none());
}
