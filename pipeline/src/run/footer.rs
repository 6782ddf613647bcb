//! What a shard's footer says of its items, so that nothing about a shard is only in memory.

use std::io;
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;
use serde::{Deserialize, Serialize};

use super::chunks::Chunks;
use crate::error::Error;
use crate::place::Place;
use crate::store::{Counts, Filtered, ItemEntry, Rejected, Store};

/// The key of the footer's entry, and that of its digest.
pub const KEY: &str = "etude";
pub const DIGEST: &str = "etude.blake3";

/// What a shard says of its items.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Footer {
    pub items: Vec<ItemEntry>,
    pub filtered: Vec<Filtered>,
    pub rejected: Vec<Rejected>,
    /// What each operator did, of each of `items` and then of each of `filtered`.
    pub counts: Vec<Vec<Counts>>,
}

/// What became of an item, as a footer tells it.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    Kept(ItemEntry, Vec<Counts>),
    Filtered(Filtered, Vec<Counts>),
    Rejected(Rejected),
}

impl Footer {
    /// What the operators did, of all items together.
    pub fn total(&self, operators: usize) -> Vec<Counts> {
        let mut total = vec![Counts::default(); operators];
        for counts in &self.counts {
            total.iter_mut().zip(counts).for_each(|(total, counts)| total.add(counts));
        }
        total
    }

    /// What became of each item.
    pub fn fates(self) -> impl Iterator<Item = Fate> {
        let mut counts = self.counts.into_iter();
        let kept: Vec<Fate> = self
            .items
            .into_iter()
            .map(|entry| Fate::Kept(entry, counts.next().unwrap_or_default()))
            .collect();
        let filtered = self
            .filtered
            .into_iter()
            .map(move |entry| Fate::Filtered(entry, counts.next().unwrap_or_default()));
        kept.into_iter().chain(filtered).chain(self.rejected.into_iter().map(Fate::Rejected))
    }

    /// Its text, and the digest of that.
    pub fn sealed(&self) -> Result<(String, String), Error> {
        let text = serde_json::to_string(self)?;
        let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
        Ok((text, digest))
    }

    /// Reads the footer of a shard of a store, and its number of rows.
    pub fn read(store: &Store, shard: &str) -> Result<(Self, u64), Error> {
        let read = Self::read_if(store, shard, |_| true)?;
        read.ok_or_else(|| Error::Other("a footer was not read".into()))
    }

    /// The same, if its text is wanted.
    pub fn read_if(
        store: &Store,
        shard: &str,
        wanted: impl FnOnce(&str) -> bool,
    ) -> Result<Option<(Self, u64)>, Error> {
        Self::parse_if(&store.path(shard), Chunks::new(store.source(shard)?), wanted)
    }

    /// The same of a file.
    pub fn of(path: &Path) -> Result<(Self, u64), Error> {
        let source = Place::at(path).open().map_err(Error::io(path))?;
        let read = Self::parse_if(path, Chunks::new(source), |_| true)?;
        read.ok_or_else(|| Error::Other("a footer was not read".into()))
    }

    fn parse_if(
        path: &Path,
        chunks: Chunks,
        wanted: impl FnOnce(&str) -> bool,
    ) -> Result<Option<(Self, u64)>, Error> {
        let damaged = |message: String| Error::Store { path: path.to_owned(), message };
        let metadata =
            ParquetMetaDataReader::new().parse_and_finish(&chunks).map_err(|error| match error {
                // A network that is down says nothing of the file.
                ParquetError::External(source) => match source.downcast::<io::Error>() {
                    Ok(source) => Error::io(path)(*source),
                    Err(source) => damaged(format!("is damaged: {source}")),
                },
                error => damaged(format!("is damaged: {error}")),
            })?;
        let file = metadata.file_metadata();
        let entries = file.key_value_metadata().map_or(&[][..], Vec::as_slice);
        let value =
            |key| entries.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.as_deref());
        let text =
            value(KEY).ok_or_else(|| damaged("is not a shard: its footer says nothing of items".into()))?;
        if value(DIGEST) != Some(blake3::hash(text.as_bytes()).to_hex().as_str()) {
            return Err(damaged("is damaged: its footer does not match its digest".into()));
        }
        if !wanted(text) {
            return Ok(None);
        }
        let footer = serde_json::from_str(text).map_err(|error| damaged(format!("is damaged: {error}")))?;
        Ok(Some((footer, file.num_rows().unsigned_abs())))
    }
}

impl Fate {
    /// The item's key, and the digest of what went in.
    pub fn of(&self) -> (&str, &str) {
        match self {
            Self::Kept(entry, _) => (&entry.item, &entry.input),
            Self::Filtered(entry, _) => (&entry.item, &entry.input),
            Self::Rejected(entry) => (&entry.item, &entry.input),
        }
    }
}
