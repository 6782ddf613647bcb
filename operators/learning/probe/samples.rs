//! The vectors of a table whose items have a label.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float32Type;
use etude_pipeline::Error;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::Unit;
use super::matching::Known;

/// Rows of numbers, one after another.
#[derive(Debug, Default)]
pub struct Vectors {
    width: usize,
    values: Vec<f32>,
}

impl Vectors {
    /// Rows of `width` values each.
    pub fn new(width: usize, values: Vec<f32>) -> Self {
        Self { width, values }
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// One row.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..(at + 1) * self.width]
    }
}

/// An item: what is known of it, and its rows.
#[derive(Debug, PartialEq)]
pub struct Sample {
    pub known: Known,
    pub rows: Range<usize>,
}

/// The items in the order of their names, and what of them is classified, a row each.
#[derive(Debug, Default)]
pub struct Samples {
    pub vectors: Vectors,
    pub items: Vec<Sample>,
}

/// The vectors of an item while they are read.
enum Gathered {
    /// The sum of its clips' vectors, and their number.
    Sum(Vec<f64>, f64),
    /// Its clips' vectors, one after another.
    Clips(Vec<f32>),
}

impl Gathered {
    fn new(unit: Unit, width: usize) -> Self {
        match unit {
            Unit::Item => Self::Sum(vec![0.0; width], 0.0),
            Unit::Clip => Self::Clips(Vec::new()),
        }
    }

    fn add(&mut self, clip: &[f32]) {
        match self {
            Self::Sum(sum, clips) => {
                sum.iter_mut().zip(clip).for_each(|(sum, value)| *sum += f64::from(*value));
                *clips += 1.0;
            }
            Self::Clips(values) => values.extend_from_slice(clip),
        }
    }

    fn values(self) -> Vec<f32> {
        match self {
            Self::Sum(sum, clips) => sum.into_iter().map(|sum| (sum / clips) as f32).collect(),
            Self::Clips(values) => values,
        }
    }
}

impl Samples {
    /// Reads the vectors of the items that are known.
    pub fn read(
        stage: &str,
        files: &[PathBuf],
        known: &BTreeMap<&str, Known>,
        unit: Unit,
    ) -> Result<Self, Error> {
        let wrong = || not_vectors(stage);
        let mut gathered: BTreeMap<&str, (Known, Gathered)> = BTreeMap::new();
        let mut all = None;
        for path in files {
            for batch in open(path, &["item", "vector"], stage)? {
                let batch = batch?;
                let items = batch.column_by_name("item").and_then(|column| column.as_string_opt::<i32>());
                let rows = batch.column_by_name("vector").and_then(|column| column.as_fixed_size_list_opt());
                let (items, rows) = items.zip(rows).ok_or_else(wrong)?;
                let width = usize::try_from(rows.value_length()).map_err(|_| wrong())?;
                if *all.get_or_insert(width) != width {
                    return Err(wrong());
                }
                for at in 0..batch.num_rows() {
                    let Some((name, known)) = known.get_key_value(items.value(at)) else { continue };
                    let values = rows.value(at);
                    let values = values.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?;
                    if values.null_count() > 0 {
                        return Err(wrong());
                    }
                    if values.values().iter().any(|value| !value.is_finite()) {
                        let message = format!("a vector of `{name}` holds a value that is not finite");
                        return Err(Error::stage(stage, message));
                    }
                    let new = || (*known, Gathered::new(unit, width));
                    gathered.entry(name).or_insert_with(new).1.add(values.values());
                }
            }
        }
        Ok(Self::join(gathered.into_values(), all.unwrap_or_default()))
    }

    fn join(gathered: impl Iterator<Item = (Known, Gathered)>, width: usize) -> Self {
        let mut samples = Self { vectors: Vectors::new(width, Vec::new()), items: Vec::new() };
        for (known, gathered) in gathered {
            let first = samples.vectors.len();
            samples.vectors.values.extend(gathered.values());
            samples.items.push(Sample { known, rows: first..samples.vectors.len() });
        }
        samples
    }
}

/// The names of a table's items.
pub fn names(stage: &str, files: &[PathBuf]) -> Result<BTreeSet<String>, Error> {
    let mut names = BTreeSet::new();
    for path in files {
        for batch in open(path, &["item"], stage)? {
            let batch = batch?;
            let items = batch.column_by_name("item").and_then(|column| column.as_string_opt::<i32>());
            for item in items.ok_or_else(|| not_vectors(stage))?.iter().flatten() {
                if !names.contains(item) {
                    names.insert(item.to_owned());
                }
            }
        }
    }
    Ok(names)
}

fn not_vectors(stage: &str) -> Error {
    Error::stage(stage, "is not a table of vectors")
}

/// Some columns of a file.
fn open(path: &Path, columns: &[&str], stage: &str) -> Result<ParquetRecordBatchReader, Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let place = |name: &&str| builder.schema().index_of(name).map_err(|_| not_vectors(stage));
    let places = columns.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), places);
    Ok(builder.with_projection(mask).build()?)
}
