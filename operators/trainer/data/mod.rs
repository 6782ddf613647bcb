//! The way from shards to batches.

mod clips;
mod codes;
mod loader;
mod order;

pub use clips::{Clips, Signal, add};
pub use codes::Codes;
pub use loader::{Loaded, Loader, Plan, shape};
