//! The table that is divided.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use etude_pipeline::Error;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::file::properties::WriterProperties;
use tokio_util::sync::CancellationToken;

use super::ITEM;
use super::items::{Items, Said};

/// The files of a table with the same columns.
pub struct Table<'a> {
    files: &'a [PathBuf],
    schema: SchemaRef,
    cancel: &'a CancellationToken,
}

impl<'a> Table<'a> {
    /// A table from its files.
    ///
    /// Errors: one that cannot be read, or that has other columns than the first.
    pub fn open(files: &'a [PathBuf], cancel: &'a CancellationToken) -> Result<Self, Error> {
        let mut schema: Option<SchemaRef> = None;
        for path in files {
            let found = reader(path)?.schema().clone();
            if schema.as_ref().is_some_and(|schema| schema.fields() != found.fields()) {
                return Err(Error::Other(format!(
                    "{}: has other columns than the files before it",
                    path.display()
                )));
            }
            schema.get_or_insert(found);
        }
        let schema = schema.ok_or_else(|| Error::Other("a table has no files".into()))?;
        Ok(Self { files, schema, cancel })
    }

    /// Its columns.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The batches of all files, with some of the columns or all.
    fn batches(
        &self,
        columns: Option<&[&str]>,
        mut take: impl FnMut(&RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for path in self.files {
            let reader = reader(path)?;
            let mask = match columns {
                Some(names) => ProjectionMask::columns(reader.parquet_schema(), names.iter().copied()),
                None => ProjectionMask::all(),
            };
            let batches: ParquetRecordBatchReader = reader.with_projection(mask).build()?;
            for batch in batches {
                if self.cancel.is_cancelled() {
                    return Err(Error::Cancelled);
                }
                take(&batch?)?;
            }
        }
        Ok(())
    }

    /// What the rows say of items.
    ///
    /// Errors: a row without an item, and rows that say different things of one.
    pub fn items(&self, group: Option<&str>, stratify: Option<&str>) -> Result<Items, Error> {
        let mut names = vec![ITEM];
        names.extend(group.into_iter().chain(stratify));
        let mut said: BTreeMap<String, Said> = BTreeMap::new();
        self.batches(Some(&names), |batch| {
            let (items, groups) = (names_in(batch)?, Texts::of(batch, group)?);
            let strata = Texts::of(batch, stratify)?;
            for row in 0..batch.num_rows() {
                if items.is_null(row) {
                    return Err(Error::Other("a row of the table has no `item`".into()));
                }
                let new = (groups.get(row)?, strata.get(row)?);
                match said.entry(items.value(row).to_owned()) {
                    Entry::Vacant(entry) => {
                        entry.insert(new);
                    }
                    Entry::Occupied(entry) if *entry.get() != new => {
                        let pairs = [(group, &entry.get().0, &new.0), (stratify, &entry.get().1, &new.1)];
                        return Err(differ(entry.key(), pairs));
                    }
                    Entry::Occupied(_) => {}
                }
            }
            Ok(())
        })?;
        Ok(Items::of(said))
    }

    /// Writes the table with a column more, whose value is that of the row's item.
    pub fn write<'b>(
        &self,
        schema: SchemaRef,
        part: impl Fn(&str) -> Option<&'b str>,
        path: &Path,
    ) -> Result<(), Error> {
        let file = File::create(path).map_err(Error::io(path))?;
        let properties = WriterProperties::builder().set_created_by("etude".into()).build();
        let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))?;
        self.batches(None, |batch| {
            let parts: Option<StringArray> = names_in(batch)?.iter().map(|item| Some(part(item?))).collect();
            let parts = parts.ok_or_else(|| Error::Other("an item is not in the table any more".into()))?;
            let mut columns = batch.columns().to_vec();
            columns.push(Arc::new(parts));
            Ok(writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?)
        })?;
        writer.close()?;
        Ok(())
    }
}

fn reader(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, Error> {
    Ok(ParquetRecordBatchReaderBuilder::try_new(File::open(path).map_err(Error::io(path))?)?)
}

/// That rows say different things of an item.
fn differ(item: &str, pairs: [(Option<&str>, &Option<String>, &Option<String>); 2]) -> Error {
    let text = |value: &Option<String>| value.as_ref().map_or("null".into(), |value| format!("`{value}`"));
    let of = |(column, one, other): &(Option<&str>, &Option<String>, &Option<String>)| {
        let column = column.filter(|_| one != other)?;
        Some(format!("`{column}` of `{item}` is {} in one row and {} in another", text(one), text(other)))
    };
    Error::Other(pairs.iter().find_map(of).unwrap_or_default())
}

/// The column of names.
fn names_in(batch: &RecordBatch) -> Result<StringArray, Error> {
    let column =
        batch.column_by_name(ITEM).ok_or_else(|| Error::Other("there is no column `item`".into()))?;
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// The values of a column as text; null everywhere where there is none.
struct Texts<'a>(Option<(&'a ArrayRef, ArrayFormatter<'a>)>);

impl<'a> Texts<'a> {
    fn of(batch: &'a RecordBatch, name: Option<&str>) -> Result<Self, Error> {
        let Some(name) = name else { return Ok(Self(None)) };
        let column = batch.column_by_name(name);
        let column = column.ok_or_else(|| Error::Other(format!("there is no column `{name}`")))?;
        const OPTIONS: &FormatOptions<'_> = &FormatOptions::new();
        Ok(Self(Some((column, ArrayFormatter::try_new(column, OPTIONS)?))))
    }

    fn get(&self, row: usize) -> Result<Option<String>, Error> {
        match &self.0 {
            Some((column, texts)) if !column.is_null(row) => Ok(Some(texts.value(row).try_to_string()?)),
            _ => Ok(None),
        }
    }
}
