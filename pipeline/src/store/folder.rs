//! A store in a folder of this machine.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::home::{Entry, Held, Home, SHORT};
use super::{file, scratch};
use crate::error::Error;
use crate::place::{Place, Source};

/// A store in a folder.
#[derive(Debug)]
pub struct Folder {
    pub root: PathBuf,
    pub disk: Arc<dyn Disk>,
}

const LEASES: &str = "leases";

impl Held for File {}

/// A file that says what is in use, locked.
#[derive(Debug)]
struct Lease {
    path: PathBuf,
    _lock: File,
}

impl Held for Lease {}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Folder {
    fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    fn walk(&self, relative: &str, found: &mut Vec<Entry>) -> Result<(), Error> {
        for name in self.names(relative)? {
            let relative = format!("{relative}/{name}");
            // What is gone by now need not be told of.
            let Ok(about) = fs::metadata(self.path(&relative)) else { continue };
            if about.is_dir() {
                self.walk(&relative, found)?;
            } else {
                let modified = about.modified().unwrap_or(std::time::UNIX_EPOCH);
                found.push(Entry { path: relative, bytes: about.len(), modified });
            }
        }
        Ok(())
    }
}

impl Home for Folder {
    fn is_there(&self) -> Result<bool, Error> {
        Ok(self.root.is_dir())
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        let folder = self.path(folder);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // Nor is a stray file one.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(Error::io(&folder)(error)),
        };
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn all(&self, folder: &str) -> Result<Vec<Entry>, Error> {
        let mut found = Vec::new();
        self.walk(folder, &mut found)?;
        Ok(found)
    }

    fn sizes(&self, paths: &[&str]) -> Result<Vec<Option<u64>>, Error> {
        let size = |path: &&str| {
            fs::metadata(self.path(path)).ok().filter(fs::Metadata::is_file).map(|found| found.len())
        };
        Ok(paths.iter().map(size).collect())
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(path);
        match fs::read(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(&path)(error)),
        }
    }

    fn create(&self, path: &str, text: &[u8]) -> Result<bool, Error> {
        file::create(self.disk.as_ref(), &self.path(scratch::FOLDER), &self.path(path), text)
    }

    fn replace(&self, path: &str, text: &[u8]) -> Result<(), Error> {
        file::replace_text(self.disk.as_ref(), &self.path(scratch::FOLDER), &self.path(path), text)
    }

    fn publish(&self, complete: &Path, path: &str) -> Result<bool, Error> {
        file::publish(self.disk.as_ref(), complete, &self.path(path))
    }

    fn publish_again(&self, complete: &Path, path: &str) -> Result<(), Error> {
        file::replace(self.disk.as_ref(), complete, &self.path(path))
    }

    fn publish_folder(&self, complete: &Path, path: &str) -> Result<(), Error> {
        file::publish_folder(self.disk.as_ref(), complete, &self.path(path))
    }

    fn remove(&self, path: &str) -> Result<(), Error> {
        file::remove_any(self.disk.as_ref(), &self.path(path))
    }

    fn tidy(&self, kept: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        for root in ["data", "snapshots"] {
            // A live run may be about to put something into an empty folder of its own.
            for fingerprint in self.names(root)?.into_iter().filter(|name| !kept(name)) {
                let fingerprint = format!("{root}/{fingerprint}");
                for name in self.names(&fingerprint)? {
                    // Fails, as it should, where there is anything in it, or where it is a file.
                    let _ = fs::remove_dir(self.path(&format!("{fingerprint}/{name}")));
                }
                let _ = fs::remove_dir(self.path(&fingerprint));
            }
        }
        Ok(())
    }

    fn shown(&self, path: &str) -> PathBuf {
        self.path(path)
    }

    fn open(&self, path: &str) -> Result<Box<dyn Source>, Error> {
        let path = self.path(path);
        Place::at(&path).open().map_err(Error::io(&path))
    }

    fn fetch(&self, path: &str) -> Result<PathBuf, Error> {
        Ok(self.path(path))
    }

    /// The kernel lets go of it with the process.
    fn lock(&self, waits: &dyn Fn()) -> Result<Box<dyn Held>, Error> {
        file::create_folder(self.disk.as_ref(), &self.root)?;
        let path = self.path("lock");
        let io = Error::io(&path);
        let lock = || -> std::io::Result<File> {
            let lock = File::create(&path)?;
            let begin = Instant::now();
            while begin.elapsed() < SHORT {
                match lock.try_lock() {
                    Ok(()) => return Ok(lock),
                    Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
                    Err(TryLockError::Error(error)) => return Err(error),
                }
            }
            waits();
            lock.lock().map(|()| lock)
        };
        Ok(Box::new(lock().map_err(io)?))
    }

    fn lease(&self, text: &str) -> Result<Box<dyn Held>, Error> {
        let folder = self.path(LEASES);
        file::create_folder(self.disk.as_ref(), &folder)?;
        let named =
            tempfile::Builder::new().prefix("run-").tempfile_in(&folder).map_err(Error::io(&folder))?;
        let (mut file, path) = named.keep().map_err(|error| Error::io(&folder)(error.error))?;
        let held = file.lock().and_then(|()| file.write_all(text.as_bytes()));
        held.map_err(Error::io(&path))?;
        Ok(Box::new(Lease { path, _lock: file }))
    }

    fn leases(&self, apply: bool) -> Result<Vec<String>, Error> {
        let mut alive = Vec::new();
        for name in self.names(LEASES)? {
            let path = self.path(&format!("{LEASES}/{name}"));
            let Ok(mut file) = File::open(&path) else { continue };
            if file.try_lock().is_ok() {
                if apply {
                    let _ = fs::remove_file(&path);
                }
                continue;
            }
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(Error::io(&path))?;
            alive.push(text);
        }
        Ok(alive)
    }
}
