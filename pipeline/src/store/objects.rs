//! A store behind a URL, and copies of what it holds in a folder of this machine.
//!
//! An object is put in one step, so that one that is there is complete. A copy has a mark that says of which object
//! it is one, and the digest of its content: what is damaged here is fetched again, and says nothing of the store.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use object_store::{ObjectMeta, PutResult};
use tokio_util::sync::CancellationToken;

use super::disk::Local;
use super::home::{Entry, Held, Home};
use super::remote::{COMING, Remote};
use super::stamps::digest_file;
use super::{beat, file, scratch};
use crate::error::Error;
use crate::place::{Place, Source};

/// Someone who has not been heard of for so long was killed: who held the lock, and whose lease it is.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub lock: Duration,
    pub lease: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { lock: Duration::from_secs(60), lease: Duration::from_secs(300) }
    }
}

/// A store behind a URL.
#[derive(Debug)]
pub struct Objects {
    remote: Remote,
    /// The folder of copies.
    root: PathBuf,
    patience: Patience,
    /// Copies that were found to be whole.
    whole: Mutex<HashSet<String>>,
}

const MARKS: &str = "marks";
/// What has been on its way for so long will not come.
const OLD: Duration = Duration::from_secs(24 * 3600);

impl Objects {
    pub fn new(remote: Remote, root: PathBuf, patience: Patience) -> Self {
        Self { remote, root, patience, whole: Mutex::default() }
    }

    fn copy(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn mark(&self, path: &str) -> PathBuf {
        self.root.join(MARKS).join(path)
    }

    fn missing(&self, path: &str) -> Error {
        Error::Io { path: self.remote.shown(path), source: ErrorKind::NotFound.into() }
    }

    /// Whether the copy is one of this object, and whole: that is looked at once.
    fn is_current(&self, path: &str, meta: &ObjectMeta) -> bool {
        let noted = fs::read_to_string(self.mark(path)).unwrap_or_default();
        let Some((mark, digest)) = noted.rsplit_once('\n') else { return false };
        let size = fs::metadata(self.copy(path)).map(|found| found.len());
        if mark != mark_of(meta) || !size.is_ok_and(|size| size == meta.size) {
            return false;
        }
        if self.whole().contains(path) {
            return true;
        }
        let found = digest_file(&self.copy(path), &CancellationToken::new());
        let is_whole = found.is_ok_and(|found| found == digest);
        if is_whole {
            self.whole().insert(path.to_owned());
        }
        is_whole
    }

    fn whole(&self) -> MutexGuard<'_, HashSet<String>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a complete file as the copy of an object. It is gone from where it was.
    fn keep(&self, complete: &Path, path: &str, mark: &str) -> std::io::Result<()> {
        let (copy, noted) = (self.copy(path), self.mark(path));
        for file in [&copy, &noted] {
            fs::create_dir_all(file.parent().unwrap_or(file))?;
        }
        // Without its mark a copy is none.
        match fs::remove_file(&noted) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let digest = digest_file(complete, &CancellationToken::new()).map_err(std::io::Error::other)?;
        fs::rename(complete, copy)?;
        fs::write(noted, format!("{mark}\n{digest}"))?;
        self.whole().insert(path.to_owned());
        Ok(())
    }

    fn forget(&self, path: &str) {
        self.whole().remove(path);
        let _ = fs::remove_file(self.mark(path));
        let _ = fs::remove_file(self.copy(path));
    }

    /// Keeps what was put. Were that to fail, it could still be fetched.
    fn keep_put(&self, complete: &Path, path: &str, put: PutResult) {
        let size = fs::metadata(complete).map_or(0, |found| found.len());
        let kept = match put.e_tag {
            Some(etag) => self.keep(complete, path, &mark(Some(&etag), put.version.as_deref(), size)),
            None => Err(ErrorKind::Unsupported.into()),
        };
        if kept.is_err() {
            let _ = fs::remove_file(complete);
        }
    }

    fn bring(&self, path: &str) -> Result<PathBuf, Error> {
        let folder = self.root.join(COMING);
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let coming = tempfile::NamedTempFile::new_in(&folder).map_err(Error::io(&folder))?.into_temp_path();
        let meta = self.remote.download(path, &coming)?;
        let copy = self.copy(path);
        self.keep(&coming, path, &mark_of(&meta)).map_err(Error::io(&copy))?;
        Ok(copy)
    }
}

fn mark(etag: Option<&str>, version: Option<&str>, size: u64) -> String {
    format!("{etag:?} {version:?} {size}")
}

/// What tells an object from another of the same name.
fn mark_of(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        Some(etag) => mark(Some(etag), meta.version.as_deref(), meta.size),
        None => format!("{} {}", meta.last_modified.to_rfc3339(), meta.size),
    }
}

impl Home for Objects {
    fn is_there(&self) -> Result<bool, Error> {
        Ok(!self.remote.names("")?.is_empty())
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        self.remote.names(folder)
    }

    fn all(&self, folder: &str) -> Result<Vec<Entry>, Error> {
        let entry = |(path, meta): (String, ObjectMeta)| Entry {
            path,
            bytes: meta.size,
            modified: meta.last_modified.into(),
        };
        Ok(self.remote.list(folder)?.into_iter().map(entry).collect())
    }

    /// Asks once for the files of each fingerprint.
    fn sizes(&self, paths: &[&str]) -> Result<Vec<Option<u64>>, Error> {
        let mut folders: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        let mut sizes = Vec::with_capacity(paths.len());
        for path in paths {
            let Some((folder, _)) = path.match_indices('/').nth(1).map(|(at, _)| path.split_at(at)) else {
                sizes.push(self.remote.head(path)?.map(|meta| meta.size));
                continue;
            };
            let listed = match folders.get(folder) {
                Some(listed) => listed,
                None => {
                    let found = self.remote.list(folder)?;
                    let found = found.into_iter().map(|(path, meta)| (path, meta.size)).collect();
                    folders.entry(folder.to_owned()).or_insert(found)
                }
            };
            sizes.push(listed.get(*path).copied());
        }
        Ok(sizes)
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        self.remote.get(path)
    }

    fn create(&self, path: &str, text: &[u8]) -> Result<bool, Error> {
        // Of an answer that was lost, the next try says that the name is taken.
        Ok(self.remote.put(path, text.to_vec(), true)?.is_some()
            || self.remote.get(path)?.is_some_and(|there| there == text))
    }

    fn replace(&self, path: &str, text: &[u8]) -> Result<(), Error> {
        self.remote.put(path, text.to_vec(), false).map(|_| ())
    }

    fn publish(&self, complete: &Path, path: &str) -> Result<bool, Error> {
        match self.remote.put_file(path, complete, true)? {
            Some(put) => {
                self.keep_put(complete, path, put);
                Ok(true)
            }
            None => {
                fs::remove_file(complete).map_err(Error::io(complete))?;
                Ok(false)
            }
        }
    }

    fn publish_again(&self, complete: &Path, path: &str) -> Result<(), Error> {
        if let Some(put) = self.remote.put_file(path, complete, false)? {
            self.keep_put(complete, path, put);
        }
        Ok(())
    }

    fn publish_folder(&self, complete: &Path, path: &str) -> Result<(), Error> {
        let files = fs::read_dir(complete).map_err(Error::io(complete))?;
        let mut files: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        files.sort();
        for file in files {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            self.publish_again(&file, &format!("{path}/{name}"))?;
        }
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<(), Error> {
        if path.starts_with(scratch::FOLDER) {
            return file::remove_any(&Local, &self.root.join(path));
        }
        self.remote.delete(path)?;
        self.forget(path);
        Ok(())
    }

    fn tidy(&self, kept: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        let there: BTreeSet<String> = self.remote.list("data")?.into_iter().map(|(path, _)| path).collect();
        let mut copies = Vec::new();
        walk(&self.root.join("data"), &mut copies);
        for copy in copies {
            let Some(path) = copy.strip_prefix(&self.root).ok().and_then(Path::to_str) else { continue };
            let fingerprint = path.split('/').nth(1).unwrap_or_default();
            if !kept(fingerprint) && !there.contains(path) {
                self.forget(path);
            }
        }
        // What was cut off: marks without copies, and what was on its way.
        let mut marks = Vec::new();
        walk(&self.root.join(MARKS), &mut marks);
        for mark in marks {
            let path = mark.strip_prefix(self.root.join(MARKS)).ok().map(|path| self.root.join(path));
            if path.is_some_and(|path| !path.exists()) {
                let _ = fs::remove_file(&mark);
            }
        }
        let mut coming = Vec::new();
        walk(&self.root.join(COMING), &mut coming);
        for path in coming {
            let modified = fs::metadata(&path).and_then(|found| found.modified());
            if modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > OLD)) {
                let _ = fs::remove_file(path);
            }
        }
        for (path, meta) in self.remote.list(COMING)? {
            let time = SystemTime::from(meta.last_modified);
            if time.elapsed().is_ok_and(|age| age > OLD) {
                self.remote.delete(&path)?;
            }
        }
        Ok(())
    }

    fn shown(&self, path: &str) -> PathBuf {
        self.remote.shown(path)
    }

    fn open(&self, path: &str) -> Result<Box<dyn Source>, Error> {
        let meta = self.remote.head(path)?.ok_or_else(|| self.missing(path))?;
        if self.is_current(path, &meta) {
            let copy = self.copy(path);
            return Place::at(&copy).open().map_err(Error::io(&copy));
        }
        Ok(Box::new(self.remote.open(path, meta)))
    }

    fn fetch(&self, path: &str) -> Result<PathBuf, Error> {
        let meta = self.remote.head(path)?.ok_or_else(|| self.missing(path))?;
        if self.is_current(path, &meta) { Ok(self.copy(path)) } else { self.bring(path) }
    }

    fn fetch_to(&self, path: &str, to: &Path) -> Result<PathBuf, Error> {
        self.remote.download(path, to)?;
        Ok(to.to_owned())
    }

    fn copies(&self) -> bool {
        true
    }

    fn lock(&self, waits: &dyn Fn()) -> Result<Box<dyn Held>, Error> {
        Ok(Box::new(beat::lock(&self.remote, self.patience.lock, waits)?))
    }

    fn lease(&self, text: &str) -> Result<Box<dyn Held>, Error> {
        Ok(Box::new(beat::lease(&self.remote, text, self.patience.lease)?))
    }

    fn leases(&self, apply: bool) -> Result<Vec<String>, Error> {
        beat::leases(&self.remote, apply, self.patience.lease)
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    /// Two machines with one store.
    fn machines(folder: &Path) -> [Objects; 2] {
        let server = Arc::new(InMemory::new());
        let remote = Remote::new(server, "a/prefix", "mem://a/prefix");
        ["one", "two"].map(|name| Objects::new(remote.clone(), folder.join(name), Patience::default()))
    }

    fn file(folder: &Path, content: &[u8]) -> PathBuf {
        let path = folder.join("complete");
        fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn who_is_first_publishes() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = machines(folder.path());
        assert!(!one.is_there().unwrap());
        assert!(one.publish(&file(folder.path(), b"first"), "data/f/all/x").unwrap());
        assert!(!two.publish(&file(folder.path(), b"second"), "data/f/all/x").unwrap());
        assert!(!folder.path().join("complete").exists());
        for machine in [&one, &two] {
            assert_eq!(fs::read(machine.fetch("data/f/all/x").unwrap()).unwrap(), b"first");
        }
        assert!(one.create("runs/1", b"mine").unwrap() && !two.create("runs/1", b"theirs").unwrap());
        assert!(one.create("runs/1", b"mine").unwrap(), "what an answer that was lost leaves behind");
        assert_eq!(two.read("runs/1").unwrap().unwrap(), b"mine");
        assert_eq!(two.names("data/f").unwrap(), ["all"]);
        let paths = ["data/f/all/x", "data/f/all/y", "runs/1", "runs/2"];
        assert_eq!(two.sizes(&paths).unwrap(), [Some(5), None, Some(4), None]);
        assert!(
            matches!(two.fetch("data/f/all/y"), Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound)
        );
    }

    #[test]
    fn an_old_copy_is_not_taken_for_the_object() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = machines(folder.path());
        let large = vec![7; 20 << 20];
        for content in [&b"first"[..], b"other", &large] {
            one.publish_again(&file(folder.path(), content), "data/f/all/x").unwrap();
            for machine in [&one, &two] {
                let mut read = Vec::new();
                machine.open("data/f/all/x").unwrap().read_to_end(&mut read).unwrap();
                assert!(read == content);
                assert!(fs::read(machine.fetch("data/f/all/x").unwrap()).unwrap() == content);
            }
        }
        let complete = file(folder.path(), &large);
        assert!(one.publish(&complete, "data/f/all/y").unwrap());
        let complete = file(folder.path(), &large[1..]);
        assert!(!two.publish(&complete, "data/f/all/y").unwrap());
        assert!(fs::read(two.fetch("data/f/all/y").unwrap()).unwrap() == large);
        assert!(one.remote.list(COMING).unwrap().is_empty(), "nothing is left on its way");
        // One that was cut off, or whose mark is not there, is fetched again.
        let copy = two.fetch("data/f/all/x").unwrap();
        for cut in [true, false] {
            if cut {
                fs::write(&copy, "cut").unwrap();
            } else {
                fs::remove_file(two.mark("data/f/all/x")).unwrap();
            }
            assert!(fs::read(two.fetch("data/f/all/x").unwrap()).unwrap() == large);
        }
        // Nor is one of which a bit was flipped since.
        let mut flipped = large.clone();
        flipped[12_345] ^= 1;
        fs::write(&copy, flipped).unwrap();
        let again = Objects::new(two.remote.clone(), two.root.clone(), Patience::default());
        assert!(fs::read(again.fetch("data/f/all/x").unwrap()).unwrap() == large);
        // What one has removed is tidied away by the other.
        one.remove("data/f/all/x").unwrap();
        two.tidy(&|fingerprint| fingerprint == "f").unwrap();
        assert!(copy.exists(), "it may be in use");
        two.tidy(&|_| false).unwrap();
        assert!(!copy.exists());
    }
}
