//! The learning operators: what they take and give. No burn, no libtorch: `train` and `embed` run
//! in the worker program `etude-trainer`, which is started when one of them is due.

mod choices;
pub mod device;
pub mod embed;
pub mod encoder;
pub mod objective;
pub mod optimizer;
pub mod probe;
mod range;
pub mod retrieve;
pub mod train;
pub mod worker;

use etude_pipeline::operator::{Declaration, Table};

/// All learning operators.
pub const OPERATORS: &[Declaration] = &[
    Declaration::of::<train::Train>(),
    Declaration::of::<embed::Embed>(),
    Declaration::of::<retrieve::Retrieve>(),
    Declaration::of::<probe::Probe>(),
];

/// The one table: all operators.
pub const TABLE: Table = Table::new(&[etude_audio::OPERATORS, OPERATORS]);
