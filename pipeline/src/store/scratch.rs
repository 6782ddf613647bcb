//! Folders for what is not complete yet.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk::Disk;
use super::file;
use crate::error::Error;

/// What has no lock and is younger than this may be about to have one, or be a text that is being written.
const YOUNG: Duration = Duration::from_secs(60);

/// A folder for what is not complete yet, removed when dropped. A run that was killed leaves its
/// folder behind, but not its lock: the next run removes it.
#[derive(Debug)]
pub struct Scratch {
    folder: tempfile::TempDir,
    /// Held as long as the folder is in use; the kernel lets go of it with the process.
    _lock: File,
}

impl Scratch {
    /// A new empty folder below `root`.
    pub fn create(disk: &dyn Disk, root: &Path) -> Result<Self, Error> {
        file::create_folder(disk, root)?;
        sweep(disk, root);
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(root).map_err(Error::io(root))?;
        // It has its name when it is locked: one that is not is that of a run that was killed.
        let lock = tempfile::NamedTempFile::new_in(folder.path()).map_err(Error::io(root))?;
        lock.as_file().lock().map_err(Error::io(root))?;
        let path = folder.path().join(LOCK);
        let lock = lock.persist(&path).map_err(|error| Error::io(&path)(error.error))?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

const LOCK: &str = "lock";

/// Where scratch is, below a store's root.
pub const FOLDER: &str = "scratch";

/// Removes what killed runs have left. What cannot be removed is left to the next run.
fn sweep(disk: &dyn Disk, root: &Path) {
    for left in abandoned(root) {
        let _ = file::remove_any(disk, &left);
    }
}

/// The folders and files that killed runs have left.
pub fn abandoned(root: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(root).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    folders
        .filter(|folder| match File::open(folder.join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            Err(_) => {
                let modified = fs::metadata(folder).and_then(|found| found.modified());
                modified.ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > YOUNG)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::Local;

    #[test]
    fn what_killed_runs_left_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let age = |folder: &Path| {
            let old = std::time::SystemTime::now() - Duration::from_secs(3600);
            File::open(folder).unwrap().set_modified(old).unwrap();
        };
        let killed = root.path().join("run-killed");
        fs::create_dir(&killed).unwrap();
        File::create(killed.join(LOCK)).unwrap();
        age(&killed);
        let alive = Scratch::create(&Local, root.path()).unwrap();
        age(alive.path());
        let other = Scratch::create(&Local, root.path()).unwrap();
        assert!(!killed.exists() && alive.path().exists() && other.path().exists());
    }
}
