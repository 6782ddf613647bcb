//! Whether a shard holds what its footer says.

use std::cell::Cell;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio_util::sync::CancellationToken;

use super::footer::Footer;
use super::row::digest_row;
use super::shard::ShardWriter;
use crate::error::Error;
use crate::operator::Storage;
use crate::store::{Disk, digest_file};

/// Reads all rows of a shard and compares them with its footer; gives the digest of the file.
///
/// Errors: [`Error::Store`] for a shard that is damaged.
pub fn shard(path: &Path, cancel: &CancellationToken) -> Result<String, Error> {
    guarded(path, || look(path, cancel))
}

/// Reads something that may be damaged: a reader may give up in any way.
pub fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let damaged = |_| Error::Store { path: path.to_owned(), message: "is damaged: it cannot be read".into() };
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(before);
    result.map_err(damaged)?
}

thread_local!(static GUARDED: Cell<bool> = const { Cell::new(false) });

/// Whether a panic on this thread now becomes an error: it need not be told as well.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

fn look(path: &Path, cancel: &CancellationToken) -> Result<String, Error> {
    let damaged = |message: String| Error::Store { path: path.to_owned(), message };
    let (footer, rows) = Footer::of(path)?;
    let before = digest_file(path, cancel)?;
    let file = File::open(path).map_err(Error::io(path))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.with_batch_size(16).build())
        .map_err(|error| damaged(format!("is damaged: {error}")))?;
    let mut entries = footer.items.iter().filter(|entry| entry.rows > 0);
    let mut entry = entries.next();
    let (mut hasher, mut row) = (blake3::Hasher::new(), 0);
    for batch in reader {
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let batch = batch.map_err(|error| damaged(format!("is damaged: {error}")))?;
        for at in 0..batch.num_rows() {
            digest_row(&batch, at, &mut hasher)?;
            row += 1;
            let Some(item) = entry.filter(|item| row >= item.first + item.rows) else { continue };
            if hasher.finalize().to_hex()[..32] != *item.output || row != item.first + item.rows {
                return Err(damaged(format!("is damaged: the rows of {} are not what they were", item.item)));
            }
            hasher.reset();
            entry = entries.next();
        }
    }
    if row != rows || entry.is_some() {
        return Err(damaged(format!("is damaged: it has {row} rows, not {rows}")));
    }
    Ok(before)
}

/// The same, and that all else in it is as well what was written: the same rows, written again, are the same bytes.
pub fn rewritten(
    disk: &dyn Disk,
    path: &Path,
    (schema, storage): (SchemaRef, Storage),
    scratch: &Path,
    cancel: &CancellationToken,
) -> Result<String, Error> {
    let damaged = |message: String| Error::Store { path: path.to_owned(), message };
    let digest = shard(path, cancel)?;
    let copy = scratch.join("rewritten");
    let mut writer = ShardWriter::create(disk, &copy, schema.clone(), storage)?;
    let file = File::open(path).map_err(Error::io(path))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.with_batch_size(16).build())
        .map_err(|error| damaged(format!("is damaged: {error}")))?;
    for batch in reader {
        let batch = batch.and_then(|batch| batch.with_schema(schema.clone()));
        writer.push(&batch.map_err(|error| damaged(format!("is damaged: {error}")))?)?;
    }
    let written = writer.finish(&Footer::of(path)?.0)?;
    disk.remove_file(&copy).map_err(Error::io(&copy))?;
    if written != digest {
        return Err(damaged("is damaged: its rows, written again, are other bytes".into()));
    }
    Ok(digest)
}
