//! Networks that turn audio into embeddings.

mod cnn;
pub mod front;
mod norm;

pub use cnn::Cnn;
