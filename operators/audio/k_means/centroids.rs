//! The file of centroids.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, Int32Array, Int64Array, RecordBatch,
};
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use etude_pipeline::Error;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;

use super::fit::Fit;

/// The name of what is left.
pub const FORMAT: &str = "centroids";

const FILE: &str = "centroids.parquet";

/// Centroids, by their numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Centroids {
    /// Values of a centroid.
    pub width: usize,
    /// The centroids, one after another.
    pub values: Vec<f32>,
}

pub fn write(fit: &Fit, folder: &Path) -> Result<(), Error> {
    let value = Arc::new(Field::new("item", DataType::Float32, false));
    let width = i32::try_from(fit.width).map_err(|error| Error::Other(error.to_string()))?;
    let values = Arc::new(Float32Array::from(fit.centres.clone()));
    let vectors = FixedSizeListArray::try_new(value, width, values, None)?;
    let schema = Schema::new(vec![
        Field::new("centroid", DataType::Int32, false),
        Field::new("frames", DataType::Int64, false),
        Field::new("vector", vectors.data_type().clone(), false),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(0..fit.counts.len() as i32)),
        Arc::new(Int64Array::from_iter_values(fit.counts.iter().map(|count| *count as i64))),
        Arc::new(vectors),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns)?;
    let path = folder.join(FILE);
    let file = File::create(&path).map_err(Error::io(&path))?;
    let properties = WriterProperties::builder().set_created_by("etude".into()).build();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

/// What a stage of `k_means` has found, from its folder.
///
/// Errors: no such file, or one that is not as it was written.
pub fn read(folder: &Path) -> Result<Centroids, Error> {
    let path = folder.join(FILE);
    let file = File::open(&path).map_err(Error::io(&path))?;
    let wrong = || Error::Store { path: path.clone(), message: "is no table of centroids".into() };
    let mut centroids = Centroids { width: 0, values: Vec::new() };
    for batch in ParquetRecordBatchReaderBuilder::try_new(file)?.build()? {
        let batch = batch?;
        let vectors = batch.column_by_name("vector").and_then(|column| column.as_fixed_size_list_opt());
        let vectors = vectors.ok_or_else(wrong)?;
        let values = vectors.values().as_primitive_opt::<Float32Type>().ok_or_else(wrong)?;
        if vectors.null_count() + values.null_count() > 0 {
            return Err(wrong());
        }
        centroids.width = usize::try_from(vectors.value_length()).map_err(|_| wrong())?;
        centroids.values.extend_from_slice(values.values());
    }
    if centroids.values.is_empty() {
        return Err(wrong());
    }
    Ok(centroids)
}
