//! A run: what has to be computed, and computing it.

mod ahead;
mod before;
mod bring;
mod bucket;
mod budget;
mod chain;
mod check;
mod chunks;
mod columns;
mod compute;
mod copy;
mod dataset;
mod engine;
mod explain;
mod footer;
mod fused;
mod inspect;
mod items;
mod options;
mod plan;
mod pool;
mod resolve;
mod reuse;
mod row;
mod rows;
mod shard;
mod summary;
mod table;
mod unit;
mod verify;
mod vouch;
mod why;

#[cfg(test)]
mod tests;

pub use chain::{BLOCK, Chain, Instance, Trail, describe};
pub use check::is_guarded;
pub use engine::{Engine, Outcome};
pub use inspect::{Extent, Inspected};
pub use items::items_of;
pub use options::{MaxRejects, Options};
pub use plan::{Estimate, ItemCounts, Planned};
pub use reuse::Again;
pub use verify::{Damage, Verified};

/// Checks that a pipeline can be run, without looking at any data.
pub fn check(pipeline: &crate::spec::Pipeline) -> Result<(), crate::Error> {
    unit::Unit::of(pipeline).map(|_| ())
}
