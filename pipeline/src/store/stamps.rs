//! A cache of the digests of files, so that a file that looks the same is not read again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Store, file};
use crate::error::Error;
use crate::operator::{Item, Stamp};

/// Digests by absolute path. Losing it costs time only.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Stamps {
    files: BTreeMap<String, (Stamp, String)>,
    #[serde(skip)]
    changed: bool,
}

impl Stamps {
    /// The cache of a store; an unreadable one is empty.
    pub fn load(store: &Store) -> Self {
        let text = store.read("stamps").ok().flatten();
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Keeps it, if something was learnt.
    pub fn save(&mut self, store: &Store) -> Result<(), Error> {
        if std::mem::take(&mut self.changed) {
            file::replace_checked(&store.path("stamps"), &serde_json::to_string(self)?)?;
        }
        Ok(())
    }

    /// Fills in digests and stamps, reading only files that look new or changed.
    pub fn digest(
        &mut self,
        items: &mut [Item],
        threads: usize,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let mut unknown = Vec::new();
        for (index, item) in items.iter_mut().enumerate() {
            let stamp = Stamp::of(&item.path).map_err(Error::io(&item.path))?;
            item.stamp = Some(stamp);
            item.size = stamp.size;
            match self.files.get(&name(&item.path)) {
                Some((known, digest)) if *known == stamp => item.digest.clone_from(digest),
                _ => unknown.push(index),
            }
        }
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Vec::with_capacity(unknown.len()));
        let view: &[Item] = items;
        std::thread::scope(|scope| {
            for _ in 0..threads.min(unknown.len()) {
                scope.spawn(|| {
                    while let Some(&index) = unknown.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let digest = digest_file(&view[index].path, cancel);
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
            match (digest, item.stamp) {
                (Ok(digest), Some(stamp)) => {
                    item.digest.clone_from(&digest);
                    self.files.insert(name(&item.path), (stamp, digest));
                    self.changed = true;
                }
                (Ok(digest), None) => item.digest = digest,
                (Err(error), _) => result = result.and(Err(error)),
            }
        }
        result
    }
}

fn name(path: &Path) -> String {
    std::path::absolute(path).as_deref().unwrap_or(path).to_string_lossy().into_owned()
}

/// BLAKE3 of a file.
pub fn digest_file(path: &Path, cancel: &CancellationToken) -> Result<String, Error> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        match file.read(&mut buffer).map_err(Error::io(path))? {
            0 => return Ok(hasher.finalize().to_hex().to_string()),
            read => hasher.update(&buffer[..read]),
        };
    }
}
