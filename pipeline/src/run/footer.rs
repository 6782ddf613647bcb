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
    /// Reads the footer of a shard, and its number of rows.
    pub fn read(path: &Path) -> Result<(Self, u64), Error> {
        let file = File::open(path).map_err(Error::io(path))?;
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file)?;
        let file = metadata.file_metadata();
        let entry =
            file.key_value_metadata().and_then(|entries| entries.iter().find(|entry| entry.key == KEY));
        let text = entry.and_then(|entry| entry.value.as_deref()).ok_or_else(|| Error::Store {
            path: path.to_owned(),
            message: "is not a shard: its footer says nothing of items".into(),
        })?;
        Ok((serde_json::from_str(text)?, file.num_rows().unsigned_abs()))
    }
}
