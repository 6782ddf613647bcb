use etude_learning::optimizer::{Adam, AdamW};
use tch::Tensor;

use super::memory::values;
use super::{Slot, Update};

/// What a step of Adam is told.
struct Step {
    learning_rate: f64,
    betas: [f64; 2],
    epsilon: f64,
    /// What the weights are multiplied by first.
    shrink: f64,
    /// What of the weights is added to the gradient.
    penalty: f64,
    step: u64,
}

impl Update for AdamW {
    const STATE: &'static [&'static str] = &["mean", "square"];

    fn update(&self, slot: &mut Slot, gradient: &Tensor, learning_rate: f64, step: u64) {
        let decay = if slot.decays { self.weight_decay } else { 0.0 };
        let shrink = 1.0 - learning_rate * decay;
        adam(
            slot,
            gradient,
            &Step { learning_rate, betas: self.betas, epsilon: self.epsilon, shrink, penalty: 0.0, step },
        );
    }
}

impl Update for Adam {
    const STATE: &'static [&'static str] = AdamW::STATE;

    fn update(&self, slot: &mut Slot, gradient: &Tensor, learning_rate: f64, step: u64) {
        let penalty = if slot.decays { self.weight_decay } else { 0.0 };
        adam(
            slot,
            gradient,
            &Step { learning_rate, betas: self.betas, epsilon: self.epsilon, shrink: 1.0, penalty, step },
        );
    }
}

/// As torch.optim: p ← p · shrink; g ← g + penalty · p; m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²;
/// p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε).
fn adam(slot: &mut Slot, gradient: &Tensor, step: &Step) {
    let [beta1, beta2] = step.betas;
    let exponent = i32::try_from(step.step).unwrap_or(i32::MAX);
    let size = step.learning_rate / (1.0 - beta1.powi(exponent));
    let root = (1.0 - beta2.powi(exponent)).sqrt();
    let Slot { tensor, state, .. } = slot;
    let [mean, square] = state.as_mut_slice() else { return };
    let mut gradient = gradient.contiguous();
    let slices = (values(tensor), values(&mut gradient), values(mean), values(square));
    if let (Some(tensor), Some(gradient), Some(mean), Some(square)) = slices {
        let (beta1, beta2, size, root) = (beta1 as f32, beta2 as f32, size as f32, root as f32);
        let (rest1, rest2) = (1.0 - beta1, 1.0 - beta2);
        let (epsilon, shrink, penalty) = (step.epsilon as f32, step.shrink as f32, step.penalty as f32);
        for (((value, gradient), mean), square) in tensor.iter_mut().zip(gradient).zip(mean).zip(square) {
            let kept = *value * shrink;
            let slope = *gradient + penalty * kept;
            *mean += rest1 * (slope - *mean);
            *square = beta2 * *square + rest2 * slope * slope;
            *value = kept - size * (*mean / (square.sqrt() / root + epsilon));
        }
        return;
    }
    let _ = tensor.g_mul_scalar_(step.shrink);
    let slope = if step.penalty == 0.0 { gradient } else { gradient + &*tensor * step.penalty };
    let _ = mean.lerp_(&slope, 1.0 - beta1);
    let _ = square.g_mul_scalar_(beta2);
    let _ = square.g_add_(&(slope.square() * (1.0 - beta2)));
    let _ = tensor.g_sub_(&(&*mean / (square.sqrt() / root + step.epsilon) * size));
}
