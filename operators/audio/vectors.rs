//! The table of vectors that `pool` and `embed` give and `retrieve` and `probe` take.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListArray, Float32Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use etude_pipeline::flow::Header;

use crate::drawn;

/// The columns: `item`, `start` (first frame, at `rate`), `view` (from 0), `rate`, what was `drawn` where something
/// was, and the `vector`.
pub fn schema(width: usize, drawn: &[Arc<str>]) -> SchemaRef {
    let whole = |name: &str, kind| Field::new(name, kind, false);
    let mut fields = vec![
        whole("item", DataType::Utf8),
        whole("start", DataType::Int64),
        whole("view", DataType::Int32),
        whole("rate", DataType::Int32),
    ];
    fields.extend(drawn::field(drawn));
    fields.push(whole("vector", DataType::FixedSizeList(value(), width as i32)));
    Arc::new(Schema::new(fields))
}

fn value() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float32, false))
}

/// Rows of the table; `values` holds the vectors one after another.
pub fn batch(
    schema: &SchemaRef,
    headers: &[&Header],
    values: Vec<f32>,
    width: usize,
) -> Result<RecordBatch, ArrowError> {
    let items = headers.iter().map(|header| Some(&*header.item)).collect::<StringArray>();
    let starts = Int64Array::from_iter_values(headers.iter().map(|header| header.start as i64));
    let views = Int32Array::from_iter_values(headers.iter().map(|header| header.view as i32));
    let rates = Int32Array::from_iter_values(headers.iter().map(|header| header.rate as i32));
    let mut columns: Vec<ArrayRef> =
        vec![Arc::new(items), Arc::new(starts), Arc::new(views), Arc::new(rates)];
    columns.extend(drawn::column(headers)?);
    let values = Arc::new(Float32Array::from(values));
    columns.push(Arc::new(FixedSizeListArray::try_new(value(), width as i32, values, None)?));
    RecordBatch::try_new(schema.clone(), columns)
}
