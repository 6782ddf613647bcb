//! The operations that change what a store holds. All go through one trait, so that a test can have any of them
//! fail, or have everything end before or after it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// A disk that a store is on. What is read is read from the file system itself.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Makes a folder, whose parent is there; one that is there is left alone.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Makes a new file for writing.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Has the content of a file survive a crash.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Has the names in a folder survive a crash.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Gives a file a second name.
    ///
    /// Errors: `AlreadyExists` when the name is taken; `Unsupported` where there are no second names.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file or folder another name. Of a file, what has the name is replaced; a folder replaces an
    /// empty one only.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder with all that is in it.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Debug)]
pub struct Local;

impl Disk for Local {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            other => other,
        }
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        File::options().write(true).create_new(true).open(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }
}
