use etude_learning::optimizer::Sgd;
use tch::Tensor;

use super::{Slot, Update};

impl Update for Sgd {
    const STATE: &'static [&'static str] = &["velocity"];

    /// As torch.optim.SGD: d = g + decay · p; v ← momentum · v + d; p ← p − lr · v, or − lr · (d + momentum · v) with
    /// Nesterov's. PyTorch's first velocity is d as well, for it begins at 0.
    fn update(&self, slot: &mut Slot, gradient: &Tensor, learning_rate: f64, _: u64) {
        let decay = if slot.decays { self.weight_decay } else { 0.0 };
        let slope = if decay == 0.0 { gradient.shallow_clone() } else { gradient + &slot.tensor * decay };
        let Slot { tensor, state, .. } = slot;
        let [velocity] = state.as_mut_slice() else { return };
        let _ = velocity.g_mul_scalar_(self.momentum);
        let _ = velocity.g_add_(&slope);
        let change =
            if self.nesterov { slope + &*velocity * self.momentum } else { velocity.shallow_clone() };
        let _ = tensor.g_sub_(&(change * learning_rate));
    }
}
