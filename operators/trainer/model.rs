//! What is trained: an encoder and the projector behind it.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::encoder::Cnn;
use crate::head::Projector;

/// An encoder and its projector. The names of its fields are those of its tensors in a checkpoint.
#[derive(Module, Debug)]
pub struct Model {
    pub encoder: Cnn,
    pub projector: Projector,
}

impl Model {
    /// Audio `[batch, samples]` to embeddings `[batch, width]`: what is kept of the training.
    pub fn embed(&self, audio: Tensor<2>) -> Tensor<2> {
        self.encoder.forward(audio)
    }

    /// Audio `[batch, samples]` to projections `[batch, outputs]`: what the objective compares.
    pub fn project(&self, audio: Tensor<2>) -> Tensor<2> {
        self.projector.forward(self.embed(audio))
    }
}

#[cfg(test)]
impl Model {
    /// A model of a few hundred values for clips of 64 samples.
    pub fn small(seed: u64, device: &burn::tensor::Device) -> Self {
        let front = crate::encoder::front::LogMel::from_host(&[1.0; 16], vec![0.1; 4 * 9], 8, device);
        let encoder = Cnn::with_front(front, &[4, 6], seed, device);
        let projector = Projector::new(encoder.width(), 5, 3, seed, device);
        Self { encoder, projector }
    }
}
