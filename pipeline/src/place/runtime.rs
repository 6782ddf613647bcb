//! Network work for threads that block.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock};

use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

/// Work that has been started; it is given up when nobody waits for it any more.
#[derive(Debug)]
pub struct Started<T> {
    // The lock makes it shareable; nobody contends for it.
    answer: Mutex<Receiver<io::Result<T>>>,
    abort: AbortHandle,
}

impl<T> Started<T> {
    /// Waits for its result.
    pub fn wait(mut self) -> io::Result<T> {
        let answer = self.answer.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        answer.recv().unwrap_or_else(|_| {
            Err(io::Error::new(ErrorKind::ConnectionAborted, "a request ended without an answer"))
        })
    }
}

impl<T> Drop for Started<T> {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

/// Starts work on the shared runtime, which is made when it is first needed. The caller may be any
/// thread, one of another runtime as well.
pub fn start<T: Send + 'static>(
    work: impl Future<Output = io::Result<T>> + Send + 'static,
) -> io::Result<Started<T>> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let built = Builder::new_multi_thread().worker_threads(2).thread_name("network").enable_all().build();
        built.map_err(|error| error.to_string())
    });
    let runtime = runtime.as_ref().map_err(|error| io::Error::new(ErrorKind::OutOfMemory, error.clone()))?;
    let (sender, receiver) = channel();
    let task = runtime.spawn(async move {
        // Nobody may wait any more.
        let _ = sender.send(work.await);
    });
    Ok(Started { answer: Mutex::new(receiver), abort: task.abort_handle() })
}
