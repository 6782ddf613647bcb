//! A run: what has to be computed, and computing it.

mod bucket;
mod budget;
mod chain;
mod dataset;
mod engine;
mod explain;
mod footer;
mod fused;
mod items;
mod pool;
mod row;
mod rows;
mod shard;
mod table;
mod unit;

pub use chain::{BLOCK, Chain, Instance, Trail, describe};
pub use engine::{Engine, MaxRejects, Options, Outcome, Planned};
pub use items::items_of;

/// Checks that a pipeline can be run, without looking at any data.
pub fn check(pipeline: &crate::spec::Pipeline) -> Result<(), crate::Error> {
    unit::Unit::of(pipeline).map(|_| ())
}
