//! The canonical writer: the same rows give the same bytes, however they arrived.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use super::footer::{DIGEST, Footer, KEY};
use super::row::row_size;
use crate::error::Error;
use crate::operator::Storage;
use crate::store::Disk;

/// A row group is closed when its rows have this many bytes …
const ROW_GROUP_BYTES: u64 = 4 << 20;
/// … or this many rows.
const ROW_GROUP_ROWS: usize = 4096;
/// What a writer holds: a row group's batches, and encoded.
pub const WRITER_BYTES: u64 = 3 * ROW_GROUP_BYTES;

/// Writes one shard.
pub struct ShardWriter {
    writer: ArrowWriter<Hashing<BufWriter<File>>>,
    path: PathBuf,
    schema: SchemaRef,
    /// Whether each row is a page of its own, so that it does not matter which rows are written at once.
    row_pages: bool,
    group: Vec<RecordBatch>,
    group_rows: usize,
    group_bytes: u64,
    rows: u64,
}

impl ShardWriter {
    /// A shard at a temporary path.
    pub fn create(disk: &dyn Disk, path: &Path, schema: SchemaRef, storage: Storage) -> Result<Self, Error> {
        let mut properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_created_by("etude".into())
            .set_compression(Compression::UNCOMPRESSED)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(None)
            .set_max_row_group_bytes(None);
        if storage.row_pages {
            properties = properties.set_data_page_row_count_limit(1).set_write_batch_size(1);
        }
        let file = disk.create(path).map_err(Error::io(path))?;
        let sink = Hashing { inner: BufWriter::new(file), hasher: blake3::Hasher::new() };
        let writer = ArrowWriter::try_new(sink, schema.clone(), Some(properties.build()))?;
        Ok(Self {
            writer,
            path: path.to_owned(),
            schema,
            row_pages: storage.row_pages,
            group: Vec::new(),
            group_rows: 0,
            group_bytes: 0,
            rows: 0,
        })
    }

    /// Number of rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds rows. Row groups are cut by the rows' own bytes, not by batches.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let mut begin = 0;
        for row in 0..batch.num_rows() {
            self.group_bytes += row_size(batch, row)?;
            self.group_rows += 1;
            self.rows += 1;
            if self.group_bytes >= ROW_GROUP_BYTES || self.group_rows >= ROW_GROUP_ROWS {
                self.add(batch.slice(begin, row + 1 - begin))?;
                begin = row + 1;
                self.flush()?;
            }
        }
        if begin < batch.num_rows() {
            self.add(batch.slice(begin, batch.num_rows() - begin))?;
        }
        Ok(())
    }

    fn add(&mut self, batch: RecordBatch) -> Result<(), Error> {
        if self.row_pages {
            self.writer.write(&batch).map_err(writing(&self.path))?;
        } else {
            // Where pages end depends on what is written at once.
            self.group.push(batch);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.group_rows > 0 {
            if !self.group.is_empty() {
                self.writer
                    .write(&concat_batches(&self.schema, &self.group)?)
                    .map_err(writing(&self.path))?;
                self.group.clear();
            }
            (self.group_rows, self.group_bytes) = (0, 0);
            self.writer.flush().map_err(writing(&self.path))?;
        }
        Ok(())
    }

    /// Ends the shard; gives its digest. It is not synchronised yet.
    pub fn finish(mut self, footer: &Footer) -> Result<String, Error> {
        self.flush()?;
        let (text, digest) = footer.sealed()?;
        for (key, value) in [(KEY, text), (DIGEST, digest)] {
            self.writer.append_key_value_metadata(KeyValue { key: key.into(), value: Some(value) });
        }
        let mut sink = self.writer.into_inner().map_err(writing(&self.path))?;
        sink.flush().map_err(Error::io(&self.path))?;
        Ok(sink.hasher.finalize().to_hex().to_string())
    }
}

/// What went wrong with a file that is written: the disk's own error, where it is one.
fn writing(path: &Path) -> impl Fn(ParquetError) -> Error + '_ {
    move |error| match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => Error::io(path)(*source),
            Err(source) => Error::Parquet(ParquetError::External(source)),
        },
        other => Error::Parquet(other),
    }
}

struct Hashing<W> {
    inner: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BinaryArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::store::Local;

    #[test]
    fn bytes_do_not_depend_on_batches() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("start", DataType::Int64, false),
            Field::new("audio", DataType::Binary, false),
        ]));
        let rows = 300;
        let payload: Vec<Vec<u8>> = (0..rows).map(|row| vec![row as u8; 20_000 + row * 100]).collect();
        let batch = RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(Int64Array::from_iter_values(0..rows as i64)),
                Arc::new(BinaryArray::from_iter_values(&payload)),
            ],
        )
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, sizes: &[usize]| {
            let path = folder.path().join(name);
            let storage = Storage { target: 1, row_pages: true };
            let mut writer = ShardWriter::create(&Local, &path, schema.clone(), storage).unwrap();
            let (mut at, mut turn) = (0, 0);
            while at < rows {
                let length = sizes[turn % sizes.len()].min(rows - at);
                writer.push(&batch.slice(at, length)).unwrap();
                (at, turn) = (at + length, turn + 1);
            }
            let digest = writer.finish(&Footer::default()).unwrap();
            assert_eq!(digest, blake3::hash(&std::fs::read(&path).unwrap()).to_hex().to_string());
            digest
        };
        assert_eq!(write("whole", &[300]), write("single", &[1]));
        assert_eq!(write("again", &[300]), write("mixed", &[7, 1, 50]));
    }
}
