use etude_learning::optimizer::Lars;
use tch::{Kind, Tensor};

use super::{Slot, Update};

impl Update for Lars {
    const STATE: &'static [&'static str] = &["velocity"];

    /// d = g + decay · p, times trust · |p| / |d| where neither is 0; v ← momentum · v + d; p ← p − lr · v.
    /// Norms and biases: d = g.
    fn update(&self, slot: &mut Slot, gradient: &Tensor, learning_rate: f64, _: u64) {
        let change = if slot.decays {
            let slope = gradient + &slot.tensor * self.weight_decay;
            let (weights, length) = (slot.tensor.norm(), slope.norm());
            // On the device: a step does not wait for a number.
            let usable = weights.greater(0.0).logical_and(&length.greater(0.0));
            let local = (&weights / &length * self.trust).where_self(&usable, &Tensor::ones_like(&weights));
            slope * local.to_kind(Kind::Float)
        } else {
            gradient.shallow_clone()
        };
        let Slot { tensor, state, .. } = slot;
        let [velocity] = state.as_mut_slice() else { return };
        let _ = velocity.g_mul_scalar_(self.momentum);
        let _ = velocity.g_add_(&change);
        let _ = tensor.g_sub_(&(&*velocity * learning_rate));
    }
}
