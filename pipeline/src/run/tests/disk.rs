//! A disk that fails, or on which everything ends, at an operation that is told beforehand.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::store::{Disk, Local};

/// What happens at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Everything ends before it.
    CrashBefore,
    /// Everything ends after it.
    CrashAfter,
    /// It is done, and says that it was not.
    Ambiguous,
    /// It is not done.
    Full,
}

#[derive(Debug, Default)]
struct State {
    operations: u64,
    dead: bool,
    /// How to undo what a crash would undo, oldest first.
    undo: Vec<Undo>,
    /// Files by inode whose content a crash would lose.
    unsynced: BTreeSet<u64>,
    kept: u64,
}

#[derive(Debug)]
struct Undo {
    /// The folder whose synchronisation makes it last.
    folders: Vec<PathBuf>,
    how: How,
}

#[derive(Debug)]
enum How {
    Remove(PathBuf),
    /// What was moved goes back, and what it replaced comes back.
    Rename {
        from: PathBuf,
        to: PathBuf,
        replaced: Option<PathBuf>,
    },
    /// What was removed comes back.
    Restore {
        kept: PathBuf,
        path: PathBuf,
    },
}

/// Counts operations; at one of them something happens.
#[derive(Debug)]
pub struct Faulty {
    at: u64,
    fault: Fault,
    /// A folder for what a crash may bring back.
    aside: PathBuf,
    state: Mutex<State>,
}

impl Faulty {
    /// A disk on which `fault` happens at operation `at`, counted from 0.
    pub fn new(at: u64, fault: Fault, aside: &Path) -> Self {
        fs::create_dir_all(aside).unwrap();
        Self { at, fault, aside: aside.to_owned(), state: Mutex::default() }
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state.lock().unwrap().operations
    }

    /// Whether everything has ended.
    pub fn crashed(&self) -> bool {
        self.state.lock().unwrap().dead
    }

    /// Loses all that was not synchronised, as a crash of the machine does.
    pub fn lose(&self) {
        let mut state = self.state.lock().unwrap();
        for Undo { how, .. } in std::mem::take(&mut state.undo).into_iter().rev() {
            match how {
                How::Remove(path) if path.is_dir() => drop(fs::remove_dir_all(path)),
                How::Remove(path) => drop(fs::remove_file(path)),
                How::Rename { from, to, replaced } => {
                    let _ = fs::rename(&to, from);
                    if let Some(replaced) = replaced {
                        let _ = fs::rename(replaced, to);
                    }
                }
                How::Restore { kept, path } => drop(fs::rename(kept, path)),
            }
        }
        for path in walk(self.aside.parent().unwrap()) {
            let inode = fs::metadata(&path).unwrap().ino();
            if state.unsynced.contains(&inode) {
                File::options().write(true).open(path).unwrap().set_len(0).unwrap();
            }
        }
    }

    fn operation<T>(&self, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let ended = || io::Error::other("everything has ended");
        let mut state = self.state.lock().unwrap();
        if state.dead {
            return Err(ended());
        }
        let now = state.operations == self.at;
        state.operations += 1;
        if !now {
            return act(&mut state);
        }
        match self.fault {
            Fault::CrashBefore => {
                state.dead = true;
                Err(ended())
            }
            Fault::CrashAfter => {
                let _ = act(&mut state);
                state.dead = true;
                Err(ended())
            }
            Fault::Ambiguous => {
                let _ = act(&mut state);
                Err(io::Error::other("an error, although it was done"))
            }
            Fault::Full => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    /// Keeps what a crash would bring back.
    fn keep(&self, state: &mut State, path: &Path) -> Option<PathBuf> {
        state.kept += 1;
        let kept = self.aside.join(state.kept.to_string());
        fs::hard_link(path, &kept).ok()?;
        Some(kept)
    }
}

/// All files below a folder.
pub fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap().to_owned()
}

impl Disk for Faulty {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.operation(|state| {
            let new = !path.exists();
            Local.create_folder(path)?;
            if new {
                state.undo.push(Undo { folders: vec![parent(path)], how: How::Remove(path.to_owned()) });
            }
            Ok(())
        })
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        self.operation(|state| {
            let file = Local.create(path)?;
            state.unsynced.insert(file.metadata()?.ino());
            state.undo.push(Undo { folders: vec![parent(path)], how: How::Remove(path.to_owned()) });
            Ok(file)
        })
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.operation(|state| {
            state.unsynced.remove(&fs::metadata(path)?.ino());
            Ok(())
        })
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.operation(|state| {
            for undo in &mut state.undo {
                undo.folders.retain(|folder| folder != path);
            }
            state.undo.retain(|undo| !undo.folders.is_empty());
            Ok(())
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operation(|state| {
            Local.link(from, to)?;
            state.undo.push(Undo { folders: vec![parent(to)], how: How::Remove(to.to_owned()) });
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operation(|state| {
            let replaced = if to.is_file() { self.keep(state, to) } else { None };
            Local.rename(from, to)?;
            let how = How::Rename { from: from.to_owned(), to: to.to_owned(), replaced };
            state.undo.push(Undo { folders: vec![parent(to)], how });
            Ok(())
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.operation(|state| {
            let kept = if path.is_file() { self.keep(state, path) } else { None };
            Local.remove_file(path)?;
            if let Some(kept) = kept {
                let how = How::Restore { kept, path: path.to_owned() };
                state.undo.push(Undo { folders: vec![parent(path)], how });
            }
            Ok(())
        })
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.operation(|_| Local.remove_folder(path))
    }
}

/// The file system without waiting for it: what tests of the logic alone need.
#[derive(Debug)]
pub struct Quick;

impl Disk for Quick {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        Local.create_folder(path)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        Local.create(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        fs::metadata(path).map(|_| ())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        fs::metadata(path).map(|_| ())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        Local.link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Local.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        Local.remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        Local.remove_folder(path)
    }
}
