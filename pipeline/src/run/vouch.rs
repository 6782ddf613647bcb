//! What is read from the store is what was written to it.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::resolve::Known;
use super::unit::Unit;
use crate::error::Error;
use crate::operator::Item;
use crate::store::{Snapshot, Store, StoredFile, digest_file};

/// Files that were found to be whole in this run.
#[derive(Debug, Default)]
pub struct Vouched(Mutex<HashSet<String>>);

impl Engine {
    /// Keeps a snapshot.
    pub(super) fn keep(&self, snapshot: Arc<Snapshot>) -> Result<Arc<Snapshot>, Error> {
        self.store.keep_snapshot(snapshot, |file| match self.store.fetch(&file.path) {
            Ok(path) => Ok(digest_file(&path, &self.cancel)? == file.digest),
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        })
    }

    /// Compares files with the digests that their snapshot has of them.
    ///
    /// Errors: [`Error::Store`] for the first that is another.
    pub(super) fn vouch<'a>(
        &self,
        vouched: &Vouched,
        files: impl Iterator<Item = &'a StoredFile>,
    ) -> Result<(), Error> {
        vouch(&self.store, vouched, files, self.options.threads, &self.cancel)
    }

    /// What vouches for the shards that items of a unit are read from.
    pub(super) fn voucher(&self, unit: &Unit, known: &Known) -> Voucher {
        let heads = unit.feeds().filter_map(|feed| known.snapshots.get(&feed.head));
        let files = heads.flat_map(|head| &head.files);
        Voucher {
            store: self.store.clone(),
            files: files.map(|file| (self.store.path(&file.path), file.clone())).collect(),
            vouched: known.vouched.clone(),
            threads: self.options.threads,
            cancel: self.cancel.clone(),
        }
    }
}

/// Vouches for the shards that items are read from.
pub struct Voucher {
    store: Store,
    files: HashMap<PathBuf, StoredFile>,
    vouched: Arc<Vouched>,
    threads: usize,
    cancel: CancellationToken,
}

impl Voucher {
    /// The shards of some items are what they were, and here.
    pub fn items<'a>(&self, items: impl Iterator<Item = &'a Item>) -> Result<(), Error> {
        let paths: HashSet<&Path> =
            items.filter(|item| item.rows.is_some()).filter_map(|item| item.place.path()).collect();
        let files = paths.into_iter().filter_map(|path| self.files.get(path));
        vouch(&self.store, &self.vouched, files, self.threads, &self.cancel)
    }
}

fn vouch<'a>(
    store: &Store,
    vouched: &Vouched,
    files: impl Iterator<Item = &'a StoredFile>,
    threads: usize,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let files: Vec<&StoredFile> = {
        let known = vouched.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.filter(|file| !known.contains(&file.path)).collect()
    };
    let next = AtomicUsize::new(0);
    let check = || -> Result<(), Error> {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if digest_file(&store.fetch(&file.path)?, cancel)? != file.digest {
                let message = "is damaged: it is not what was written; \
                               `etude verify FILE --repair` has it computed again";
                let path = store.shown(&file.path);
                return Err(Error::Store { path, message: message.into() });
            }
            vouched.0.lock().unwrap_or_else(PoisonError::into_inner).insert(file.path.clone());
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.min(files.len())).map(|_| scope.spawn(check)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(Error::Other("a thread ended early".into())))
        })
    })
}
