//! Objects in memory, on a server that fails, or of which a run is cut off, at an operation that is told beforehand.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::*;

use super::disk::Fault;

/// Counts the operations that change something; at one of them something happens.
#[derive(Debug)]
pub struct Server {
    objects: Arc<InMemory>,
    at: u64,
    fault: Fault,
    /// How many operations there were, and whether it is cut off.
    state: Arc<Mutex<(u64, bool)>>,
}

/// What is to be done of an operation.
enum Turn {
    Usual,
    /// Nothing.
    Refuse,
    /// All of it, and then say that it was not.
    Deny,
}

fn failed<T>() -> Result<T> {
    Err(Error::Generic { store: "test", source: "the server failed".into() })
}

impl Server {
    /// A view of objects for which `fault` happens at operation `at`, counted from 0.
    pub fn new(objects: Arc<InMemory>, at: u64, fault: Fault) -> Self {
        Self { objects, at, fault, state: Arc::default() }
    }

    pub fn operations(&self) -> u64 {
        self.state.lock().unwrap().0
    }

    pub fn crashed(&self) -> bool {
        self.state.lock().unwrap().1
    }

    fn turn(state: &Mutex<(u64, bool)>, at: u64, fault: Fault) -> Turn {
        let mut state = state.lock().unwrap();
        if state.1 {
            return Turn::Refuse;
        }
        state.0 += 1;
        if state.0 != at.wrapping_add(1) {
            return Turn::Usual;
        }
        state.1 = matches!(fault, Fault::CrashBefore | Fault::CrashAfter);
        match fault {
            Fault::CrashBefore | Fault::Full => Turn::Refuse,
            Fault::CrashAfter | Fault::Ambiguous => Turn::Deny,
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a server")
    }
}

#[async_trait]
impl ObjectStore for Server {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        match Self::turn(&self.state, self.at, self.fault) {
            Turn::Usual => self.objects.put_opts(path, payload, options).await,
            Turn::Refuse => failed(),
            Turn::Deny => {
                let _ = self.objects.put_opts(path, payload, options).await;
                failed()
            }
        }
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        // Nothing here is as large.
        failed()
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        if self.crashed() { failed() } else { self.objects.get_opts(path, options).await }
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (objects, state, at, fault) = (self.objects.clone(), self.state.clone(), self.at, self.fault);
        paths
            .then(move |path| {
                let (objects, state) = (objects.clone(), state.clone());
                async move {
                    let path = path?;
                    match Self::turn(&state, at, fault) {
                        Turn::Usual => objects.delete(&path).await.map(|()| path),
                        Turn::Refuse => failed(),
                        Turn::Deny => {
                            let _ = objects.delete(&path).await;
                            failed()
                        }
                    }
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.crashed() {
            return futures::stream::once(async { failed() }).boxed();
        }
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        if self.crashed() { failed() } else { self.objects.list_with_delimiter(prefix).await }
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        failed()
    }
}
