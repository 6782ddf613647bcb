//! Copies the rows of an item from one shard to another.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::PageIndexPolicy;

use super::row::digest_row;
use super::shard::ShardWriter;
use crate::error::Error;
use crate::store::ItemEntry;

/// Bytes of rows that are read at once.
const BATCH_BYTES: u64 = 4 << 20;

/// The shard that rows are being copied from.
#[derive(Default)]
pub struct Copier {
    open: Option<(PathBuf, File, ArrowReaderMetadata)>,
}

impl Copier {
    /// Copies an item's rows.
    ///
    /// Errors: [`Error::Store`] with the shard's path when the rows are not those that its footer has the
    /// digest of.
    pub fn copy(
        &mut self,
        shard: &Path,
        entry: &ItemEntry,
        schema: &SchemaRef,
        writer: &mut ShardWriter,
    ) -> Result<(), Error> {
        let damaged = |message: String| Error::Store { path: shard.to_owned(), message };
        if self.open.as_ref().is_none_or(|(path, ..)| path != shard) {
            let file = File::open(shard).map_err(Error::io(shard))?;
            let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
            let metadata = ArrowReaderMetadata::load(&file, options)
                .map_err(|error| damaged(format!("is damaged: {error}")))?;
            self.open = Some((shard.to_owned(), file, metadata));
        }
        let Some((_, file, metadata)) = &self.open else { return Ok(()) };
        let whole = |number: u64| usize::try_from(number).map_err(|error| Error::Other(error.to_string()));
        let selection = RowSelection::from(vec![
            RowSelector::skip(whole(entry.first)?),
            RowSelector::select(whole(entry.rows)?),
        ]);
        let rows = BATCH_BYTES / (entry.bytes / entry.rows.max(1)).max(1);
        let file = file.try_clone().map_err(Error::io(shard))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
            .with_row_selection(selection)
            .with_batch_size(whole(rows.clamp(1, 1024))?)
            .build()
            .map_err(|error| damaged(format!("is damaged: {error}")))?;
        let mut hasher = blake3::Hasher::new();
        for batch in reader {
            let batch = batch.map_err(|error| damaged(format!("is damaged: {error}")))?;
            let batch = batch
                .with_schema(schema.clone())
                .map_err(|error| damaged(format!("has other columns: {error}")))?;
            for row in 0..batch.num_rows() {
                digest_row(&batch, row, &mut hasher)?;
            }
            writer.push(&batch)?;
        }
        if hasher.finalize().to_hex()[..32] != *entry.output {
            return Err(damaged(format!("is damaged: the rows of {} are not what they were", entry.item)));
        }
        Ok(())
    }
}
