//! A Parquet file wherever it is, as the reader of its metadata wants it.

use std::io::{Cursor, Read, Seek, SeekFrom};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::place::Source;

/// Bytes of a source by their place.
pub struct Chunks {
    source: Mutex<Box<dyn Source>>,
    length: u64,
}

impl Chunks {
    pub fn new(source: Box<dyn Source>) -> Self {
        Self { length: source.length(), source: Mutex::new(source) }
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Chunks {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let rest = self.length.saturating_sub(start);
        Ok(Cursor::new(self.get_bytes(start, usize::try_from(rest).unwrap_or(usize::MAX))?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        let read = source
            .seek(SeekFrom::Start(start))
            .and_then(|_| source.by_ref().take(length as u64).read_to_end(&mut bytes))
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        if read != length {
            return Err(ParquetError::EOF(format!("{read} bytes at {start} instead of {length}")));
        }
        Ok(bytes.into())
    }
}
