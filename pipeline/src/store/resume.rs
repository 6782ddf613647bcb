//! Folders for the state of long work, which outlive the run that writes them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk::Disk;
use super::{Store, file};
use crate::error::Error;

/// Where they are, below a store's root on this machine.
pub const FOLDER: &str = "resume";

const LOCK: &str = "lock";

/// How long a state is kept that nobody has gone on with.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The folder of one piece of work. What is in it is there again when the work is taken up after the run was killed.
#[derive(Debug)]
pub struct Resume {
    folder: PathBuf,
    /// Held as long as the work goes on; the kernel lets go of it with the process.
    _lock: File,
}

impl Resume {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Removes what is in it.
    pub fn clear(&self, disk: &dyn Disk) -> Result<(), Error> {
        for entry in fs::read_dir(&self.folder).map_err(Error::io(&self.folder))? {
            let path = entry.map_err(Error::io(&self.folder))?.path();
            if path.file_name() != Some(LOCK.as_ref()) {
                file::remove_any(disk, &path)?;
            }
        }
        Ok(())
    }

    /// Removes it: the work is done.
    pub fn remove(self, disk: &dyn Disk) -> Result<(), Error> {
        file::remove_any(disk, &self.folder)
    }
}

impl Store {
    /// The folder of the work that is named so; none while another run is at the same work.
    pub fn resume(&self, name: &str) -> Result<Option<Resume>, Error> {
        let folder = self.path(FOLDER).join(name);
        file::create_folder(self.disk(), &folder)?;
        let path = folder.join(LOCK);
        let lock =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::io(&path))?;
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        // Whoever held it may have removed the folder just before.
        if !path.is_file() {
            return self.resume(name);
        }
        Ok(Some(Resume { folder, _lock: lock }))
    }
}

/// The folders that nobody has gone on with for a week.
pub fn abandoned(root: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(root).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    folders
        .filter(|folder| {
            let free = File::open(folder.join(LOCK)).map_or(true, |lock| lock.try_lock().is_ok());
            let modified = fs::metadata(folder).and_then(|found| found.modified());
            free && modified.ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > KEPT)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::Local;

    #[test]
    fn what_was_left_is_there_again_and_one_run_has_it() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(&root.path().display().to_string()).unwrap();
        let first = store.resume("work").unwrap().unwrap();
        fs::write(first.path().join("state"), "1").unwrap();
        assert!(store.resume("work").unwrap().is_none());
        assert!(store.resume("other").unwrap().is_some());
        drop(first);
        let second = store.resume("work").unwrap().unwrap();
        assert_eq!(fs::read_to_string(second.path().join("state")).unwrap(), "1");
        second.clear(&Local).unwrap();
        assert!(!second.path().join("state").exists());
        let path = second.path().to_owned();
        second.remove(&Local).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn only_what_is_old_and_free_is_abandoned() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(&root.path().display().to_string()).unwrap();
        let old = |resume: &Resume| {
            let time = std::time::SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
            File::open(resume.path()).unwrap().set_modified(time).unwrap();
        };
        let [left, held, young] = ["left", "held", "young"].map(|name| store.resume(name).unwrap().unwrap());
        old(&left);
        old(&held);
        let path = left.path().to_owned();
        drop(left);
        drop(young);
        assert_eq!(abandoned(&root.path().join(FOLDER)), [path]);
        drop(held);
    }
}
