//! The rows of one item, waiting for their turn: in memory at first, then in a file.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::budget::Permit;
use super::row::digest_row;
use crate::error::Error;

/// Rows beyond this wait in a file, …
const IN_MEMORY: u64 = 8 << 20;
/// … which then takes as many at once.
const AT_ONCE: u64 = 1 << 20;

/// What went wrong with the file that rows wait in.
fn spilling(folder: &Path, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => Error::io(folder)(source),
        other => other.into(),
    }
}

/// The rows of one item.
pub struct Rows {
    folder: PathBuf,
    schema: SchemaRef,
    memory: Vec<RecordBatch>,
    spill: Option<StreamWriter<BufWriter<File>>>,
    waiting: u64,
    hasher: blake3::Hasher,
    permit: Option<Permit>,
    /// Number of rows.
    pub count: u64,
    /// Bytes of all rows.
    pub bytes: u64,
}

impl Rows {
    /// No rows yet. `permit` covers what waits in memory.
    pub fn new(folder: PathBuf, schema: SchemaRef, permit: Permit) -> Self {
        Self {
            folder,
            schema,
            memory: Vec::new(),
            spill: None,
            waiting: 0,
            hasher: blake3::Hasher::new(),
            permit: Some(permit),
            count: 0,
            bytes: 0,
        }
    }

    /// What an item may keep in memory, in bytes.
    pub const fn in_memory() -> u64 {
        IN_MEMORY
    }

    /// Adds rows.
    pub fn push(&mut self, batch: RecordBatch) -> Result<(), Error> {
        let mut bytes = 0;
        for row in 0..batch.num_rows() {
            bytes += digest_row(&batch, row, &mut self.hasher)?;
        }
        self.count += batch.num_rows() as u64;
        self.bytes += bytes;
        self.waiting += bytes;
        self.memory.push(batch);
        let most = if self.spill.is_some() { AT_ONCE } else { IN_MEMORY };
        if self.waiting > most { self.write_out() } else { Ok(()) }
    }

    /// The item is complete: only what its rows take is still held.
    pub fn settle(&mut self) {
        let waiting = self.waiting;
        if waiting == 0 {
            self.permit = None;
        } else if let Some(permit) = &mut self.permit {
            permit.keep(waiting);
        }
    }

    /// Leaves the memory to others: what waits goes to the file.
    pub fn spill(&mut self) -> Result<(), Error> {
        if !self.memory.is_empty() {
            self.write_out()?;
        }
        self.permit = None;
        Ok(())
    }

    fn write_out(&mut self) -> Result<(), Error> {
        let writer = match &mut self.spill {
            Some(writer) => writer,
            None => {
                // Unnamed: gone when the process is.
                let file = tempfile::tempfile_in(&self.folder).map_err(Error::io(&self.folder))?;
                self.spill.insert(StreamWriter::try_new(BufWriter::new(file), &self.schema)?)
            }
        };
        for batch in self.memory.drain(..) {
            writer.write(&batch).map_err(|error| spilling(&self.folder, error))?;
        }
        self.waiting = 0;
        Ok(())
    }

    /// The digest of all rows.
    pub fn digest(&self) -> String {
        self.hasher.finalize().to_hex()[..32].to_owned()
    }

    /// Gives all rows in order.
    pub fn drain(mut self, mut take: impl FnMut(RecordBatch) -> Result<(), Error>) -> Result<(), Error> {
        if self.spill.is_some() {
            self.write_out()?;
        }
        if let Some(mut writer) = self.spill.take() {
            let folder = &self.folder;
            writer.finish().map_err(|error| spilling(folder, error))?;
            let mut file =
                writer.into_inner()?.into_inner().map_err(|error| Error::io(folder)(error.into_error()))?;
            file.rewind().map_err(Error::io(folder))?;
            return StreamReader::try_new(BufReader::new(file), None)?.try_for_each(|batch| take(batch?));
        }
        self.memory.drain(..).try_for_each(take)
    }
}
