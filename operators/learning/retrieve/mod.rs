//! How often a clip's nearest neighbour comes from the same recording.

mod nearest;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float32Type, Int32Type, Int64Type, Schema, SchemaRef};
use etude_pipeline::Error;
use etude_pipeline::event::Reporter;
use etude_pipeline::flow::Flow;
use etude_pipeline::operator::{
    Body, ChainReport, Dataset, DatasetInput, DatasetJob, Declare, Inputs, Invalid, Operator, Port, Scope,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use nearest::{Vectors, score};

/// How often a clip's nearest neighbour (highest cosine) comes from the same recording.
///
/// Clips of the query's own recording that start within `exclude` seconds of it are left out, so
/// that mere continuity does not count. A clip with no other clip of its recording left is no
/// query. For each table: the queries, the share whose nearest neighbour is of the same recording,
/// and the share that a random choice would have.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retrieve {
    /// Seconds around a clip's start within which its own recording is left out, 0 to 86400.
    #[serde(default = "default_exclude")]
    #[schemars(range(min = 0, max = 86400))]
    exclude: f64,
    /// Whether each value is brought to mean 0 and deviation 1 over the table first.
    #[serde(default)]
    standardise: bool,
}

fn default_exclude() -> f64 {
    30.0
}

impl Declare for Retrieve {
    const NAME: &'static str = "retrieve";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Dataset;
    const PORTS: &'static [Port] =
        &[Port { name: "from", many: true, optional: false, about: "tables of vectors to be compared" }];
    const REPORT: bool = true;
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("vectors", DataType::Utf8, false),
        Field::new("queries", DataType::Int64, false),
        Field::new("same_recording", DataType::Float64, false),
        Field::new("chance", DataType::Float64, false),
    ]))
}

impl Operator for Retrieve {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless((0.0..=86400.0).contains(&self.exclude), "exclude", "must be from 0 to 86400 seconds")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        crate::tables_of_vectors(inputs)?;
        Ok(Flow::Table(schema()))
    }

    fn body(&self) -> Body {
        Body::Dataset(Arc::new(self.clone()))
    }
}

impl Dataset for Retrieve {
    fn run(&self, job: &DatasetJob, _: &Reporter, cancel: &CancellationToken) -> Result<ChainReport, Error> {
        let (mut names, mut queries, mut same, mut chance) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for input in job.inputs("from") {
            let DatasetInput::Table { stage, files } = input else {
                return Err(Error::stage(&job.stage, "expects tables of vectors"));
            };
            let mut vectors = read(stage, files)?;
            if self.standardise {
                vectors.standardise();
            }
            let score = score(&vectors, self.exclude, cancel).ok_or(Error::Cancelled)?;
            names.push(stage.as_str());
            queries.push(score.queries as i64);
            same.push(score.same);
            chance.push(score.chance);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(names)),
            Arc::new(Int64Array::from(queries)),
            Arc::new(Float64Array::from(same)),
            Arc::new(Float64Array::from(chance)),
        ];
        let path = job.output.join("scores.parquet");
        let file = File::create(&path).map_err(|source| Error::Io { path, source })?;
        let mut writer = ArrowWriter::try_new(file, schema(), None)?;
        writer.write(&RecordBatch::try_new(schema(), columns)?)?;
        writer.close()?;
        Ok(ChainReport::default())
    }
}

/// Reads a table of vectors.
fn read(stage: &str, files: &[PathBuf]) -> Result<Vectors, Error> {
    let mut vectors = Vectors::default();
    let wrong = || Error::stage(stage, "is not a table of vectors");
    for path in files {
        let file = File::open(path).map_err(|source| Error::Io { path: path.clone(), source })?;
        for batch in ParquetRecordBatchReaderBuilder::try_new(file)?.build()? {
            let batch = batch?;
            let column = |name: &str| batch.column_by_name(name).ok_or_else(wrong);
            let items = column("item")?.as_string_opt::<i32>().ok_or_else(wrong)?;
            let starts = column("start")?.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            let rates = column("rate")?.as_primitive_opt::<Int32Type>().ok_or_else(wrong)?;
            let rows = column("vector")?.as_fixed_size_list_opt().ok_or_else(wrong)?;
            for row in 0..batch.num_rows() {
                let seconds = starts.value(row) as f64 / f64::from(rates.value(row).max(1));
                let values = rows.value(row);
                let values = values.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?;
                if values.null_count() > 0 {
                    return Err(wrong());
                }
                vectors.push(items.value(row), seconds, values.values());
            }
        }
    }
    Ok(vectors)
}
