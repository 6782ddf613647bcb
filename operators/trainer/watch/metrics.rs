//! What is measured at every step, as a table.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::Error;

/// A row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub step: u64,
    pub epoch: u64,
    /// By name; what is not measured at every step is missing at the others.
    pub values: BTreeMap<String, f64>,
}

/// The rows so far.
#[derive(Debug, Default, PartialEq)]
pub struct Metrics {
    rows: Vec<Row>,
}

impl Metrics {
    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The last row.
    pub fn last(&self) -> Option<&Row> {
        self.rows.last()
    }

    /// The mean of a value over the rows of an epoch that have it.
    pub fn mean(&self, epoch: u64, name: &str) -> Option<f64> {
        let rows = self.rows.iter().rev().skip_while(|row| row.epoch > epoch);
        let rows = rows.take_while(|row| row.epoch == epoch);
        let values: Vec<f64> = rows.filter_map(|row| row.values.get(name).copied()).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// Writes the table: step, epoch, then a column for each value, empty where it was not measured.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let mut names: Vec<&str> =
            self.rows.iter().flat_map(|row| row.values.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let mut fields =
            vec![Field::new("step", DataType::Int64, false), Field::new("epoch", DataType::Int64, false)];
        fields.extend(names.iter().map(|name| Field::new(*name, DataType::Float64, true)));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(self.rows.iter().map(|row| row.step as i64))),
            Arc::new(Int64Array::from_iter_values(self.rows.iter().map(|row| row.epoch as i64))),
        ];
        for name in names {
            let values = self.rows.iter().map(|row| row.values.get(name).copied());
            columns.push(Arc::new(Float64Array::from_iter(values)));
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        let file = File::create(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None)?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(())
    }

    /// Reads a table back.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        let wrong = || Error::Checkpoint(format!("{} is no table of metrics", path.display()));
        let mut metrics = Self::default();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file)?.build()? {
            let batch = batch?;
            let whole = |name: &str| {
                let column = batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
                Some(column.values().to_vec())
            };
            let (steps, epochs) = whole("step").zip(whole("epoch")).ok_or_else(wrong)?;
            for (row, (step, epoch)) in steps.into_iter().zip(epochs).enumerate() {
                let mut values = BTreeMap::new();
                for (field, column) in batch.schema().fields().iter().zip(batch.columns()).skip(2) {
                    let column = column.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
                    if column.is_valid(row) {
                        values.insert(field.name().clone(), column.value(row));
                    }
                }
                metrics.push(Row { step: step as u64, epoch: epoch as u64, values });
            }
        }
        Ok(metrics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: u64, epoch: u64, values: &[(&str, f64)]) -> Row {
        Row { step, epoch, values: values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect() }
    }

    #[test]
    fn what_is_written_is_read_and_its_bytes_are_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut metrics = Metrics::default();
        metrics.push(row(0, 0, &[("loss", 0.1), ("std", 1.0)]));
        metrics.push(row(1, 0, &[("loss", 0.3)]));
        metrics.push(row(2, 1, &[("loss", 1e-300), ("accuracy", 0.5)]));
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        metrics.write(&one).unwrap();
        let read = Metrics::read(&one).unwrap();
        assert_eq!(read, metrics);
        read.write(&two).unwrap();
        assert_eq!(std::fs::read(one).unwrap(), std::fs::read(two).unwrap());
        assert!((metrics.mean(0, "loss").unwrap() - 0.2).abs() < 1e-12);
        assert_eq!(metrics.mean(1, "std"), None);
    }
}
