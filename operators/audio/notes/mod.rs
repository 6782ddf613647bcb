//! What MIDI files say, as a table of notes.

mod note;
mod table;
#[cfg(test)]
mod tests;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use etude_pipeline::flow::Flow;
use etude_pipeline::operator::{
    Body, Context, Declare, Inputs, Invalid, Item, Operator, Port, Scope, Stop, Storage, Tabulate,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::midi::Score;

/// Reads Standard MIDI Files, formats 0 and 1, and keeps a table with a row a note.
///
/// The columns are `item`; `track`, from 0; `channel`, 0 to 15; `program` of the channel where the note begins, 0 to
/// 127, of General MIDI (there 0 is a piano); `drum`, whether it is on channel 9, where `pitch` names a drum and
/// `program` a set of them; `pitch`, 0 to 127, where 60 is middle C and 69 is 440 Hz; `velocity`, 1 to 127; `onset` in
/// seconds from the beginning of the file and `duration` in seconds, whatever the tempo does; `beat`, the onset in
/// beats (quarter notes), and `tempo`, beats a minute at the onset, both null in a file whose ticks are parts of a
/// second.
///
/// A note ends where its key is released on its channel, from whatever track; all notes of that key end with it. One
/// that is never released ends with the file, and controllers 120 and 123 end all of a channel. Rows are in the order
/// of onsets, then of tracks. A file without notes is filtered; one that is broken is rejected (class `midi`).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// Whether the sustain pedal (controller 64, down from 64 on) counts: a note whose key is released while it is
    /// down then lasts until the pedal is lifted, its key is struck again, or the file ends. `render` always plays the
    /// pedal.
    #[serde(default)]
    pedal: bool,
}

impl Declare for Notes {
    const NAME: &'static str = "notes";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] =
        &[Port { name: "from", many: false, optional: false, about: "the items of a scan" }];
}

impl Operator for Notes {
    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        match inputs.one("from")? {
            Flow::Items => Ok(Flow::Table(table::schema())),
            other => Err(format!("expects the items of a scan, not {other}").into()),
        }
    }

    fn body(&self) -> Body {
        Body::Tabulate(Box::new(self.clone()))
    }
}

impl Tabulate for Notes {
    fn schema(&self) -> SchemaRef {
        table::schema()
    }

    fn storage(&self) -> Storage {
        Storage { target: 64 << 20, row_pages: false }
    }

    fn rows(&self, item: &Item, context: &Context) -> Result<RecordBatch, Stop> {
        context.check()?;
        let score = Score::open(item)?;
        if !score.sounds() {
            return Err(Stop::Filtered { reason: "it has no note".into() });
        }
        let notes = note::notes(&score, self.pedal);
        table::rows(&item.key, &notes, &score.clock).map_err(|error| Stop::Rejected {
            class: "table",
            offset: "byte 0".into(),
            message: error.to_string(),
        })
    }
}
