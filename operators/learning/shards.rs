//! Brings shards that the worker asks for.

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ChildStdin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use etude_pipeline::Error;
use etude_pipeline::operator::{Bring, DatasetJob};
use serde::Serialize;

use crate::worker::Tell;

/// Shards that are on their way here at a time.
const BRINGING: usize = 4;

/// The worker's standard input.
#[derive(Clone)]
pub struct Input(Arc<Mutex<Option<ChildStdin>>>);

impl Input {
    pub fn new(stdin: Option<ChildStdin>) -> Self {
        Self(Arc::new(Mutex::new(stdin)))
    }

    /// Writes a line. A worker that ended already says why on its way out.
    pub fn line(&self, what: &impl Serialize) -> Result<(), Error> {
        let line = serde_json::to_string(what)?;
        if let Some(stdin) = lock(&self.0).as_mut() {
            let _ = writeln!(stdin, "{line}");
        }
        Ok(())
    }
}

/// Shards that the worker asks for, which threads bring.
pub struct Shards {
    queue: mpsc::Sender<PathBuf>,
    /// Those that it has not let go.
    wanted: Arc<Mutex<HashSet<PathBuf>>>,
    job: Option<Arc<dyn Bring>>,
}

impl Shards {
    pub fn begin(job: &DatasetJob, input: &Input) -> Self {
        let (queue, asked) = mpsc::channel::<PathBuf>();
        let (asked, wanted) = (Arc::new(Mutex::new(asked)), Arc::new(Mutex::default()));
        let shards = Self { queue, wanted, job: job.shards.clone() };
        for _ in 0..BRINGING {
            let Some(job) = shards.job.clone() else { break };
            let (input, asked, wanted) = (input.clone(), asked.clone(), shards.wanted.clone());
            std::thread::spawn(move || {
                loop {
                    let next = lock(&asked).recv();
                    let Ok(path) = next else { return };
                    if !lock(&wanted).contains(&path) {
                        continue;
                    }
                    let brought = job.bring(&path);
                    let wanted = lock(&wanted);
                    if !wanted.contains(&path) {
                        job.release(&path);
                    } else if !matches!(brought, Err(Error::Cancelled)) {
                        let wrong = brought.err().map(|error| error.to_string());
                        let _ = input.line(&Tell::Shard { path, wrong });
                    }
                }
            });
        }
        shards
    }

    pub fn bring(&self, paths: Vec<PathBuf>) {
        for path in paths {
            lock(&self.wanted).insert(path.clone());
            let _ = self.queue.send(path);
        }
    }

    pub fn release(&self, paths: &[PathBuf]) {
        let mut wanted = lock(&self.wanted);
        for path in paths {
            wanted.remove(path);
            self.job.iter().for_each(|job| job.release(path));
        }
    }
}

/// What is left of the queue is nobody's any more.
impl Drop for Shards {
    fn drop(&mut self) {
        lock(&self.wanted).clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
