//! What comes from the program that started this one.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etude_learning::worker::Tell;

static STOP: AtomicBool = AtomicBool::new(false);
/// Shards that are asked for: whether each is here, or why it cannot be.
static SHARDS: Mutex<BTreeMap<PathBuf, Option<Result<(), String>>>> = Mutex::new(BTreeMap::new());
static CHANGED: Condvar = Condvar::new();

/// Listens. When the program that started this one ends, this one ends as well.
pub fn listen() {
    std::thread::spawn(|| {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match serde_json::from_str(&line) {
                Ok(Tell::Stop) => STOP.store(true, Ordering::Relaxed),
                Ok(Tell::Shard { path, wrong }) => {
                    if let Some(asked) = shards().get_mut(&path) {
                        *asked = Some(wrong.map_or(Ok(()), Err));
                    }
                }
                Err(_) => {}
            }
            CHANGED.notify_all();
        }
        // Nobody waits for the result any more. What is being written is not complete, and so does not count.
        std::process::exit(1);
    });
}

/// Whether the end was asked for.
pub fn stop() -> bool {
    STOP.load(Ordering::Relaxed)
}

fn shards() -> MutexGuard<'static, BTreeMap<PathBuf, Option<Result<(), String>>>> {
    SHARDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A shard is asked for.
pub fn expect(shard: &Path) {
    shards().insert(shard.to_owned(), None);
}

/// Whether a shard could not be had and is to be asked for once more: of several that wait for it, one is told so.
pub fn again(shard: &Path) -> bool {
    let mut shards = shards();
    let failed = shards.get_mut(shard).filter(|said| matches!(said, Some(Err(_))) && !stop());
    failed.map(|said| *said = None).is_some()
}

/// A shard is let go: what is said of it counts no more.
pub fn forget(shard: &Path) {
    shards().remove(shard);
}

/// Waits until a shard that was asked for is here.
///
/// Errors: it cannot be had, or the end was asked for.
pub fn wait(shard: &Path) -> Result<(), String> {
    let mut shards = shards();
    loop {
        match shards.get(shard).cloned() {
            Some(Some(said)) => return said,
            Some(None) if !stop() => {
                let waited = CHANGED.wait_timeout(shards, Duration::from_millis(200));
                shards = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            Some(None) => return Err("the run was ended".into()),
            None => return Err(format!("{} was not asked for", shard.display())),
        }
    }
}
