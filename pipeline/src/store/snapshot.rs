//! Snapshots: which files a stage's output consists of.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use super::{Store, stamps, text};
use crate::error::Error;

/// What a stage's output consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The operators and parameters that made it.
    pub fingerprint: String,
    /// The digest of what they were given.
    pub inputs: String,
    /// Files, in order.
    pub files: Vec<StoredFile>,
    /// For item stages: the items of the output, sorted by key.
    pub items: Vec<ItemEntry>,
    /// The digest of the output's content.
    pub digest: String,
    /// Items left out on purpose.
    pub filtered: Vec<Filtered>,
    /// Items that could not be used.
    pub rejected: Vec<Rejected>,
    /// What each operator of the chain did, in order.
    pub counts: Vec<Counts>,
}

/// A file of the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Below the store's root.
    pub path: String,
    pub bytes: u64,
    /// BLAKE3 of the file.
    pub digest: String,
    /// Rows, if it is a table.
    pub rows: u64,
    /// For a shard, what each operator of the chain did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<Counts>,
}

/// An item of an output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemEntry {
    #[serde(deserialize_with = "text")]
    pub item: Arc<str>,
    /// The digest of what went in.
    #[serde(deserialize_with = "text")]
    pub input: Arc<str>,
    /// The digest of its rows.
    #[serde(deserialize_with = "text")]
    pub output: Arc<str>,
    /// Which of the files has them, the first row and their number.
    pub file: usize,
    pub first: u64,
    pub rows: u64,
    /// Bytes of its rows.
    pub bytes: u64,
}

/// An item that an operator left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filtered {
    #[serde(deserialize_with = "text")]
    pub item: Arc<str>,
    #[serde(deserialize_with = "text")]
    pub input: Arc<str>,
    /// Which operator of the chain.
    pub operator: usize,
    pub reason: String,
    /// Which of a snapshot's files says so.
    #[serde(default, skip_serializing_if = "is_first")]
    pub file: usize,
}

/// A text that is only copied once.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Arc<str>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a text")
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(text.into())
        }
    }

    deserializer.deserialize_str(Text)
}

fn is_first(file: &usize) -> bool {
    *file == 0
}

/// An item that an operator could not use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    #[serde(deserialize_with = "text")]
    pub item: Arc<str>,
    #[serde(deserialize_with = "text")]
    pub input: Arc<str>,
    /// Which operator of the chain.
    pub operator: usize,
    pub class: String,
    pub offset: String,
    pub message: String,
    /// Which of a snapshot's files says so.
    #[serde(default, skip_serializing_if = "is_first")]
    pub file: usize,
}

/// What an operator of a chain did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Signals or rows that it gave, of items that were kept.
    pub rows: u64,
    /// Whatever else it counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
}

impl Counts {
    /// Adds what the same operator did elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        for (what, amount) in &other.counters {
            *self.counters.entry(what.clone()).or_default() += amount;
        }
    }
}

fn name(fingerprint: &str, inputs: &str) -> String {
    format!("snapshots/{fingerprint}/{inputs}")
}

impl Store {
    /// The snapshot of a fingerprint and inputs, if it and all its files are there. One that is damaged is not.
    pub fn snapshot(&self, fingerprint: &str, inputs: &str) -> Result<Option<Snapshot>, Error> {
        let text = match self.read(&name(fingerprint, inputs)) {
            // It can be made again from what it names.
            Err(Error::Store { .. }) | Ok(None) => return Ok(None),
            other => other?.unwrap_or_default(),
        };
        // One of another format is made again as well.
        let Ok(snapshot) = serde_json::from_str::<Snapshot>(&text) else { return Ok(None) };
        let paths: Vec<&str> = snapshot.files.iter().map(|file| file.path.as_str()).collect();
        let found = self.sizes(&paths)?;
        let complete = snapshot.files.iter().zip(found).all(|(file, found)| found == Some(file.bytes));
        Ok(complete.then_some(snapshot))
    }

    /// Whether the snapshot is there and damaged.
    pub fn is_damaged(&self, fingerprint: &str, inputs: &str) -> bool {
        matches!(self.snapshot_at(&name(fingerprint, inputs)), Err(Error::Store { .. }))
    }

    /// What a text of the store says; none where it is no snapshot.
    ///
    /// Errors: [`Error::Store`] for one that is damaged.
    pub fn snapshot_at(&self, relative: &str) -> Result<Option<Snapshot>, Error> {
        let text = match relative {
            // It is of this machine.
            stamps::NAME => {
                let path = self.path(relative);
                let sealed = std::fs::read(&path).map_err(Error::io(&path))?;
                text::unseal(&path, sealed).map(|_| None)?
            }
            _ => self.read(relative)?.filter(|_| relative.starts_with("snapshots/")),
        };
        let damaged = |error: serde_json::Error| Error::Store {
            path: self.shown(relative),
            message: format!("is of a format that is not known: {error}"),
        };
        text.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()
    }

    /// All snapshots of a fingerprint that can be read, by name.
    pub fn snapshots_of(&self, fingerprint: &str) -> Result<Vec<(String, Snapshot)>, Error> {
        let names = self.names(&format!("snapshots/{fingerprint}"))?;
        let read = |inputs: String| {
            let path = name(fingerprint, &inputs);
            match self.snapshot_at(&path) {
                Ok(snapshot) => snapshot.map(|snapshot| Ok((path, snapshot))),
                // A damaged one says nothing.
                Err(Error::Store { .. }) => None,
                Err(error) => Some(Err(error)),
            }
        };
        names.into_iter().filter_map(read).collect()
    }

    /// Forgets a snapshot, before what it names is made again.
    pub fn forget_snapshot(&self, fingerprint: &str, inputs: &str) -> Result<(), Error> {
        self.remove(&name(fingerprint, inputs))
    }

    /// Keeps a snapshot of shards. Where another run has written some of them again and said so meanwhile, `is_so`
    /// tells of a file that the other names whether it is there; the one that is right is kept, and given.
    pub fn keep_snapshot(
        &self,
        snapshot: Arc<Snapshot>,
        is_so: impl Fn(&StoredFile) -> Result<bool, Error>,
    ) -> Result<Arc<Snapshot>, Error> {
        let (name, text) =
            (name(&snapshot.fingerprint, &snapshot.inputs), serde_json::to_string(&*snapshot)?);
        if self.create(&name, &text)? {
            return Ok(snapshot);
        }
        let lock = self.lock()?;
        if let Ok(Some(theirs)) = self.snapshot_at(&name) {
            let mut pairs = snapshot.files.iter().zip(&theirs.files).filter(|(ours, theirs)| ours != theirs);
            match pairs.next() {
                None if theirs == *snapshot => return Ok(snapshot),
                Some((_, file)) if is_so(file)? => return Ok(Arc::new(theirs)),
                _ => {}
            }
        }
        lock.check()?;
        self.replace(&name, &text)?;
        Ok(snapshot)
    }

    /// Keeps a snapshot in the place of any other. To be called with the lock held.
    pub fn set_snapshot(&self, snapshot: &Snapshot) -> Result<(), Error> {
        let (name, text) = (name(&snapshot.fingerprint, &snapshot.inputs), serde_json::to_string(snapshot)?);
        if self.create(&name, &text)? { Ok(()) } else { self.replace(&name, &text) }
    }
}
