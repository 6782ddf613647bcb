//! Objects that say that someone is alive: locks and leases. They are written anew again and again; one that has
//! not been for some time is that of someone who was killed. Whose time it is is the server's alone.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::home::{Held, SHORT};
use super::remote::{Remote, unique};
use crate::error::Error;
use crate::place::runtime::{Started, start};

/// How often one is written anew before it is taken for dead.
const BEATS: u32 = 6;

/// The longest pause between two looks at a lock that one other wants or holds.
const PAUSE: Duration = Duration::from_secs(1);

const LOCK: &str = "lock";
const LEASES: &str = "leases";

/// An object that is written anew until it is dropped, which removes it.
#[derive(Debug)]
pub struct Beat {
    remote: Remote,
    path: String,
    dead: Duration,
    pulse: Arc<Mutex<Pulse>>,
    beating: Option<Started<()>>,
}

#[derive(Debug)]
struct Pulse {
    /// By a clock that stands still while the machine sleeps, and by one that may be set.
    last: (Instant, SystemTime),
    lost: bool,
}

impl Pulse {
    fn silence(&self) -> Duration {
        self.last.0.elapsed().max(self.last.1.elapsed().unwrap_or_default())
    }
}

impl Beat {
    fn begin(remote: &Remote, path: String, text: &str, dead: Duration) -> Result<Self, Error> {
        let now = || (Instant::now(), SystemTime::now());
        let pulse = Arc::new(Mutex::new(Pulse { last: now(), lost: false }));
        let text = text.as_bytes().to_vec();
        if let Err(error) = remote.put(&path, text.clone(), false) {
            // It may be there all the same, and others would wait for it.
            let _ = remote.delete(&path);
            return Err(error);
        }
        let beat = {
            let (remote, path, pulse) = (remote.clone(), path.clone(), pulse.clone());
            move || {
                let Ok(mut pulse) = pulse.lock() else { return };
                let begin = now();
                // What others have taken for dead stays so.
                pulse.lost |= pulse.silence() > dead || matches!(remote.head(&path), Ok(None));
                if !pulse.lost && remote.put(&path, text.clone(), false).is_ok() {
                    pulse.last = begin;
                }
            }
        };
        let beating = start(async move {
            loop {
                tokio::time::sleep(dead / BEATS).await;
                if tokio::task::spawn_blocking(beat.clone()).await.is_err() {
                    return Ok(());
                }
            }
        });
        let beating = Some(beating.map_err(|source| Error::Io { path: remote.shown(&path), source })?);
        Ok(Self { remote: remote.clone(), path, dead, pulse, beating })
    }
}

impl Held for Beat {
    fn check(&self) -> Result<(), Error> {
        let pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        if pulse.lost || pulse.silence() > self.dead / 2 {
            let path = self.remote.shown(&self.path);
            let message = "was lost: this machine or the network was away for too long; run it again".into();
            return Err(Error::Store { path, message });
        }
        Ok(())
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.beating = None;
        // A beat that is under way would bring it back.
        let mut pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        pulse.lost = true;
        // Were it to stay, others would wait until it is taken for dead.
        let _ = self.remote.delete(&self.path).or_else(|_| self.remote.delete(&self.path));
    }
}

/// Waits until nobody else holds the lock.
///
/// Whoever wants it says so, and has it if nobody else has said so; else all draw back and try again, after
/// times that differ. So no two have it, whatever the server can do.
pub fn lock(remote: &Remote, dead: Duration, waits: &dyn Fn()) -> Result<Beat, Error> {
    let (begin, mut pause, mut told) = (Instant::now(), Duration::from_millis(20), false);
    loop {
        let path = format!("{LOCK}/{}", unique());
        let beat = Beat::begin(remote, path.clone(), "", dead)?;
        let found = remote.list(LOCK)?;
        let others = u32::try_from(found.len()).unwrap_or(u32::MAX).clamp(1, 60);
        let mine = found.iter().find(|(other, _)| *other == path).map(|(_, meta)| meta.last_modified);
        // Had it been removed already, nothing could be said of others.
        if let Some(now) = mine {
            let now = SystemTime::from(now);
            let is_dead = |time: SystemTime| now.duration_since(time).is_ok_and(|age| age >= dead);
            let others = || found.iter().filter(|(other, _)| *other != path);
            if others().all(|(_, meta)| is_dead(meta.last_modified.into())) {
                others().try_for_each(|(other, _)| remote.delete(other))?;
                return Ok(beat);
            }
        }
        drop(beat);
        if !told && begin.elapsed() > SHORT {
            waits();
            told = true;
        }
        let random = RandomState::new().build_hasher().finish() % 1000;
        std::thread::sleep(pause.mul_f64(0.5 + random as f64 / 1000.0));
        // The more there are, the less often each may try.
        pause = (pause * 2).min(PAUSE * others);
    }
}

/// Says what is in use.
pub fn lease(remote: &Remote, text: &str, dead: Duration) -> Result<Beat, Error> {
    Beat::begin(remote, format!("{LEASES}/run-{}", unique()), text, dead)
}

/// What others say that is alive. With `apply`, what dead ones have said is removed.
pub fn leases(remote: &Remote, apply: bool, dead: Duration) -> Result<Vec<String>, Error> {
    let found = remote.list(LEASES)?;
    let mut now = SystemTime::now();
    if apply && !found.is_empty() {
        // The server's own time.
        let probe = format!("{LEASES}/probe-{}", unique());
        remote.put(&probe, Vec::new(), false)?;
        now = remote.head(&probe)?.map_or(now, |meta| meta.last_modified.into());
        remote.delete(&probe)?;
    }
    let mut alive = Vec::new();
    for (path, meta) in found {
        let age = now.duration_since(meta.last_modified.into()).unwrap_or_default();
        if age < dead {
            alive.extend(remote.get(&path)?.and_then(|text| String::from_utf8(text).ok()));
        } else if apply {
            remote.delete(&path)?;
        }
    }
    Ok(alive)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use object_store::memory::InMemory;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn remote() -> Remote {
        Remote::new(Arc::new(InMemory::new()), "a/prefix", "mem://a/prefix")
    }

    #[test]
    fn no_two_hold_the_lock() {
        let (remote, inside, most) = (remote(), AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let held = lock(&remote, LONG, &|| {}).unwrap();
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(2));
                        inside.fetch_sub(1, Ordering::SeqCst);
                        held.check().unwrap();
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
        assert!(remote.list("").unwrap().is_empty(), "nothing is left over");
    }

    #[test]
    fn who_is_alive_keeps_the_lock_and_who_was_killed_loses_it() {
        let (remote, dead) = (remote(), Duration::from_secs(2));
        let held = lock(&remote, dead, &|| {}).unwrap();
        let begin = Instant::now();
        let waited = std::thread::scope(|scope| {
            let other = scope.spawn(|| lock(&remote, dead, &|| {}).map(|_| begin.elapsed()).unwrap());
            std::thread::sleep(3 * dead);
            held.check().unwrap();
            drop(held);
            other.join().unwrap()
        });
        assert!(waited >= 3 * dead, "{waited:?}");
        // A process that was killed removes nothing.
        remote.put("lock/killed", Vec::new(), false).unwrap();
        let begin = Instant::now();
        let held = lock(&remote, dead, &|| {}).unwrap();
        assert!(begin.elapsed() >= dead / 2);
        assert_eq!(remote.list("lock").unwrap().len(), 1, "that of the dead is gone");
        // Who is taken for dead is told so.
        remote.delete(&held.path).unwrap();
        std::thread::sleep(dead / 2);
        let told = held.check().unwrap_err().to_string();
        assert!(told.contains("mem://a/prefix/lock/") && told.contains("was lost"), "{told}");
        assert!(remote.list("lock").unwrap().is_empty(), "and does not come back");
    }

    #[test]
    fn leases_of_the_dead_do_not_count() {
        let (remote, dead) = (remote(), Duration::from_secs(2));
        remote.put("leases/run-killed", b"old".to_vec(), false).unwrap();
        let held = lease(&remote, "one\ntwo", dead).unwrap();
        std::thread::sleep(2 * dead);
        for _ in 0..2 {
            assert_eq!(leases(&remote, false, dead).unwrap(), ["one\ntwo"]);
        }
        assert_eq!(remote.list("leases").unwrap().len(), 2);
        assert_eq!(leases(&remote, true, dead).unwrap(), ["one\ntwo"]);
        assert_eq!(remote.list("leases").unwrap().len(), 1);
        drop(held);
        assert!(leases(&remote, false, dead).unwrap().is_empty());
    }
}
