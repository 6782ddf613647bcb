//! What is measured at every step, as a table.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Float32Array, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;

use crate::error::Error;

/// The rows so far: step, epoch, loss and learning rate.
pub struct Metrics {
    path: PathBuf,
    epochs: Vec<i64>,
    losses: Vec<f32>,
    learning_rates: Vec<f64>,
}

impl Metrics {
    /// An empty table, to be `metrics.parquet` in that folder.
    pub fn create(folder: &Path) -> Self {
        let path = folder.join("metrics.parquet");
        Self { path, epochs: Vec::new(), losses: Vec::new(), learning_rates: Vec::new() }
    }

    /// Adds the next step.
    pub fn push(&mut self, epoch: usize, loss: f32, learning_rate: f64) {
        self.epochs.push(epoch as i64);
        self.losses.push(loss);
        self.learning_rates.push(learning_rate);
    }

    /// The mean loss of the last `steps` steps.
    pub fn mean(&self, steps: usize) -> f64 {
        let last = &self.losses[self.losses.len().saturating_sub(steps)..];
        last.iter().map(|loss| f64::from(*loss)).sum::<f64>() / last.len().max(1) as f64
    }

    /// Writes the table.
    pub fn finish(self) -> Result<(), Error> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("step", DataType::Int64, false),
            Field::new("epoch", DataType::Int64, false),
            Field::new("loss", DataType::Float32, false),
            Field::new("learning_rate", DataType::Float64, false),
        ]));
        let batch = RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(Int64Array::from_iter_values(0..self.losses.len() as i64)),
                Arc::new(Int64Array::from(self.epochs)),
                Arc::new(Float32Array::from(self.losses)),
                Arc::new(Float64Array::from(self.learning_rates)),
            ],
        )?;
        let mut writer = ArrowWriter::try_new(File::create(self.path)?, schema, None)?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(())
    }
}
