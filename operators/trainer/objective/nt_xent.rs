//! The normalised temperature-scaled cross-entropy of two views.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

/// The least squared length that a row is divided by: that of torch.nn.functional.normalize, 1e-12, squared.
const SMALLEST_SQUARE: f64 = 1e-24;

/// NT-Xent (SimCLR, Chen et al. 2020, arXiv 2002.05709, equation 1), one value: each row has to find its
/// partner among all other rows, the partner included in the denominator; the mean over all rows.
///
/// `z` is `[2·n, dim]`: the first views of n clips, then the second views in the same order.
pub fn nt_xent(z: Tensor<2>, temperature: f64) -> Tensor<1> {
    let device = z.device();
    let [rows, _] = z.dims();
    let z = normalise(z);
    let itself = Tensor::<2, Bool>::diag_mask([rows, rows], 0, &device).bool_not();
    let similarity = z.clone().matmul(z.transpose()).div_scalar(temperature);
    let similarity = similarity.mask_fill(itself, f32::NEG_INFINITY);
    log_softmax(similarity, 1).gather(1, partners(rows, &device)).mean().neg()
}

/// Rows of length 1. The square is bounded, not the length: at 0 a length has no gradient.
fn normalise(z: Tensor<2>) -> Tensor<2> {
    let square = z.clone().square().sum_dim(1);
    z / square.clamp_min(SMALLEST_SQUARE).sqrt()
}

/// For each row the row of the other view of its clip, `[rows, 1]`.
fn partners(rows: usize, device: &Device) -> Tensor<2, Int> {
    let partners: Vec<i64> = (0..rows).map(|row| ((row + rows / 2) % rows) as i64).collect();
    Tensor::from_data(TensorData::new(partners, [rows, 1]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu;

    /// The loss, and its gradient by `values` (row-major).
    fn loss_and_gradient(values: Vec<f32>, rows: usize, temperature: f64) -> (f32, Vec<f32>) {
        let dim = values.len() / rows;
        let z =
            Tensor::<2>::from_data(TensorData::new(values, [rows, dim]), &cpu().autodiff()).require_grad();
        let loss = nt_xent(z.clone(), temperature);
        let gradient = z.grad(&loss.backward()).unwrap();
        (loss.into_scalar::<f32>(), gradient.try_into_vec_as::<f32>().unwrap())
    }

    #[test]
    fn agrees_with_pytorch() {
        let golden: serde_json::Value = serde_json::from_str(include_str!("../golden/nt_xent.json")).unwrap();
        for case in golden["cases"].as_array().unwrap() {
            let rows = 2 * case["n"].as_u64().unwrap() as usize;
            let dim = case["dim"].as_u64().unwrap() as usize;
            let temperature = case["temperature"].as_f64().unwrap();
            let index = (0..rows * dim).map(|index| index as f64);
            let values = index.map(|i| (0.7 * i + 0.3 + 0.01 * i * i).sin() as f32).collect();

            let (loss, gradient) = loss_and_gradient(values, rows, temperature);

            let expected = case["loss"].as_f64().unwrap();
            assert!((f64::from(loss) - expected).abs() < 1e-5 * (1.0 + expected), "{loss} {expected}");
            let expected = case["gradient"].as_array().unwrap();
            assert_eq!(gradient.len(), expected.len());
            for (ours, theirs) in gradient.iter().zip(expected) {
                assert!((f64::from(*ours) - theirs.as_f64().unwrap()).abs() < 1e-4, "{ours} {theirs}");
            }
        }
    }

    #[test]
    fn equal_rows_cost_the_logarithm_of_the_others() {
        let (loss, _) = loss_and_gradient(vec![1.0; 6 * 3], 6, 0.1);
        assert!((loss - 5f32.ln()).abs() < 1e-5, "{loss}");
    }

    #[test]
    fn length_of_a_row_does_not_matter() {
        let values: Vec<f32> = (0..24).map(|index| (0.7 * f64::from(index)).sin() as f32).collect();
        let longer = values.iter().map(|value| 100.0 * value).collect();
        let (short, long) = (loss_and_gradient(values, 6, 0.5).0, loss_and_gradient(longer, 6, 0.5).0);
        assert!((short - long).abs() < 1e-5, "{short} {long}");
    }

    #[test]
    fn a_row_of_zeros_keeps_everything_finite() {
        let mut values: Vec<f32> = (0..24).map(|index| (0.7 * f64::from(index)).sin() as f32).collect();
        values[..4].fill(0.0);
        let (loss, gradient) = loss_and_gradient(values, 6, 0.5);
        assert!(loss.is_finite() && gradient.iter().all(|value| value.is_finite()));
    }
}
