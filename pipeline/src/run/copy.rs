//! Copies the rows of items from shards to another.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};
use parquet::file::metadata::PageIndexPolicy;

use super::check::guarded;
use super::footer::Fate;
use super::reuse::Task;
use super::row::digest_row;
use super::shard::ShardWriter;
use crate::error::Error;
use crate::store::{ItemEntry, Store};

/// Bytes of rows that are read at once.
const BATCH_BYTES: u64 = 2 << 20;

/// Rows to be copied, a stream of them from each shard. Both a bucket and its shards are sorted by key, so that
/// each stream is read from its begin to its end.
pub struct Copier<'a> {
    /// What is to be copied of each shard: the rows' places, and their bytes.
    wanted: HashMap<&'a str, (Vec<std::ops::Range<usize>>, u64)>,
    open: HashMap<&'a str, Stream>,
    store: &'a Store,
}

struct Stream {
    reader: ParquetRecordBatchReader,
    rest: Option<RecordBatch>,
}

impl<'a> Copier<'a> {
    /// What is known of a bucket's items.
    pub fn new(task: &'a Task, store: &'a Store) -> Self {
        let mut wanted: HashMap<&str, (Vec<std::ops::Range<usize>>, u64)> = HashMap::new();
        for known in task.known.iter().flatten() {
            if let Fate::Kept(entry, _) = &known.fate {
                let (ranges, bytes) = wanted.entry(&*known.shard).or_default();
                // A place that no machine can address is damage, which shows when the rows are read.
                let place = |row: u64| usize::try_from(row).unwrap_or(usize::MAX);
                ranges.push(place(entry.first)..place(entry.first.saturating_add(entry.rows)));
                *bytes += entry.bytes;
            }
        }
        Self { wanted, open: HashMap::new(), store }
    }

    /// Copies an item's rows; items come in the order of their keys.
    ///
    /// Errors: [`Error::Store`] with the shard's path when the rows are not those that its footer has the
    /// digest of.
    pub fn copy(
        &mut self,
        shard: &'a str,
        entry: &ItemEntry,
        schema: &SchemaRef,
        writer: &mut ShardWriter,
    ) -> Result<(), Error> {
        let damaged = |message: String| Error::Store { path: self.store.path(shard), message };
        let stream = match self.open.entry(shard) {
            std::collections::hash_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => {
                let (ranges, bytes) = self.wanted.remove(shard).unwrap_or_default();
                let path = self.store.fetch(shard)?;
                free.insert(Stream { reader: guarded(&path, || open(&path, ranges, bytes))?, rest: None })
            }
        };
        let (mut hasher, mut left) =
            (blake3::Hasher::new(), usize::try_from(entry.rows).unwrap_or(usize::MAX));
        while left > 0 {
            let batch = match stream.rest.take() {
                Some(batch) => batch,
                None => {
                    let next = guarded(&self.store.path(shard), || Ok(stream.reader.next()))?
                        .ok_or_else(|| damaged("is damaged: it has too few rows".into()))?;
                    let batch = next.map_err(|error| damaged(format!("is damaged: {error}")))?;
                    batch
                        .with_schema(schema.clone())
                        .map_err(|error| damaged(format!("has other columns: {error}")))?
                }
            };
            let now = batch.num_rows().min(left);
            let rows = batch.slice(0, now);
            for row in 0..now {
                digest_row(&rows, row, &mut hasher)?;
            }
            writer.push(&rows)?;
            left -= now;
            stream.rest = (now < batch.num_rows()).then(|| batch.slice(now, batch.num_rows() - now));
        }
        if hasher.finalize().to_hex()[..32] != *entry.output {
            return Err(damaged(format!("is damaged: the rows of {} are not what they were", entry.item)));
        }
        Ok(())
    }
}

/// A reader of some rows of a shard.
fn open(
    shard: &Path,
    ranges: Vec<std::ops::Range<usize>>,
    bytes: u64,
) -> Result<ParquetRecordBatchReader, Error> {
    let damaged = |message: String| Error::Store { path: shard.to_owned(), message };
    let file = File::open(shard).map_err(Error::io(shard))?;
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let metadata =
        ArrowReaderMetadata::load(&file, options).map_err(|error| damaged(format!("is damaged: {error}")))?;
    let total = usize::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
    let sorted = ranges.windows(2).all(|pair| pair[0].end <= pair[1].start);
    if !sorted || ranges.last().is_some_and(|last| last.end > total) {
        return Err(damaged("is damaged: its footer names rows that it does not have".into()));
    }
    let rows: usize = ranges.iter().map(ExactSizeIterator::len).sum();
    let batch = BATCH_BYTES / (bytes / (rows as u64).max(1)).max(1);
    ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_row_selection(RowSelection::from_consecutive_ranges(ranges.into_iter(), total))
        .with_batch_size(usize::try_from(batch.clamp(1, 4096)).unwrap_or(1))
        .build()
        .map_err(|error| damaged(format!("is damaged: {error}")))
}
