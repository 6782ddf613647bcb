//! What comes from the program that started this one.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use etude_learning::worker::Tell;

static STOP: AtomicBool = AtomicBool::new(false);
/// Shards that are here, and why others cannot be.
static SHARDS: Mutex<Option<HashMap<PathBuf, Option<String>>>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

/// Listens. When the program that started this one ends, this one ends as well.
pub fn listen() {
    std::thread::spawn(|| {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match serde_json::from_str(&line) {
                Ok(Tell::Stop) => STOP.store(true, Ordering::Relaxed),
                Ok(Tell::Shard { path, wrong }) => {
                    let mut shards = SHARDS.lock().unwrap_or_else(PoisonError::into_inner);
                    shards.get_or_insert_default().insert(path, wrong);
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

/// Waits until a shard that was asked for is here.
///
/// Errors: it cannot be had, or the end was asked for.
pub fn wait(shard: &Path) -> Result<(), String> {
    let mut shards = SHARDS.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match shards.as_ref().and_then(|shards| shards.get(shard)) {
            Some(None) => return Ok(()),
            Some(Some(wrong)) => return Err(wrong.clone()),
            None if stop() => return Err("it was ended".into()),
            None => {
                let waited = CHANGED.wait_timeout(shards, Duration::from_millis(200));
                shards = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

/// A shard is let go: what was said of it counts no more.
pub fn forget(shard: &Path) {
    SHARDS.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(|shards| shards.remove(shard));
}
