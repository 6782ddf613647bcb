//! Shards of a store that is elsewhere, which come when they are asked for.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::vouch::{Vouched, vouch};
use crate::error::Error;
use crate::operator::Bring;
use crate::store::{Snapshot, Store, StoredFile};

/// Brings the shards of snapshots.
#[derive(Debug)]
pub struct Shards {
    store: Store,
    files: HashMap<PathBuf, StoredFile>,
    /// Those that were not here before.
    brought: Mutex<HashSet<PathBuf>>,
    cancel: CancellationToken,
}

impl Shards {
    pub fn new<'a>(
        store: &Store,
        snapshots: impl Iterator<Item = &'a Arc<Snapshot>>,
        cancel: &CancellationToken,
    ) -> Self {
        let files = snapshots.flat_map(|snapshot| &snapshot.files);
        let files = files.map(|file| (store.path(&file.path), file.clone())).collect();
        Self { store: store.clone(), files, brought: Mutex::default(), cancel: cancel.clone() }
    }

    fn file(&self, shard: &Path) -> Result<&StoredFile, Error> {
        let missing = || Error::Other(format!("{} is no shard of what is read", shard.display()));
        self.files.get(shard).ok_or_else(missing)
    }
}

impl Bring for Shards {
    fn bring(&self, shard: &Path) -> Result<(), Error> {
        let file = self.file(shard)?;
        if !shard.is_file() {
            self.brought.lock().unwrap_or_else(PoisonError::into_inner).insert(shard.to_owned());
        }
        vouch(&self.store, &Vouched::default(), std::iter::once(file), 1, &self.cancel)
    }

    /// What was here before stays: others may read it.
    fn release(&self, shard: &Path) {
        let own = self.brought.lock().unwrap_or_else(PoisonError::into_inner).remove(shard);
        if let (true, Ok(file)) = (own, self.file(shard)) {
            self.store.forget_copy(&file.path);
        }
    }
}
