//! What is seen of a training.

mod collapse;
mod metrics;
mod tensorboard;

pub use collapse::{Collapse, measure, projection_std};
pub use metrics::{Metrics, Row};
pub use tensorboard::TensorBoard;
