//! Looks through a store: whether everything is what was written.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::check;
use super::engine::Engine;
use crate::error::Error;
use crate::store::{Scratch, Snapshot, digest_file};

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
                        files.insert(file.path, Some(file.digest));
                    }
                }
                Err(Error::Store { message, .. }) => verified.damaged.push(Damage { path, message }),
                Err(other) => return Err(other),
            }
        }
        for entry in self.store.all("data")? {
            files.entry(entry.path).or_insert(None);
        }
        let files: Vec<_> = files.into_iter().collect();
        // For what is fetched for this alone.
        let scratch = self.store.copies().then(|| self.store.scratch()).transpose()?;
        let scratch = scratch.as_ref().map_or(Path::new(""), Scratch::path);
        let (next, damaged) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || -> Result<u64, Error> {
            let mut bytes = 0;
            while let Some((path, expected)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (size, message) = self.look(path, expected.as_deref(), scratch)?;
                bytes += size;
                if let Some(message) = message {
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
        let mut left = Vec::with_capacity(verified.damaged.len());
        for damage in std::mem::take(&mut verified.damaged) {
            let names = naming.get(&damage.path).into_iter().flatten().map(String::as_str);
            let paths: Vec<&str> = names.chain([damage.path.as_str()]).collect();
            let gone = self.store.sizes(&paths)?.iter().all(Option::is_none);
            left.extend((!gone).then_some(damage));
        }
        verified.damaged = left;
        if repair && !verified.damaged.is_empty() {
            // What another run has made again meanwhile is not to be removed.
            let exclusive = self.store.lock()?;
            for damage in &verified.damaged {
                exclusive.check()?;
                let names = naming.get(&damage.path).into_iter().flatten();
                // As they are now.
                let names =
                    names.filter_map(|name| Some((name, self.store.snapshot_at(name).ok().flatten()?)));
                let names: Vec<(&String, Snapshot)> = names.collect();
                let said = names.iter().flat_map(|(_, snapshot)| &snapshot.files);
                let mut said = said.filter(|file| file.path == damage.path).map(|file| file.digest.as_str());
                let now = match files.iter().any(|(path, _)| *path == damage.path) {
                    true => self.look(&damage.path, said.next(), scratch)?.1.is_some(),
                    false => self.store.snapshot_at(&damage.path).is_err(),
                };
                if !now {
                    continue;
                }
                for (snapshot, _) in &names {
                    self.store.remove(snapshot)?;
                }
                self.store.remove(&damage.path)?;
            }
        }
        Ok(verified)
    }

    /// The size of a file, and what is wrong with it: with one of which size and digest are known, or with one that
    /// no snapshot names.
    fn look(
        &self,
        path: &str,
        expected: Option<&str>,
        scratch: &Path,
    ) -> Result<(u64, Option<String>), Error> {
        let missing = || Ok((0, Some("is missing".into())));
        let full = match self.store.fetch_to(path, &scratch.join(path.replace('/', "-"))) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return missing(),
            full => full?,
        };
        if !full.is_file() {
            return missing();
        }
        let size = std::fs::metadata(&full).map_or(0, |found| found.len());
        let wrong = match self.compare(&full, expected) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return missing(),
            wrong => wrong?,
        };
        if self.store.copies() {
            let _ = std::fs::remove_file(&full);
        }
        Ok((size, wrong))
    }

    fn compare(&self, file: &Path, expected: Option<&str>) -> Result<Option<String>, Error> {
        match expected {
            Some(digest) if digest_file(file, &self.cancel)? != *digest => {
                Ok(Some("its content does not match its digest".into()))
            }
            None if file.extension().is_some_and(|extension| extension == "parquet") => {
                match check::shard(file, &self.cancel) {
                    // What a dataset stage has left unfinished is no shard.
                    Err(Error::Store { message, .. }) if !message.starts_with("is not a shard") => {
                        Ok(Some(message))
                    }
                    Err(error @ Error::Cancelled) => Err(error),
                    _ => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }
}
