//! A toy pipeline, a store, and what a run of it left.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use super::toy::{Corpus, NEXT, TABLE, computed, set_corpus};
use crate::error::Error;
use crate::run::{Again, BLOCK, Engine, MaxRejects, Options, Outcome};
use crate::spec::Pipeline;
use crate::store::{Disk, Store};

/// What a pipeline file may say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parameters {
    pub keep: u32,
    pub amount: u32,
    /// The version of the operator `cut`: 1 or 2.
    pub version: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { keep: 2, amount: 1, version: 1 }
    }
}

/// A corpus under a name of its own, and a folder for stores.
pub struct Bench {
    pub name: String,
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // In memory, where there is such a folder.
        let root = Path::new("/dev/shm");
        let folder = if root.is_dir() { tempfile::tempdir_in(root) } else { tempfile::tempdir() };
        Self { name: format!("corpus-{}", COUNT.fetch_add(1, Ordering::Relaxed)), folder: folder.unwrap() }
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub fn store(&self, disk: Arc<dyn Disk>) -> Store {
        Store::on(self.root(), disk)
    }

    pub fn pipeline(&self, parameters: &Parameters) -> Pipeline {
        let Parameters { keep, amount, version } = parameters;
        let name = &self.name;
        let yaml = format!(
            "name: toy\nstages:\n  all: {{op: corpus, name: {name}}}\n  cut: {{op: cut, keep: {keep}}}\n  \
             first: {{op: keep, target: 40}}\n  add: {{op: add, amount: {amount}, of: {name}}}\n  \
             second: {{op: keep, target: 40}}\n  total: {{op: total, of: {name}}}\n"
        );
        let table = if *version == 1 { &TABLE } else { &NEXT };
        Pipeline::parse("toy.yaml", &yaml, &[], table).unwrap()
    }

    pub fn engine(&self, store: Store, parameters: &Parameters, threads: usize) -> Engine {
        Engine {
            table: if parameters.version == 1 { TABLE } else { NEXT },
            store,
            options: Options {
                threads,
                memory: 64 << 20,
                max_rejects: MaxRejects::Percent(100.0),
                block: BLOCK,
                again: BTreeMap::new(),
                until: None,
            },
            reporter: Arc::new(|_| {}),
            cancel: CancellationToken::new(),
        }
    }

    /// Whether `total` has run since this was last asked.
    pub fn totalled(&self) -> bool {
        !computed(&self.name, "total").is_empty()
    }

    /// Runs; the items that `first` and `second` computed.
    pub fn run(
        &self,
        store: Store,
        corpus: &Corpus,
        parameters: &Parameters,
        again: Again,
    ) -> (Result<Outcome, Error>, [Vec<String>; 2]) {
        set_corpus(&self.name, corpus);
        let mut engine = self.engine(store, parameters, 2);
        if again != Again::Nothing {
            engine.options.again = ["first", "second", "total"].map(|stage| (stage.to_owned(), again)).into();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(engine.run(&self.pipeline(parameters)));
        drop(runtime);
        (outcome, ["first", "second"].map(|stage| computed(&self.name, stage)))
    }

    /// The files that a finished run amounts to, with their content; by stage and name.
    pub fn result(&self, store: &Store, parameters: &Parameters) -> BTreeMap<String, Vec<u8>> {
        let engine = self.engine(store.clone(), parameters, 1);
        let pipeline = self.pipeline(parameters);
        let mut files = BTreeMap::new();
        for stage in ["first", "second", "total"] {
            for path in engine.paths(&pipeline, stage).unwrap() {
                let name = path.strip_prefix(store.path("data")).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
        files
    }

    /// What a run of an empty store gives.
    pub fn clean(&self, corpus: &Corpus, parameters: &Parameters) -> BTreeMap<String, Vec<u8>> {
        let root = self.folder.path().join("clean");
        let _ = fs::remove_dir_all(&root);
        let store = Store::on(root, Arc::new(super::disk::Quick));
        self.run(store.clone(), corpus, parameters, Again::Nothing).0.unwrap();
        self.totalled();
        self.result(&store, parameters)
    }
}

/// A corpus of that many items.
pub fn corpus(items: u32) -> Corpus {
    (0..items).map(|index| (format!("item-{index}"), index % 10)).collect()
}
