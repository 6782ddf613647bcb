//! What a run keeps.
//!
//! ```text
//! data/<fingerprint>/<bucket>/<name>.parquet       the shards of an item stage
//! data/<fingerprint>/<inputs>-<content>/…          the files of a dataset stage
//! snapshots/<fingerprint>/<inputs>                 which files a stage's output consists of
//! runs/<number>                                    which snapshots a run ended with
//! stamps                                           a cache of the digests of files, of this machine
//! scratch/                                         what is not complete yet, on this machine
//! resume/<fingerprint>-<inputs>/                   the state of long work, on this machine
//! ```
//!
//! A shard's name is derived from the keys and digests of the items that go into it, so what
//! exists is right, and what is asked for is looked up by name. Everything but the cache is
//! written once, whole, and then has its name, without replacing. Where: see [`Home`].

#[cfg(feature = "cloud")]
mod beat;
mod disk;
mod file;
mod folder;
mod gc;
mod home;
mod lease;
#[cfg(feature = "cloud")]
mod objects;
mod open;
#[cfg(feature = "cloud")]
mod remote;
mod resume;
mod run;
mod scratch;
mod snapshot;
mod stamps;
mod text;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;
use crate::place::Source;

pub(crate) use disk::Disk;
#[cfg(test)]
pub(crate) use disk::Local;
pub use gc::{Collection, Garbage, Reason};
pub use home::{Entry, Held, Home};
pub use lease::Lease;
#[cfg(all(test, feature = "cloud"))]
pub(crate) use remote::Remote;
pub use resume::Resume;
pub use run::{RunRecord, StageRecord};
pub use scratch::Scratch;
pub use snapshot::{Counts, Filtered, ItemEntry, Rejected, Snapshot, StoredFile};
pub use stamps::{Stamps, digest_file};

/// A store.
#[derive(Debug, Clone)]
pub struct Store {
    home: Arc<dyn Home>,
    /// A folder of this machine: the store itself, or for copies of what is in it.
    root: PathBuf,
    disk: Arc<dyn Disk>,
    tell: Tell,
}

/// Whom to tell that something is waited for.
#[derive(Clone)]
struct Tell(Arc<dyn Fn(&str) + Send + Sync>);

impl fmt::Debug for Tell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tell")
    }
}

impl Store {
    /// Has someone told when others are waited for.
    #[must_use]
    pub fn telling(self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { tell: Tell(Arc::new(tell)), ..self }
    }

    /// What changes on this machine go through.
    pub(crate) fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    /// Whether anything has been written.
    pub fn is_there(&self) -> Result<bool, Error> {
        self.home.is_there()
    }

    /// Where something in the store is on this machine, if it is here.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The address of something in the store, for messages.
    pub fn shown(&self, relative: &str) -> PathBuf {
        self.home.shown(relative)
    }

    /// Whether what is on this machine are copies.
    pub fn copies(&self) -> bool {
        self.home.copies()
    }

    /// Brings a file to this machine, if it is not here.
    pub fn fetch(&self, relative: &str) -> Result<PathBuf, Error> {
        self.home.fetch(relative)
    }

    /// Where a file is on this machine; of a store behind a URL it is written to `to`, whether a copy is here or not.
    pub fn fetch_to(&self, relative: &str, to: &Path) -> Result<PathBuf, Error> {
        self.home.fetch_to(relative, to)
    }

    /// Opens a file where it is.
    pub fn source(&self, relative: &str) -> Result<Box<dyn Source>, Error> {
        self.home.open(relative)
    }

    /// A new empty folder for what is not complete yet.
    pub fn scratch(&self) -> Result<Scratch, Error> {
        Scratch::create(self.disk(), &self.path(scratch::FOLDER))
    }

    /// Gives a complete file its name; whether that was free. If it is taken, what has it is as good.
    pub fn publish(&self, complete: &Path, relative: &str) -> Result<bool, Error> {
        self.home.publish(complete, relative)
    }

    /// The same, in the place of what has the name, if anything does.
    pub fn publish_again(&self, complete: &Path, relative: &str) -> Result<(), Error> {
        self.home.publish_again(complete, relative)
    }

    /// Gives a complete folder of files its name. What has the name goes first.
    pub fn publish_folder(&self, complete: &Path, relative: &str) -> Result<(), Error> {
        self.home.publish_folder(complete, relative)
    }

    /// Keeps others from publishing what they have made until it is dropped.
    pub fn lock(&self) -> Result<Box<dyn Held>, Error> {
        let waits =
            || (self.tell.0)("waiting for another process, which collects garbage or repairs the store");
        self.home.lock(&waits)
    }

    /// All texts that carry their digest: snapshots, records of runs, the cache of stamps.
    pub fn texts(&self) -> Result<Vec<String>, Error> {
        let mut texts: Vec<String> = self.all("snapshots")?.into_iter().map(|entry| entry.path).collect();
        texts.extend(self.all("runs")?.into_iter().map(|entry| entry.path));
        texts.extend(self.path(stamps::NAME).is_file().then(|| stamps::NAME.to_owned()));
        Ok(texts)
    }

    /// All files in a folder and those below, sorted.
    pub fn all(&self, folder: &str) -> Result<Vec<Entry>, Error> {
        self.home.all(folder)
    }

    /// Bytes of files, of those that are there.
    pub fn sizes(&self, paths: &[&str]) -> Result<Vec<Option<u64>>, Error> {
        self.home.sizes(paths)
    }

    /// Removes something, if it is there.
    pub fn remove(&self, relative: &str) -> Result<(), Error> {
        self.home.remove(relative)
    }

    /// The names in a folder, sorted; none where there is no folder.
    pub fn names(&self, relative: &str) -> Result<Vec<String>, Error> {
        self.home.names(relative)
    }

    /// Reads a sealed text, if it is there.
    fn read(&self, relative: &str) -> Result<Option<String>, Error> {
        let sealed = self.home.read(relative)?;
        sealed.map(|sealed| text::unseal(&self.shown(relative), sealed)).transpose()
    }

    /// Writes a text, sealed, under a name that is not taken; false when it is.
    fn create(&self, relative: &str, text: &str) -> Result<bool, Error> {
        self.home.create(relative, &text::seal(text))
    }

    /// Writes a text, sealed, replacing what is there.
    fn replace(&self, relative: &str, text: &str) -> Result<(), Error> {
        self.home.replace(relative, &text::seal(text))
    }
}
