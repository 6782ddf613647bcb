//! What is read from the store is what was written to it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::engine::Engine;
use crate::error::Error;
use crate::store::{StoredFile, digest_file};

/// Files that were found to be whole in this run.
#[derive(Debug, Default)]
pub struct Vouched(Mutex<HashSet<String>>);

impl Engine {
    /// Compares files with the digests that their snapshot has of them.
    ///
    /// Errors: [`Error::Store`] for the first that is another.
    pub(super) fn vouch<'a>(
        &self,
        vouched: &Vouched,
        files: impl Iterator<Item = &'a StoredFile>,
    ) -> Result<(), Error> {
        let files: Vec<&StoredFile> = {
            let known = vouched.0.lock().unwrap_or_else(PoisonError::into_inner);
            files.filter(|file| !known.contains(&file.path)).collect()
        };
        let next = AtomicUsize::new(0);
        let check = || -> Result<(), Error> {
            while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                let path = self.store.path(&file.path);
                let is_whole = |path: &Path| Ok::<_, Error>(digest_file(path, &self.cancel)? == file.digest);
                // A copy that is right need not be fetched; one that is not says nothing of the store.
                let copied = self.store.copies() && path.is_file() && is_whole(&path)?;
                if !copied && !is_whole(&self.store.fetch_anew(&file.path)?)? {
                    let message = "is damaged: it is not what was written; \
                                   `etude verify FILE --repair` has it computed again";
                    return Err(Error::Store { path, message: message.into() });
                }
                vouched.0.lock().unwrap_or_else(PoisonError::into_inner).insert(file.path.clone());
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.options.threads.min(files.len())).map(|_| scope.spawn(check)).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(Error::Other("a thread ended early".into())))
            })
        })
    }
}
