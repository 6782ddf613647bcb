//! A cache of the digests of files and members of archives, so that what looks the same is not read again.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize, Serializer};
use tokio_util::sync::CancellationToken;

use super::{Store, file, scratch, text};
use crate::error::Error;
use crate::operator::{Item, Stamp};
use crate::place::Place;

/// Where it is, below the folder of this machine.
pub const NAME: &str = "stamps";

type Digests = HashMap<String, (Stamp, Arc<str>)>;

/// Digests by absolute path, for members of archives with their offset. Losing it costs time only.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Stamps {
    #[serde(serialize_with = "sorted")]
    files: Digests,
    #[serde(skip)]
    changed: bool,
}

impl Stamps {
    /// The cache of a store; an unreadable one is empty.
    pub fn load(store: &Store) -> Self {
        let path = store.path(NAME);
        let text = std::fs::read(&path).ok().and_then(|sealed| text::unseal(&path, sealed).ok());
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Keeps it, if something was learnt.
    pub fn save(&mut self, store: &Store) -> Result<(), Error> {
        if std::mem::take(&mut self.changed) {
            let (scratch, path) = (store.path(scratch::FOLDER), store.path(NAME));
            file::replace_text(store.disk(), &scratch, &path, &text::seal(&serde_json::to_string(self)?))?;
        }
        Ok(())
    }

    /// Fills in digests, sizes and stamps, reading only what looks new or changed. An item that has
    /// its digest already, such as an object, is left alone.
    pub fn digest(
        &mut self,
        items: &mut [Item],
        threads: usize,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let (part, known) = (items.len().div_ceil(threads.max(1)).max(1), &self.files);
        let looked: Vec<_> = std::thread::scope(|scope| {
            let look = |(index, part_of): (usize, &'_ mut [Item])| look(part_of, index * part, known);
            let threads: Vec<_> =
                items.chunks_mut(part).enumerate().map(|part| scope.spawn(move || look(part))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|_| Err(Error::Other("a thread ended early".into())))
            };
            threads.into_iter().map(join).collect()
        });
        let mut unknown = looked.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        // The largest first, so that no thread is left with it while the others have nothing to do.
        unknown.sort_by_key(|index| std::cmp::Reverse(items[*index].size));
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Vec::with_capacity(unknown.len()));
        let view: &[Item] = items;
        std::thread::scope(|scope| {
            for _ in 0..threads.min(unknown.len()) {
                scope.spawn(|| {
                    while let Some(&index) = unknown.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let digest = digest_place(&view[index].place, cancel).map(Arc::<str>::from);
                        if let Ok(mut found) = found.lock() {
                            found.push((index, digest));
                        }
                    }
                });
            }
        });
        // What was read is not read again, even if something else went wrong.
        let mut result = Ok(());
        for (index, digest) in found.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            let item = &mut items[index];
            match (digest, item.stamp, item.place.file()) {
                (Ok(digest), Some(stamp), Some(file)) => {
                    item.digest = digest.clone();
                    self.files.insert(name(&item.place, file), (stamp, digest));
                    self.changed = true;
                }
                (Ok(digest), ..) => item.digest = digest,
                (Err(error), ..) => result = result.and(Err(error)),
            }
        }
        result
    }
}

/// The same files give the same text.
fn sorted<S: Serializer, V: Serialize>(files: &HashMap<String, V>, to: S) -> Result<S::Ok, S::Error> {
    files.iter().collect::<BTreeMap<_, _>>().serialize(to)
}

/// Fills in what is known, of items from the one with the number `first` on; gives the numbers of the others.
fn look(items: &mut [Item], first: usize, known: &Digests) -> Result<Vec<usize>, Error> {
    let mut unknown = Vec::new();
    for (index, item) in items.iter_mut().enumerate() {
        if !item.digest.is_empty() {
            continue;
        }
        let Some(file) = item.place.file() else { continue };
        let stamp = Stamp::of(file).map_err(Error::io(file))?;
        item.stamp = Some(stamp);
        item.size = item.place.length().unwrap_or(stamp.size);
        match known.get(&name(&item.place, file)) {
            Some((known, digest)) if *known == stamp => item.digest.clone_from(digest),
            _ => unknown.push(first + index),
        }
    }
    Ok(unknown)
}

fn name(place: &Place, file: &Path) -> String {
    let absolute =
        if file.is_absolute() { Ok(file.into()) } else { std::path::absolute(file).map(Cow::from) };
    let absolute = absolute.unwrap_or_else(|_| file.into());
    let path = absolute.to_string_lossy();
    place.offset().map_or_else(|| path.to_string(), |offset| format!("{path}#{offset}"))
}

/// BLAKE3 of a file.
pub fn digest_file(path: &Path, cancel: &CancellationToken) -> Result<String, Error> {
    digest(File::open(path).map_err(Error::io(path))?, cancel)?.map_err(Error::io(path))
}

/// BLAKE3 of what an item holds. Of a member that cannot be unpacked, which will be rejected, it is
/// that of the packed bytes.
fn digest_place(place: &Place, cancel: &CancellationToken) -> Result<String, Error> {
    let file = place.file().unwrap_or(Path::new(""));
    let io = Error::io(file);
    match place.stream().map(|stream| digest(stream, cancel)) {
        Ok(digested) => match digested? {
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                digest(place.raw().map_err(Error::io(file))?, cancel)?.map_err(io)
            }
            other => other.map_err(io),
        },
        Err(error) => Err(io(error)),
    }
}

/// The inner result is that of reading.
fn digest(mut from: impl Read, cancel: &CancellationToken) -> Result<std::io::Result<String>, Error> {
    // One a thread: clearing one for each of many small files would take longer than reading them.
    thread_local!(static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 1 << 18]));
    BUFFER.with_borrow_mut(|buffer| {
        let mut hasher = blake3::Hasher::new();
        loop {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            match from.read(buffer) {
                Ok(0) => return Ok(Ok(hasher.finalize().to_hex().to_string())),
                Ok(read) => hasher.update(&buffer[..read]),
                Err(error) => return Ok(Err(error)),
            };
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(place: Place) -> Item {
        Item { key: Arc::from("a"), place, size: 0, digest: "".into(), stamp: None, rows: None }
    }

    #[test]
    fn members_have_digests_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        std::fs::write(&path, b"..onetwoone").unwrap();
        let slice = |offset| item(Place::Slice { path: path.as_path().into(), offset, length: 3 });
        let damaged =
            Place::Deflated { path: path.as_path().into(), offset: 5, packed: 6, length: 9, crc: 0 };
        let object = Item { digest: "etag-1".into(), size: 7, ..item(Place::at("nowhere")) };
        let mut items =
            vec![slice(2), slice(5), slice(8), item(Place::at(&path)), item(damaged), object.clone()];
        let (mut stamps, cancel) = (Stamps::default(), CancellationToken::new());
        stamps.digest(&mut items, 2, &cancel).unwrap();
        let digest = |bytes: &[u8]| Arc::<str>::from(blake3::hash(bytes).to_hex().as_str());
        assert_eq!(items[0].digest, digest(b"one"));
        assert_eq!(items[1].digest, digest(b"two"));
        assert_eq!((&items[2].digest, items[2].size), (&items[0].digest, 3));
        assert_eq!((items[3].digest.clone(), items[3].size), (digest(b"..onetwoone"), 11));
        assert_eq!(items[4].digest, digest(b"twoone"));
        assert_eq!(items[5], object);
        assert_eq!(items[0].stamp, items[3].stamp);

        // What looks the same is not read again.
        for (_, known) in stamps.files.values_mut() {
            *known = "known".into();
        }
        let mut again = vec![slice(2), slice(5)];
        stamps.digest(&mut again, 2, &cancel).unwrap();
        assert!(again.iter().all(|item| &*item.digest == "known"));
        std::fs::write(&path, b"..oneTWOone!").unwrap();
        let mut again = vec![slice(2), slice(5)];
        stamps.digest(&mut again, 2, &cancel).unwrap();
        assert_eq!((&again[0].digest, &again[1].digest), (&digest(b"one"), &digest(b"TWO")));
    }

    #[test]
    #[cfg(unix)]
    fn a_file_whose_time_was_set_back_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        std::fs::write(&path, b"one").unwrap();
        let (mut stamps, cancel) = (Stamps::default(), CancellationToken::new());
        let mut digest = || {
            let mut items = [item(Place::at(&path))];
            stamps.digest(&mut items, 1, &cancel).unwrap();
            items[0].digest.clone()
        };
        let (before, time) = (digest(), std::fs::metadata(&path).unwrap().modified().unwrap());
        // Coarse clocks of file systems tick every few milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let mut file = File::options().write(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, b"two").unwrap();
        file.set_modified(time).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), time);
        assert_ne!(digest(), before);
    }
}
