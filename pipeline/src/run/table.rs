//! A small table that is a result, row by row.

use std::fs::File;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, UInt64Type};
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::store::{Snapshot, Store};

/// A small table: its columns in order, and its rows by column.
pub type Rows = (Vec<String>, Vec<Map<String, Value>>);

/// The table of a stage.
pub fn rows(store: &Store, snapshot: &Snapshot) -> Result<Rows, Error> {
    let (mut columns, mut rows) = (Vec::new(), Vec::new());
    for file in snapshot.files.iter().filter(|file| file.path.ends_with(".parquet")) {
        let path = store.fetch(&file.path)?;
        let file = File::open(&path).map_err(Error::io(&path))?;
        for batch in ParquetRecordBatchReaderBuilder::try_new(file)?.build()? {
            let batch = batch?;
            columns = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
            for row in 0..batch.num_rows() {
                let mut values = Map::new();
                for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                    values.insert(field.name().clone(), value(column, row)?);
                }
                rows.push(values);
            }
        }
    }
    Ok((columns, rows))
}

fn value(column: &dyn Array, row: usize) -> Result<Value, Error> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match column.data_type() {
        DataType::Float32 => json!(column.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(row)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => json!(column.as_primitive::<UInt64Type>().value(row)),
        _ => json!(array_value_to_string(column, row)?),
    })
}
