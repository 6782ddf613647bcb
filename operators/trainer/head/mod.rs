//! What stands between the encoder and the objective while it is trained.

mod mask;
mod perceptron;
mod quantizer;
mod teacher;

pub use mask::Masked;
pub use perceptron::Perceptron;
pub use quantizer::{Quantised, Quantizer};
pub use teacher::{Teacher, decay};
