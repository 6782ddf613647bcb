//! Layers. Each computes what PyTorch's layer of that name does, and names its tensors as that does.

mod attention;
mod conv;
mod foreign;
mod gelu;
mod linear;
mod norm;
mod norm_pool;

pub use attention::{attention, beside};
pub use conv::{Conv1d, Conv2d};
pub use gelu::gelu;
pub use linear::Linear;
pub use norm::{BatchNorm, GroupNorm, LayerNorm};
