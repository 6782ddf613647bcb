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
mod shards;
pub mod train;
pub mod worker;

use etude_pipeline::flow::Flow;
use etude_pipeline::operator::{Declaration, Inputs, Table};

/// All learning operators.
pub const OPERATORS: &[Declaration] = &[
    Declaration::of::<train::Train>(),
    Declaration::of::<embed::Embed>(),
    Declaration::of::<retrieve::Retrieve>(),
    Declaration::of::<probe::Probe>(),
];

/// The one table: all operators.
pub const TABLE: Table = Table::new(&[etude_audio::OPERATORS, OPERATORS]);

/// An error unless all that is read are tables of vectors.
fn tables_of_vectors(inputs: &Inputs<'_>) -> Result<(), String> {
    let vectors = |flow: &Flow| match flow {
        Flow::Table(schema) => ["item", "vector"].iter().all(|name| schema.field_with_name(name).is_ok()),
        _ => false,
    };
    match inputs.many("from").iter().find(|flow| !vectors(flow)) {
        Some(other) => Err(format!("expects tables of vectors, such as embed or pool give, not {other}")),
        None => Ok(()),
    }
}
