//! What the headers of recordings say, as a table.

mod columns;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use etude_pipeline::flow::Flow;
use etude_pipeline::operator::{
    Body, Context, Declare, Inputs, Invalid, Item, Operator, Port, Scope, Stop, Storage, Tabulate,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::about;

/// Reads the headers of recordings, and keeps what they say as a table with a row a recording.
///
/// Nothing is decoded. The columns are `item`; `bytes` of the file; `container` and `codec`; `rate`
/// in samples a second, `channels`, and `bits` of a sample where the codec has such; `frames`, null
/// where the headers do not tell them exactly; `duration` in seconds, null where it is not known, and
/// `estimated`, whether it is no more than an estimate; `bit_rate` in bits a second; the tags `title`,
/// `artist`, `album`, `genre`, `date` and `track`; and `tags`, all of them by name in lower case. Of
/// several values of a tag the first counts. A file that cannot be read is rejected.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {}

impl Declare for Metadata {
    const NAME: &'static str = "metadata";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] =
        &[Port { name: "from", many: false, optional: false, about: "the items of a scan" }];
}

impl Operator for Metadata {
    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        match inputs.one("from")? {
            Flow::Items => Ok(Flow::Table(columns::schema())),
            other => Err(format!("expects the items of a scan, not {other}").into()),
        }
    }

    fn body(&self) -> Body {
        Body::Tabulate(Box::new(self.clone()))
    }
}

impl Tabulate for Metadata {
    fn schema(&self) -> SchemaRef {
        columns::schema()
    }

    fn storage(&self) -> Storage {
        // Headers are a small part of what is scanned.
        Storage { target: 4 << 30, row_pages: false }
    }

    fn rows(&self, item: &Item, context: &Context) -> Result<RecordBatch, Stop> {
        context.check()?;
        let about = about(item.open()?, &item.key)?;
        columns::row(&item.key, item.size, &about).map_err(|error| Stop::Rejected {
            class: "table",
            offset: "byte 0".into(),
            message: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests;
