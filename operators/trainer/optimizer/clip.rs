use tch::Tensor;

/// Shortens all gradients together to a length of `most` where they are longer (torch.nn.utils.clip_grad_norm_);
/// gives the length before, on the device.
pub fn clip_norm(gradients: &mut [Tensor], most: Option<f64>) -> Option<Tensor> {
    tch::no_grad(|| {
        let lengths: Vec<Tensor> =
            gradients.iter().filter(|gradient| gradient.defined()).map(Tensor::norm).collect();
        if lengths.is_empty() {
            return None;
        }
        let length = Tensor::stack(&lengths, 0).norm();
        if let Some(most) = most {
            let factor = ((&length + 1e-6).reciprocal() * most).clamp_max(1.0);
            for gradient in gradients.iter_mut().filter(|gradient| gradient.defined()) {
                let _ = gradient.g_mul_(&factor);
            }
        }
        Some(length)
    })
}
