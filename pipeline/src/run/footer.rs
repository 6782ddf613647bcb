//! What a shard's footer says of its items, so that nothing about a shard is only in memory.

use std::fs::File;
use std::path::Path;

use parquet::file::metadata::ParquetMetaDataReader;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::store::{Counts, Filtered, ItemEntry, Rejected};

/// The key of the footer's entry.
pub const KEY: &str = "etude";

/// What a shard says of its items.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Footer {
    pub items: Vec<ItemEntry>,
    pub filtered: Vec<Filtered>,
    pub rejected: Vec<Rejected>,
    pub counts: Vec<Counts>,
}

impl Footer {
    /// Adds what the operators counted.
    pub fn count(&mut self, counts: &[Counts]) {
        self.counts.iter_mut().zip(counts).for_each(|(total, counts)| total.add(counts));
    }

    /// Reads the footer of a shard, and its number of rows.
    pub fn read(path: &Path) -> Result<(Self, u64), Error> {
        let damaged = |message: String| Error::Store { path: path.to_owned(), message };
        let file = File::open(path).map_err(Error::io(path))?;
        let metadata = ParquetMetaDataReader::new()
            .parse_and_finish(&file)
            .map_err(|error| damaged(format!("is damaged: {error}")))?;
        let file = metadata.file_metadata();
        let entries = file.key_value_metadata().map_or(&[][..], Vec::as_slice);
        let text = entries
            .iter()
            .find(|entry| entry.key == KEY)
            .and_then(|entry| entry.value.as_deref())
            .ok_or_else(|| damaged("is not a shard: its footer says nothing of items".into()))?;
        let footer = serde_json::from_str(text).map_err(|error| damaged(format!("is damaged: {error}")))?;
        Ok((footer, file.num_rows().unsigned_abs()))
    }
}
