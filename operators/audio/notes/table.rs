//! The columns, and the rows of a file.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::note::Note;
use crate::midi::{Clock, DRUMS};

/// The columns of the table.
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("item", DataType::Utf8, false),
        Field::new("track", DataType::Int32, false),
        Field::new("channel", DataType::Int32, false),
        Field::new("program", DataType::Int32, false),
        Field::new("drum", DataType::Boolean, false),
        Field::new("pitch", DataType::Int32, false),
        Field::new("velocity", DataType::Int32, false),
        Field::new("onset", DataType::Float64, false),
        Field::new("duration", DataType::Float64, false),
        Field::new("beat", DataType::Float64, true),
        Field::new("tempo", DataType::Float64, true),
    ]))
}

/// The rows of a file.
pub(super) fn rows(item: &str, notes: &[Note], clock: &Clock) -> Result<RecordBatch, ArrowError> {
    let whole = |value: &dyn Fn(&Note) -> i32| -> ArrayRef {
        Arc::new(notes.iter().map(|note| Some(value(note))).collect::<Int32Array>())
    };
    let real = |value: &dyn Fn(&Note) -> Option<f64>| -> ArrayRef {
        Arc::new(notes.iter().map(value).collect::<Float64Array>())
    };
    let drum: BooleanArray = notes.iter().map(|note| Some(note.channel == DRUMS)).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![item; notes.len()])),
        whole(&|note| note.track.into()),
        whole(&|note| note.channel.into()),
        whole(&|note| note.program.into()),
        Arc::new(drum),
        whole(&|note| note.pitch.into()),
        whole(&|note| note.velocity.into()),
        real(&|note| Some(clock.seconds(note.onset))),
        real(&|note| Some(clock.seconds(note.offset) - clock.seconds(note.onset))),
        real(&|note| clock.beat(note.onset)),
        real(&|note| clock.tempo(note.onset)),
    ];
    RecordBatch::try_new(schema(), columns)
}
