//! Shards of a store that is elsewhere, which come when they are asked for.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::operator::Bring;
use crate::store::{Snapshot, Store, StoredFile, digest_file};

/// Brings the shards of a snapshot into a folder of the job: nobody else reads or removes what is there.
#[derive(Debug)]
pub struct Shards {
    store: Store,
    /// By where they come to lie.
    files: HashMap<PathBuf, StoredFile>,
    cancel: CancellationToken,
}

impl Shards {
    pub fn new(
        store: &Store,
        snapshot: &Snapshot,
        folder: &Path,
        cancel: &CancellationToken,
    ) -> Result<Self, Error> {
        fs::create_dir(folder).map_err(Error::io(folder))?;
        let files = snapshot.files.iter().enumerate();
        let files = files.map(|(number, file)| (place(folder, number), file.clone())).collect();
        Ok(Self { store: store.clone(), files, cancel: cancel.clone() })
    }

    /// Whether a shard is there, and what was written.
    fn is_whole(&self, shard: &Path, file: &StoredFile) -> Result<bool, Error> {
        Ok(shard.is_file() && digest_file(shard, &self.cancel)? == file.digest)
    }
}

/// Where a shard comes to lie, by its number among the snapshot's files.
pub fn place(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("{number}.parquet"))
}

impl Bring for Shards {
    fn bring(&self, shard: &Path) -> Result<(), Error> {
        let missing = || Error::Other(format!("{} is no shard of what is read", shard.display()));
        let file = self.files.get(shard).ok_or_else(missing)?;
        if self.is_whole(shard, file)? {
            return Ok(());
        }
        // It has its name once it is whole, whoever brings it at the same time.
        let coming = tempfile::TempDir::new_in(shard.parent().unwrap_or(shard)).map_err(Error::io(shard))?;
        let part = coming.path().join("part");
        // A copy that is here already is the same file under another name.
        let _ = fs::hard_link(self.store.path(&file.path), &part);
        if !self.is_whole(&part, file)? {
            let _ = fs::remove_file(&part);
            self.store.fetch_to(&file.path, &part)?;
        }
        if self.is_whole(&part, file)? {
            return fs::rename(&part, shard).map_err(Error::io(shard));
        }
        let message =
            "is damaged: it is not what was written; `etude verify FILE --repair` has it computed again";
        Err(Error::Store { path: self.store.shown(&file.path), message: message.into() })
    }

    fn release(&self, shard: &Path) {
        let _ = fs::remove_file(shard);
    }
}
