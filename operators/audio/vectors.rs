//! The table of vectors that `pool` and `embed` give and `retrieve` takes.

use std::sync::Arc;

use arrow::array::{FixedSizeListArray, Float32Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

/// The columns: `item`, `start` (first frame, at `rate`), `rate`, and the `vector`.
pub fn schema(width: usize) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("item", DataType::Utf8, false),
        Field::new("start", DataType::Int64, false),
        Field::new("rate", DataType::Int32, false),
        Field::new("vector", DataType::FixedSizeList(value(), width as i32), false),
    ]))
}

fn value() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float32, false))
}

/// Rows of the table; `values` holds the vectors one after another.
pub fn batch(
    items: &[&str],
    starts: &[u64],
    rates: &[u32],
    values: Vec<f32>,
    width: usize,
) -> Result<RecordBatch, ArrowError> {
    let vectors =
        FixedSizeListArray::try_new(value(), width as i32, Arc::new(Float32Array::from(values)), None)?;
    RecordBatch::try_new(
        schema(width),
        vec![
            Arc::new(StringArray::from(items.to_vec())),
            Arc::new(Int64Array::from_iter_values(starts.iter().map(|start| *start as i64))),
            Arc::new(Int32Array::from_iter_values(rates.iter().map(|rate| *rate as i32))),
            Arc::new(vectors),
        ],
    )
}
