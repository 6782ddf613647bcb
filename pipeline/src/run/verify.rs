//! Looks through a store: whether everything is what was written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::check;
use super::engine::Engine;
use crate::error::Error;
use crate::store::digest_file;

/// Something that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Damage {
    /// Below the store's root.
    pub path: String,
    pub message: String,
}

/// What was looked at.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verified {
    pub files: u64,
    pub bytes: u64,
    pub damaged: Vec<Damage>,
}

impl Engine {
    /// Reads everything in the store and compares it with its digest. With `repair`, what is damaged is removed, and
    /// so are the snapshots that name it, so that the next run makes it again.
    pub fn verify(&self, repair: bool) -> Result<Verified, Error> {
        let (mut verified, mut files) = (Verified::default(), BTreeMap::new());
        let mut naming: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for path in self.store.texts()? {
            verified.files += 1;
            match self.store.snapshot_at(&path) {
                Ok(snapshot) => {
                    for file in snapshot.into_iter().flat_map(|snapshot| snapshot.files) {
                        naming.entry(file.path.clone()).or_default().insert(path.clone());
                        files.insert(file.path, Some((file.digest, file.bytes)));
                    }
                }
                Err(Error::Store { message, .. }) => verified.damaged.push(Damage { path, message }),
                Err(other) => return Err(other),
            }
        }
        for path in self.store.data()? {
            files.entry(path).or_insert(None);
        }
        let files: Vec<_> = files.into_iter().collect();
        let (next, damaged) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || -> Result<u64, Error> {
            let mut bytes = 0;
            while let Some((path, expected)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                bytes += std::fs::metadata(self.store.path(path)).map_or(0, |found| found.len());
                if let Some(message) = self.look(path, expected.as_ref())? {
                    let damage = Damage { path: path.clone(), message };
                    damaged.lock().unwrap_or_else(PoisonError::into_inner).push(damage);
                }
            }
            Ok(bytes)
        };
        let bytes: Result<Vec<u64>, Error> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.options.threads.max(1)).map(|_| scope.spawn(work)).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|_| Err(Error::Other("a thread ended early".into())))
            };
            threads.into_iter().map(join).collect()
        });
        verified.files += files.len() as u64;
        verified.bytes = bytes?.iter().sum();
        verified.damaged.extend(damaged.into_inner().unwrap_or_else(PoisonError::into_inner));
        verified.damaged.sort();
        // What was collected meanwhile is nowhere named any more.
        verified.damaged.retain(|damage| {
            let named = naming
                .get(&damage.path)
                .is_none_or(|names| names.iter().any(|name| self.store.path(name).is_file()));
            named || self.store.path(&damage.path).is_file()
        });
        if repair && !verified.damaged.is_empty() {
            // What another run has made again meanwhile is not to be removed.
            let _exclusive = self.store.lock()?;
            for damage in &verified.damaged {
                let now = match files.iter().find(|(path, _)| *path == damage.path) {
                    Some((path, expected)) => self.look(path, expected.as_ref())?.is_some(),
                    None => self.store.snapshot_at(&damage.path).is_err(),
                };
                if !now {
                    continue;
                }
                for snapshot in naming.get(&damage.path).into_iter().flatten() {
                    self.store.remove(snapshot)?;
                }
                self.store.remove(&damage.path)?;
            }
        }
        Ok(verified)
    }

    /// What is wrong with a file of which size and digest are known, or with one that no snapshot names.
    fn look(&self, path: &str, expected: Option<&(String, u64)>) -> Result<Option<String>, Error> {
        let full = self.store.path(path);
        if !full.is_file() {
            return Ok(Some("is missing".into()));
        }
        match expected {
            Some((digest, _)) if digest_file(&full, &self.cancel)? != *digest => {
                Ok(Some("its content does not match its digest".into()))
            }
            None if path.ends_with(".parquet") => match check::shard(&full, &self.cancel) {
                // What a dataset stage has left unfinished is no shard.
                Err(Error::Store { message, .. }) if !message.starts_with("is not a shard") => {
                    Ok(Some(message))
                }
                Err(error @ Error::Cancelled) => Err(error),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }
}
