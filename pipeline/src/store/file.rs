//! Files that are written once, whole, and survive a crash.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::disk::Disk;
use crate::error::Error;

/// Synchronises a complete file and gives it its name, without replacing; whether the name was free. It is gone from
/// where it was.
pub fn publish(disk: &dyn Disk, complete: &Path, target: &Path) -> Result<bool, Error> {
    let folder = create_parent(disk, target)?;
    disk.sync_file(complete).map_err(Error::io(complete))?;
    let free = name_file(disk, complete, target)?;
    if complete.exists() {
        disk.remove_file(complete).map_err(Error::io(complete))?;
    }
    disk.sync_folder(folder).map_err(Error::io(folder))?;
    Ok(free)
}

/// Synchronises a complete folder and gives it its name. What has the name goes first.
pub fn publish_folder(disk: &dyn Disk, complete: &Path, target: &Path) -> Result<(), Error> {
    let folder = create_parent(disk, target)?;
    for entry in fs::read_dir(complete).map_err(Error::io(complete))? {
        let path = entry.map_err(Error::io(complete))?.path();
        disk.sync_file(&path).map_err(Error::io(&path))?;
    }
    disk.sync_folder(complete).map_err(Error::io(complete))?;
    // A folder that is not empty is not replaced by a rename.
    remove_any(disk, target)?;
    disk.rename(complete, target).map_err(Error::io(target))?;
    disk.sync_folder(folder).map_err(Error::io(folder))
}

/// Gives a file a name that may be taken; whether it was free.
fn name_file(disk: &dyn Disk, file: &Path, target: &Path) -> Result<bool, Error> {
    match disk.link(file, target) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        // A file system without hard links.
        Err(_) if !target.exists() => {
            disk.rename(file, target).map_err(Error::io(target))?;
            Ok(true)
        }
        // It may have been done although there was an error.
        Err(_) if same(file, target) => Ok(true),
        Err(error) => Err(Error::io(target)(error)),
    }
}

fn same(one: &Path, other: &Path) -> bool {
    match (fs::read(one), fs::read(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Synchronises a complete file and gives it a name, in the place of what has it.
pub fn replace(disk: &dyn Disk, complete: &Path, target: &Path) -> Result<(), Error> {
    let folder = create_parent(disk, target)?;
    disk.sync_file(complete).map_err(Error::io(complete))?;
    disk.rename(complete, target).map_err(Error::io(target))?;
    disk.sync_folder(folder).map_err(Error::io(folder))
}

/// Removes a file, if it is there.
pub fn remove(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    match disk.remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io(path)(error)),
        Ok(()) => {
            let folder = path.parent().unwrap_or(path);
            disk.sync_folder(folder).map_err(Error::io(folder))
        }
    }
}

/// Removes a file or a folder with all that is in it, if it is there.
pub fn remove_any(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    if path.is_dir() { disk.remove_folder(path).map_err(Error::io(path)) } else { remove(disk, path) }
}

/// Writes a text under a name; false when that is taken. `scratch` is a folder for what is not complete yet.
pub fn create(disk: &dyn Disk, scratch: &Path, target: &Path, text: &[u8]) -> Result<bool, Error> {
    publish(disk, &write(disk, scratch, text)?, target)
}

/// Writes a text, replacing what is there.
pub fn replace_text(disk: &dyn Disk, scratch: &Path, target: &Path, text: &[u8]) -> Result<(), Error> {
    replace(disk, &write(disk, scratch, text)?, target)
}

/// Writes a text to a file that has no name yet.
fn write(disk: &dyn Disk, scratch: &Path, text: &[u8]) -> Result<PathBuf, Error> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    create_folder(disk, scratch)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = scratch.join(format!("text-{}-{now}-{count}", std::process::id()));
    let written = disk.create(&path).and_then(|mut file| file.write_all(text));
    if written.is_err() {
        let _ = disk.remove_file(&path);
    }
    written.map_err(Error::io(&path))?;
    Ok(path)
}

/// The folder of a file, made if it is not there.
fn create_parent<'a>(disk: &dyn Disk, target: &'a Path) -> Result<&'a Path, Error> {
    let folder = target.parent().unwrap_or(target);
    create_folder(disk, folder)?;
    Ok(folder)
}

/// Makes a folder and those that it is in. Their names survive a crash.
pub fn create_folder(disk: &dyn Disk, folder: &Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
        create_folder(disk, above)?;
        disk.create_folder(folder).map_err(Error::io(folder))?;
        return disk.sync_folder(above).map_err(Error::io(above));
    }
    disk.create_folder(folder).map_err(Error::io(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::Local;

    #[test]
    fn publishing_never_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("data/x");
        for text in ["first", "second"] {
            let complete = folder.path().join("complete");
            fs::write(&complete, text).unwrap();
            assert_eq!(publish(&Local, &complete, &target).unwrap(), text == "first");
            assert!(!complete.exists());
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), "first");
        assert!(!create(&Local, folder.path(), &target, b"third").unwrap());
        replace_text(&Local, folder.path(), &target, b"fourth").unwrap();
        assert_eq!(fs::read_to_string(target).unwrap(), "fourth");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
    }

    #[test]
    fn a_folder_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let (complete, target) = (folder.path().join("complete"), folder.path().join("data/x"));
        for name in ["first", "second"] {
            fs::create_dir(&complete).unwrap();
            fs::write(complete.join(name), name).unwrap();
            publish_folder(&Local, &complete, &target).unwrap();
        }
        assert!(!complete.exists() && !target.join("first").exists());
        assert_eq!(fs::read_to_string(target.join("second")).unwrap(), "second");
    }
}
