//! Files that are written once, whole, and survive a crash.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::Error;

/// Synchronises a complete file or folder and gives it its name, without replacing. It is gone from where it was.
pub fn publish(complete: &Path, target: &Path) -> Result<(), Error> {
    let folder = create_parent(target)?;
    if complete.is_dir() {
        sync_tree(complete)?;
        // A folder that is not empty is not replaced by a rename.
        match fs::rename(complete, target) {
            Err(_) if target.is_dir() => {}
            other => other.map_err(Error::io(target))?,
        }
    } else {
        File::open(complete).and_then(|file| file.sync_all()).map_err(Error::io(complete))?;
        match fs::hard_link(complete, target) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            // A file system without hard links.
            Err(_) if !target.exists() => fs::rename(complete, target).map_err(Error::io(target))?,
            Err(error) => return Err(Error::io(target)(error)),
        }
        if complete.exists() {
            fs::remove_file(complete).map_err(Error::io(complete))?;
        }
    }
    sync_folder(folder)
}

/// Gives a complete file or folder a name, in the place of what has it. What had it before is gone in the
/// same step.
pub fn replace(complete: &Path, target: &Path) -> Result<(), Error> {
    let folder = create_parent(target)?;
    if complete.is_dir() {
        sync_tree(complete)?;
        if target.exists() {
            exchange(complete, target).map_err(Error::io(target))?;
        } else {
            fs::rename(complete, target).map_err(Error::io(target))?;
        }
    } else {
        File::open(complete).and_then(|file| file.sync_all()).map_err(Error::io(complete))?;
        fs::rename(complete, target).map_err(Error::io(target))?;
    }
    sync_folder(folder)
}

/// Two folders change places.
fn exchange(one: &Path, other: &Path) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // A file system that cannot do it in one step.
    let aside = one.with_extension("before");
    fs::rename(other, &aside)?;
    fs::rename(one, other)?;
    fs::rename(aside, one)
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path.parent().unwrap_or(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io(path)(error)),
    }
}

/// Removes a file or a folder with all that is in it, if it is there.
pub fn remove_any(path: &Path) -> Result<(), Error> {
    if path.is_dir() { fs::remove_dir_all(path).map_err(Error::io(path)) } else { remove(path) }
}

/// Writes a text with its digest in the first line; false when the name is taken.
pub fn create_checked(target: &Path, text: &str) -> Result<bool, Error> {
    let folder = create_parent(target)?;
    let mut file = temporary(folder)?;
    write_checked(&mut file, text).map_err(Error::io(target))?;
    let created = match file.persist_noclobber(target) {
        Ok(_) => true,
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(Error::io(target)(error.error)),
    };
    sync_folder(folder)?;
    Ok(created)
}

/// Writes a text with its digest in the first line, replacing what is there.
pub fn replace_checked(target: &Path, text: &str) -> Result<(), Error> {
    let folder = create_parent(target)?;
    let mut file = temporary(folder)?;
    write_checked(&mut file, text).map_err(Error::io(target))?;
    file.persist(target).map_err(|error| Error::io(target)(error.error))?;
    sync_folder(folder)
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

fn temporary(folder: &Path) -> Result<tempfile::NamedTempFile, Error> {
    let mut builder = tempfile::Builder::new();
    // As the umask has it: a store may be shared.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(Error::io(folder))
}

fn write_checked(file: &mut tempfile::NamedTempFile, text: &str) -> std::io::Result<()> {
    writeln!(file, "{}", blake3::hash(text.as_bytes()).to_hex())?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()
}

fn create_parent(target: &Path) -> Result<&Path, Error> {
    let folder = target.parent().unwrap_or(target);
    if !folder.is_dir() {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        // The names of the new folders have to survive a crash as well.
        for above in folder.ancestors().skip(1).take(4) {
            sync_folder(above)?;
        }
    }
    Ok(folder)
}

fn sync_tree(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path).and_then(|file| file.sync_all()).map_err(Error::io(&path))?;
        }
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    File::open(folder).and_then(|file| file.sync_all()).map_err(Error::io(folder))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        assert!(create_checked(&path, "text").unwrap());
        assert!(!create_checked(&path, "other").unwrap());
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
            publish(&complete, &target).unwrap();
        }
        assert_eq!(fs::read_to_string(target).unwrap(), "first");
    }
}
