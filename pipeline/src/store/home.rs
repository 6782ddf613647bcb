//! What a store is made of, wherever it is: files that are written once, and texts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::place::Source;

/// How long the lock is usually waited for at most.
pub const SHORT: Duration = Duration::from_secs(2);

/// A file of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Below the store's root.
    pub path: String,
    pub bytes: u64,
    pub modified: SystemTime,
}

/// Keeps something from others until it is dropped, or until the process ends.
pub trait Held: fmt::Debug + Send + Sync {
    /// Errors: when it was lost, such as by a machine that slept while others went on.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Where a store is. Paths are below its root, with `/`.
pub trait Home: fmt::Debug + Send + Sync {
    /// Whether anything has been written.
    fn is_there(&self) -> Result<bool, Error>;
    /// The names in a folder, sorted; none where there is no folder.
    fn names(&self, folder: &str) -> Result<Vec<String>, Error>;
    /// All files in a folder and those below, sorted.
    fn all(&self, folder: &str) -> Result<Vec<Entry>, Error>;
    /// Bytes of files, of those that are there.
    fn sizes(&self, paths: &[&str]) -> Result<Vec<Option<u64>>, Error>;

    /// A text, if it is there.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error>;
    /// Writes a text under a name that is not taken; false when it is, by another text.
    fn create(&self, path: &str, text: &[u8]) -> Result<bool, Error>;
    /// Writes a text, replacing what is there.
    fn replace(&self, path: &str, text: &[u8]) -> Result<(), Error>;

    /// Gives a complete file its name; whether that was free. It is gone from where it was.
    fn publish(&self, complete: &Path, path: &str) -> Result<bool, Error>;
    /// The same, in the place of what has the name, if anything does.
    fn publish_again(&self, complete: &Path, path: &str) -> Result<(), Error>;
    /// Gives a complete folder of files its name. What has the name goes first.
    fn publish_folder(&self, complete: &Path, path: &str) -> Result<(), Error>;
    /// Removes a file, or a folder with all that is in it, if it is there.
    fn remove(&self, path: &str) -> Result<(), Error>;
    /// Removes folders that nothing is in, but for those of some fingerprints, and copies of what is gone.
    fn tidy(&self, kept: &dyn Fn(&str) -> bool) -> Result<(), Error>;

    /// The address of a file, for messages.
    fn shown(&self, path: &str) -> PathBuf;
    /// Opens a file for reading.
    fn open(&self, path: &str) -> Result<Box<dyn Source>, Error>;
    /// Where a file is on this machine; it is brought here if need be.
    fn fetch(&self, path: &str) -> Result<PathBuf, Error>;
    /// Where a file is on this machine. Of a store that is elsewhere it is written to `to`, whether a copy is here or not.
    fn fetch_to(&self, path: &str, to: &Path) -> Result<PathBuf, Error> {
        let _ = to;
        self.fetch(path)
    }
    /// Whether what is here are copies.
    fn copies(&self) -> bool {
        false
    }

    /// Keeps others from publishing what they have made until it is dropped. Waits for them, and calls `waits` when
    /// that takes longer than [`SHORT`].
    fn lock(&self, waits: &dyn Fn()) -> Result<Box<dyn Held>, Error>;
    /// Says to others what is in use. To be called with the lock held.
    fn lease(&self, text: &str) -> Result<Box<dyn Held>, Error>;
    /// What others say that is alive. With `apply`, what dead ones have said is removed.
    fn leases(&self, apply: bool) -> Result<Vec<String>, Error>;
}
