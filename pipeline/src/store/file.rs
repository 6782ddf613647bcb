//! Files that are written once, whole, and survive a crash.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::disk::Disk;
use crate::error::Error;

/// Synchronises a complete file or folder and gives it its name, without replacing; whether the name was free. It is
/// gone from where it was.
pub fn publish(disk: &dyn Disk, complete: &Path, target: &Path) -> Result<bool, Error> {
    let folder = create_parent(disk, target)?;
    let mut free = true;
    if complete.is_dir() {
        sync_tree(disk, complete)?;
        // A folder that is not empty is not replaced by a rename.
        match disk.rename(complete, target) {
            Err(_) if target.is_dir() => free = false,
            other => other.map_err(Error::io(target))?,
        }
    } else {
        disk.sync_file(complete).map_err(Error::io(complete))?;
        free = name_file(disk, complete, target)?;
        if complete.exists() {
            disk.remove_file(complete).map_err(Error::io(complete))?;
        }
    }
    disk.sync_folder(folder).map_err(Error::io(folder))?;
    Ok(free)
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

/// Gives a complete file or folder a name, in the place of what has it. What had it before is gone in the
/// same step.
pub fn replace(disk: &dyn Disk, complete: &Path, target: &Path) -> Result<(), Error> {
    let folder = create_parent(disk, target)?;
    if complete.is_dir() {
        sync_tree(disk, complete)?;
        let result =
            if target.exists() { disk.exchange(complete, target) } else { disk.rename(complete, target) };
        result.map_err(Error::io(target))?;
    } else {
        disk.sync_file(complete).map_err(Error::io(complete))?;
        disk.rename(complete, target).map_err(Error::io(target))?;
    }
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

/// Writes a text with its digest in the first line; false when the name is taken. `scratch` is a folder for
/// what is not complete yet.
pub fn create_checked(disk: &dyn Disk, scratch: &Path, target: &Path, text: &str) -> Result<bool, Error> {
    let folder = create_parent(disk, target)?;
    let temporary = write_checked(disk, scratch, text)?;
    let created = name_file(disk, &temporary, target)?;
    if temporary.exists() {
        disk.remove_file(&temporary).map_err(Error::io(&temporary))?;
    }
    disk.sync_folder(folder).map_err(Error::io(folder))?;
    Ok(created)
}

/// Writes a text with its digest in the first line, replacing what is there.
pub fn replace_checked(disk: &dyn Disk, scratch: &Path, target: &Path, text: &str) -> Result<(), Error> {
    let folder = create_parent(disk, target)?;
    let temporary = write_checked(disk, scratch, text)?;
    disk.rename(&temporary, target).map_err(Error::io(target))?;
    disk.sync_folder(folder).map_err(Error::io(folder))
}

/// Reads a text that was written with its digest; a flipped bit is an error.
pub fn read_checked(path: &Path) -> Result<Option<String>, Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path)(error)),
    };
    let damaged = || Error::Store {
        path: path.to_owned(),
        message: "is damaged: its content does not match its digest; remove the file and run again".into(),
    };
    let text = String::from_utf8(bytes).map_err(|_| damaged())?;
    let (digest, body) = text.split_once('\n').ok_or_else(damaged)?;
    if blake3::hash(body.as_bytes()).to_hex().as_str() != digest {
        return Err(damaged());
    }
    Ok(Some(body.to_owned()))
}

/// Writes a text to a file that has no name yet.
fn write_checked(disk: &dyn Disk, scratch: &Path, text: &str) -> Result<PathBuf, Error> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    create_parent(disk, &scratch.join("text"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = scratch.join(format!("text-{}-{now}-{count}", std::process::id()));
    let io = Error::io(&path);
    let write = || -> std::io::Result<()> {
        let mut file = disk.create(&path)?;
        writeln!(file, "{}", blake3::hash(text.as_bytes()).to_hex())?;
        file.write_all(text.as_bytes())?;
        drop(file);
        disk.sync_file(&path)
    };
    let written = write();
    if written.is_err() {
        let _ = disk.remove_file(&path);
    }
    written.map_err(io)?;
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

fn sync_tree(disk: &dyn Disk, folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if path.is_dir() {
            sync_tree(disk, &path)?;
        } else {
            disk.sync_file(&path).map_err(Error::io(&path))?;
        }
    }
    disk.sync_folder(folder).map_err(Error::io(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::Local;

    #[test]
    fn a_flipped_bit_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        assert!(create_checked(&Local, folder.path(), &path, "text").unwrap());
        assert!(!create_checked(&Local, folder.path(), &path, "other").unwrap());
        assert_eq!(read_checked(&path).unwrap().unwrap(), "text");
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(read_checked(&path).unwrap_err().to_string().contains("damaged"));
    }

    #[test]
    fn publishing_never_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("data/x");
        for text in ["first", "second"] {
            let complete = folder.path().join("complete");
            fs::write(&complete, text).unwrap();
            publish(&Local, &complete, &target).unwrap();
        }
        assert_eq!(fs::read_to_string(target).unwrap(), "first");
    }
}
