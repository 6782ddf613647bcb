//! The way from shards to batches.

mod clips;
mod loader;
mod nearby;
mod order;
mod orders;
mod side;
mod source;

pub use clips::{Clips, Signal, add};
pub use loader::{Loaded, Loader, Plan, shape};
pub use nearby::Nearby;
pub use side::Side;
