//! Dedicated threads that run items, each with a chain of its own.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use tokio_util::sync::CancellationToken;

use super::chain::{Chain, Instance};
use crate::error::Error;
use crate::operator::{Context, SinkRows, Tabulate};

/// What a thread works with.
pub enum Desk {
    /// A chain that ends in a sink.
    Signals { instance: Instance, rows: Box<dyn SinkRows> },
    /// One operator that turns items into rows.
    Table { tabulate: Box<dyn Tabulate>, context: Context },
}

impl Desk {
    fn new(chain: &Chain, cancel: &CancellationToken) -> Result<Self, Error> {
        if let Some((tabulate, context)) = chain.tabulate(cancel) {
            return Ok(Self::Table { tabulate, context });
        }
        let rows = chain.rows(cancel).ok_or_else(|| Error::Other("a unit of items ends in a sink".into()))?;
        Ok(Self::Signals { instance: chain.instance(0, cancel)?, rows })
    }
}

type Job = Box<dyn FnOnce(&mut Desk) -> Fate + Send>;

/// Whether a desk may be used again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Good,
    /// An operator panicked, and its state is not to be trusted; or it holds more memory than may stay between items.
    Spent,
}

/// Dedicated threads for one unit.
pub struct Pool {
    jobs: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts the threads.
    pub fn start(chain: &Arc<Chain>, threads: usize, cancel: &CancellationToken) -> Result<Self, Error> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let mut handles = Vec::new();
        for index in 0..threads.max(1) {
            let mut at_work = Desk::new(chain, cancel)?;
            let (chain, queue, cancel) = (chain.clone(), queue.clone(), cancel.clone());
            let work = move || {
                loop {
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { return };
                    if job(&mut at_work) == Fate::Spent {
                        let Ok(desk) = Desk::new(&chain, &cancel) else { return };
                        at_work = desk;
                    }
                }
            };
            let thread = std::thread::Builder::new().name(format!("etude-item-{index}")).spawn(work);
            handles.push(thread.map_err(|error| Error::Other(format!("cannot start a thread: {error}")))?);
        }
        Ok(Self { jobs: Some(jobs), threads: handles })
    }

    /// Queues a job.
    pub fn submit(&self, job: impl FnOnce(&mut Desk) -> Fate + Send + 'static) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Box::new(job));
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
