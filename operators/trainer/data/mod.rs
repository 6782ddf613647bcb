//! The way from shards to batches.

mod clips;
mod loader;
mod order;

pub use clips::{Clips, Signal, add};
pub use loader::{Loaded, Loader, Plan, shape};
