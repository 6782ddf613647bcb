//! What a run keeps.
//!
//! ```text
//! data/<fingerprint>/<bucket>/<name>.parquet    the shards of an item stage
//! data/<fingerprint>/<inputs>/…                 the files of a dataset stage
//! snapshots/<fingerprint>/<inputs>              which files a stage's output consists of
//! runs/<number>                                 which snapshots a run ended with
//! stamps                                        a cache of the digests of files
//! scratch/                                      what is not complete yet
//! ```
//!
//! A shard's name is derived from the keys and digests of the items that go into it, so what
//! exists is right, and what is asked for is looked up by name. Everything but the cache is
//! written once: to a temporary file, synchronised, and then given its name, without replacing.

mod disk;
mod file;
mod gc;
mod lease;
mod run;
mod scratch;
mod snapshot;
mod stamps;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;

pub(crate) use disk::{Disk, Local};
pub use gc::{Garbage, Reason};
pub use lease::Lease;
pub use run::{RunRecord, StageRecord};
pub use scratch::Scratch;
pub use snapshot::{Counts, Filtered, ItemEntry, Rejected, Snapshot, StoredFile};
pub use stamps::{Stamps, digest_file};

/// A store in a local folder.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Store {
    /// The store at a URL: a path or `file://…`. Nothing is created before something is written.
    pub fn open(url: &str) -> Result<Self, Error> {
        let path = match url.split_once("://") {
            None => url,
            Some(("file", path)) if path.starts_with('/') => path,
            Some(("file", _)) => {
                return Err(Error::Other(format!("--store {url}: the path of a file:// URL begins with /")));
            }
            Some((scheme, _)) => {
                return Err(Error::Other(format!(
                    "--store {url}: a store is a local folder (a path or file:///path); {scheme}:// is not supported"
                )));
            }
        };
        if path.is_empty() {
            return Err(Error::Other("--store: expected a folder or file:///path, found nothing".into()));
        }
        let root = std::path::absolute(path).map_err(Error::io(Path::new(path)))?;
        Ok(Self::on(root, Arc::new(Local)))
    }

    /// A store in a folder of a disk.
    pub(crate) fn on(root: PathBuf, disk: Arc<dyn Disk>) -> Self {
        Self { root, disk }
    }

    /// What changes to it go through.
    pub(crate) fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    /// Whether anything has been written.
    pub fn is_there(&self) -> bool {
        self.root.is_dir()
    }

    /// The absolute path of something in the store.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A new empty folder for what is not complete yet.
    pub fn scratch(&self) -> Result<Scratch, Error> {
        Scratch::create(self.disk(), &self.path(scratch::FOLDER))
    }

    /// Gives a complete file or folder its name; whether that was free. If it is taken, what has it is as good.
    pub fn publish(&self, complete: &Path, relative: &str) -> Result<bool, Error> {
        file::publish(self.disk(), complete, &self.path(relative))
    }

    /// The same, in the place of what has the name, if anything does.
    pub fn publish_again(&self, complete: &Path, relative: &str) -> Result<(), Error> {
        file::replace(self.disk(), complete, &self.path(relative))
    }

    /// Keeps others from publishing what they have made until it is dropped; the kernel lets go of it with the
    /// process.
    pub fn lock(&self) -> Result<std::fs::File, Error> {
        let path = self.path("lock");
        let io = Error::io(&path);
        let lock = std::fs::File::create(&path).and_then(|lock| lock.lock().map(|()| lock));
        lock.map_err(io)
    }

    /// All texts that carry their digest: snapshots, records of runs, the cache of stamps.
    pub fn texts(&self) -> Result<Vec<String>, Error> {
        let mut texts = Vec::new();
        for fingerprint in self.names("snapshots")? {
            let names = self.names(&format!("snapshots/{fingerprint}"))?;
            texts.extend(names.iter().map(|name| format!("snapshots/{fingerprint}/{name}")));
        }
        texts.extend(self.names("runs")?.iter().map(|name| format!("runs/{name}")));
        texts.extend(self.path("stamps").is_file().then(|| "stamps".to_owned()));
        Ok(texts)
    }

    /// All files of stages.
    pub fn data(&self) -> Result<Vec<String>, Error> {
        let mut files = Vec::new();
        for fingerprint in self.names("data")? {
            for folder in self.names(&format!("data/{fingerprint}"))? {
                let folder = format!("data/{fingerprint}/{folder}");
                files.extend(self.names(&folder)?.iter().map(|name| format!("{folder}/{name}")));
            }
        }
        Ok(files)
    }

    /// Removes something, if it is there.
    pub fn remove(&self, relative: &str) -> Result<(), Error> {
        file::remove_any(self.disk(), &self.path(relative))
    }

    /// The names in a folder, sorted; none where there is no folder.
    pub fn names(&self, relative: &str) -> Result<Vec<String>, Error> {
        let folder = self.path(relative);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            // Nor is a stray file one.
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(Error::io(&folder)(error)),
        };
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Reads a checked text, if it is there.
    fn read(&self, relative: &str) -> Result<Option<String>, Error> {
        file::read_checked(&self.path(relative))
    }

    /// Writes a checked text under a name that is not taken; false when it is.
    fn create(&self, relative: &str, text: &str) -> Result<bool, Error> {
        file::create_checked(self.disk(), &self.path(scratch::FOLDER), &self.path(relative), text)
    }

    /// Writes a checked text, replacing what is there.
    fn replace(&self, relative: &str, text: &str) -> Result<(), Error> {
        file::replace_checked(self.disk(), &self.path(scratch::FOLDER), &self.path(relative), text)
    }

    /// Takes something that is damaged or incomplete out of the way.
    pub fn set_aside(&self, relative: &str, scratch: &Scratch) -> Result<(), Error> {
        let path = self.path(relative);
        if path.exists() {
            let aside = scratch.path().join(format!("aside-{}", relative.replace('/', "-")));
            self.disk().rename(&path, &aside).map_err(Error::io(&path))?;
        }
        Ok(())
    }
}
