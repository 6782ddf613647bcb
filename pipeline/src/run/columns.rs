//! Item-level columns: what a table says of an item, carried by every row of the item.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::row::digest_row;
use crate::error::Error;
use crate::spec::ITEM;
use crate::store::{Snapshot, Store};

/// What tables say of items: a row each.
#[derive(Debug)]
pub struct ItemColumns {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// By key: which batch, which row.
    rows: BTreeMap<Arc<str>, (usize, usize)>,
}

impl ItemColumns {
    /// The rows of a table with a column `item`.
    ///
    /// Errors: an item that is null or stands there twice.
    pub fn of_table(store: &Store, snapshot: &Snapshot) -> Result<Self, Error> {
        let (mut batches, mut rows) = (Vec::new(), BTreeMap::new());
        let mut schema = Arc::new(Schema::empty());
        for file in snapshot.files.iter().filter(|file| file.path.ends_with(".parquet")) {
            let path = store.fetch(&file.path)?;
            let reader =
                ParquetRecordBatchReaderBuilder::try_new(File::open(&path).map_err(Error::io(&path))?)?
                    .build()?;
            for batch in reader {
                let mut batch = batch?;
                let at = batch.schema().index_of(ITEM)?;
                let keys = cast(&batch.remove_column(at), &DataType::Utf8)?;
                schema = batch.schema();
                for (row, key) in keys.as_string::<i32>().iter().enumerate() {
                    let key = key.ok_or_else(|| Error::Other("a row of its table has no item".into()))?;
                    if rows.insert(Arc::from(key), (batches.len(), row)).is_some() {
                        return Err(Error::Other(format!(
                            "its table has several rows for item `{key}`: an item has one"
                        )));
                    }
                }
                batches.push(batch);
            }
        }
        Ok(Self { schema, batches, rows })
    }

    /// The columns of `schema` that shards hold of some items, from the first row of each.
    pub fn of_shards(
        store: &Store,
        snapshot: &Snapshot,
        schema: &SchemaRef,
        wanted: &HashSet<&str>,
    ) -> Result<Self, Error> {
        let (mut batches, mut rows) = (Vec::new(), BTreeMap::new());
        let mut firsts: Vec<Vec<(u64, &str)>> = vec![Vec::new(); snapshot.files.len()];
        for entry in snapshot.items.iter().filter(|entry| entry.rows > 0 && wanted.contains(&*entry.item)) {
            firsts[entry.file].push((entry.first, &*entry.item));
        }
        for (file, mut first) in snapshot.files.iter().zip(firsts).filter(|(_, first)| !first.is_empty()) {
            let path = store.fetch(&file.path)?;
            let builder =
                ParquetRecordBatchReaderBuilder::try_new(File::open(&path).map_err(Error::io(&path))?)?;
            let names = schema.fields().iter().map(|field| field.name().as_str());
            let mask = ProjectionMask::columns(builder.parquet_schema(), names);
            first.sort_unstable();
            let mut first = first.into_iter().peekable();
            let mut begin = 0;
            for batch in builder.with_projection(mask).build()? {
                let batch = batch?;
                let end = begin + batch.num_rows() as u64;
                let mut here = Vec::new();
                while let Some((row, key)) = first.next_if(|(row, _)| *row < end) {
                    rows.insert(Arc::from(key), (batches.len(), here.len()));
                    here.push(row - begin);
                }
                if !here.is_empty() {
                    batches.push(repeat(&batch, &UInt64Array::from(here))?);
                }
                begin = end;
            }
        }
        Ok(Self { schema: schema.clone(), batches, rows })
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no column besides the item.
    pub fn is_bare(&self) -> bool {
        self.schema.fields().is_empty()
    }

    /// The items, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(|key| &**key)
    }

    /// The digest of what is said of an item; none where nothing is.
    pub fn digest(&self, key: &str) -> Result<Option<String>, Error> {
        let Some((batch, row)) = self.rows.get(key).filter(|_| !self.is_bare()) else { return Ok(None) };
        let mut hasher = blake3::Hasher::new();
        digest_row(&self.batches[*batch], *row, &mut hasher)?;
        Ok(Some(hasher.finalize().to_hex()[..32].to_owned()))
    }

    /// What is said of an item, to be read.
    pub fn texts(&self, key: &str) -> Result<Vec<(String, String)>, Error> {
        let Some((batch, row)) = self.rows.get(key) else { return Ok(Vec::new()) };
        let text = |(field, column): (&arrow::datatypes::FieldRef, &ArrayRef)| {
            Ok((field.name().clone(), array_value_to_string(column, *row)?))
        };
        self.schema.fields().iter().zip(self.batches[*batch].columns()).map(text).collect()
    }

    /// A schema with these columns behind its own.
    pub fn appended(schema: &SchemaRef, columns: &SchemaRef) -> SchemaRef {
        let fields: Vec<_> = schema.fields().iter().chain(columns.fields()).cloned().collect();
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }

    /// Rows of an item with what is said of it behind them.
    pub fn append(&self, key: &str, batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, Error> {
        let (from, row) = self
            .rows
            .get(key)
            .ok_or_else(|| Error::Other(format!("no table above says anything of item `{key}`")))?;
        let indices = UInt64Array::from(vec![*row as u64; batch.num_rows()]);
        let said = repeat(&self.batches[*from], &indices)?;
        let columns: Vec<ArrayRef> = batch.columns().iter().chain(said.columns()).cloned().collect();
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    }
}

fn repeat(batch: &RecordBatch, indices: &UInt64Array) -> Result<RecordBatch, Error> {
    let columns =
        batch.columns().iter().map(|column| take(column, indices, None)).collect::<Result<_, _>>()?;
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, Int64Array, StringArray};
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn every_row_of_an_item_carries_what_is_said_of_it() {
        let said = Arc::new(Schema::new(vec![Field::new("genre", DataType::Utf8, true)]));
        let genres = StringArray::from(vec![Some("rock"), None]);
        let columns = ItemColumns {
            schema: said.clone(),
            batches: vec![RecordBatch::try_new(said.clone(), vec![Arc::new(genres)]).unwrap()],
            rows: [(Arc::from("a"), (0, 0)), (Arc::from("b"), (0, 1))].into(),
        };
        let own = Arc::new(Schema::new(vec![Field::new("start", DataType::Int64, false)]));
        let rows = RecordBatch::try_new(own.clone(), vec![Arc::new(Int64Array::from(vec![0, 5]))]).unwrap();
        let schema = ItemColumns::appended(&own, &said);
        let both = columns.append("a", rows.clone(), &schema).unwrap();
        assert_eq!(both.column(1).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("rock"); 2]);
        assert_eq!(columns.append("b", rows.clone(), &schema).unwrap().column(1).null_count(), 2);
        assert!(columns.append("c", rows, &schema).is_err());
        assert_ne!(columns.digest("a").unwrap(), columns.digest("b").unwrap());
    }
}
