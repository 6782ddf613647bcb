//! YAML with a position on every value.
//!
//! A pipeline file is read into a tree of [`Node`]s, each with its [`Span`]; parameters are then
//! deserialised from the tree by serde, so that any error — of syntax, of a name, of a type, of a
//! range — points at file:line:column.

mod de;
mod include;
mod interpolate;
mod node;

pub(crate) use de::unknown;
pub use de::{Problem, from_node};
pub use include::{Files, load};
pub use interpolate::{Variables, interpolate};
pub use node::{Key, Node, Span, Value, parse};
