//! What the headers of recordings say, as a table.

mod columns;

use std::io::ErrorKind;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use etude_pipeline::flow::Flow;
use etude_pipeline::operator::{
    Body, Context, Declare, Inputs, Item, Operator, Port, Scope, Stop, Storage, Tabulate,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::{Failure, about};

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
    const PORTS: &'static [Port] = &[Port { name: "from", many: false, about: "the items of a scan" }];
}

impl Operator for Metadata {
    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, String> {
        match inputs.one("from")? {
            Flow::Items => Ok(Flow::Table(columns::schema())),
            other => Err(format!("expects the items of a scan, not {other}")),
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
        let source = item.place.open().map_err(|error| match error.kind() {
            ErrorKind::InvalidData | ErrorKind::InvalidInput => rejected("unreadable", error.to_string()),
            _ => Stop::Transient { message: error.to_string() },
        })?;
        let about = about(source, &item.key).map_err(|failure| match failure {
            Failure::Io(message) => Stop::Transient { message },
            Failure::Bad { class, message } => rejected(class, message),
        })?;
        columns::row(&item.key, item.size, &about).map_err(|error| rejected("table", error.to_string()))
    }
}

fn rejected(class: &'static str, message: String) -> Stop {
    Stop::Rejected { class, offset: String::new(), message }
}

#[cfg(test)]
mod tests;
