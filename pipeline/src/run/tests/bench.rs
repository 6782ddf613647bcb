//! A toy pipeline, a store, and what a run of it left.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use super::disk::{Fault, Faulty, Quick};
use super::toy::{Corpus, NEXT, TABLE, computed, set_corpus};
use crate::error::Error;
use crate::run::{Again, BLOCK, Engine, MaxRejects, Options, Outcome};
use crate::spec::Pipeline;
#[cfg(feature = "cloud")]
use crate::store::Remote;
use crate::store::Store;

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

/// A corpus under a name of its own, and where its store is: in a folder, or on a server with copies in the folder.
pub struct Bench {
    pub name: String,
    pub folder: tempfile::TempDir,
    #[cfg(feature = "cloud")]
    pub server: Option<Arc<object_store::memory::InMemory>>,
}

/// Where stores are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    Folder,
    #[cfg(feature = "cloud")]
    Server,
}

impl Where {
    pub const ALL: &'static [Self] = &[
        Self::Folder,
        #[cfg(feature = "cloud")]
        Self::Server,
    ];
}

/// What a store is on, when something is to happen to it.
pub enum Faults {
    Disk(Arc<Faulty>),
    #[cfg(feature = "cloud")]
    Server(Arc<super::server::Server>),
}

impl Faults {
    /// How many operations there were that change the store.
    pub fn operations(&self) -> u64 {
        match self {
            Self::Disk(disk) => disk.operations(),
            #[cfg(feature = "cloud")]
            Self::Server(server) => server.operations(),
        }
    }

    /// Whether everything has ended.
    pub fn crashed(&self) -> bool {
        match self {
            Self::Disk(disk) => disk.crashed(),
            #[cfg(feature = "cloud")]
            Self::Server(server) => server.crashed(),
        }
    }
}

impl Bench {
    pub fn new(place: Where) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // In memory, where there is such a folder.
        let root = Path::new("/dev/shm");
        let folder = if root.is_dir() { tempfile::tempdir_in(root) } else { tempfile::tempdir() };
        let _ = place;
        Self {
            name: format!("corpus-{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            folder: folder.unwrap(),
            #[cfg(feature = "cloud")]
            server: (place == Where::Server).then(Arc::default),
        }
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub fn store(&self) -> Store {
        #[cfg(feature = "cloud")]
        if let Some(server) = &self.server {
            return self.on(server.clone());
        }
        Store::on(self.root(), Arc::new(Quick))
    }

    #[cfg(feature = "cloud")]
    fn on(&self, server: Arc<dyn object_store::ObjectStore>) -> Store {
        Store::objects(Remote::new(server, "a prefix", "mem://a prefix"), self.root(), Arc::new(Quick))
    }

    /// The store, and what is to happen at an operation.
    pub fn faulty(&self, at: u64, fault: Fault) -> (Store, Faults) {
        #[cfg(feature = "cloud")]
        if let Some(server) = &self.server {
            let server = Arc::new(super::server::Server::new(server.clone(), at, fault));
            return (self.on(server.clone()), Faults::Server(server));
        }
        let disk = Arc::new(Faulty::new(at, fault, &self.folder.path().join("aside")));
        (Store::on(self.root(), disk.clone()), Faults::Disk(disk))
    }

    /// After a crash: what was not synchronised is lost, or the next run is on another machine.
    pub fn lose(&self, faults: &Faults) {
        match faults {
            Faults::Disk(disk) => disk.lose(),
            #[cfg(feature = "cloud")]
            Faults::Server(_) => drop(fs::remove_dir_all(self.root())),
        }
    }

    /// So much time passes that whoever was killed is known to be dead.
    pub fn time_passes(&self) {
        #[cfg(feature = "cloud")]
        if let Some(server) = &self.server {
            let remote = Remote::new(server.clone(), "a prefix", "");
            for folder in ["lock", "leases"] {
                remote.list(folder).unwrap().iter().for_each(|(path, _)| remote.delete(path).unwrap());
            }
        }
    }

    /// Flips a bit of the copy of a file; whether there is one.
    pub fn flip_copy(&self, path: &str, bit: usize) -> bool {
        let path = self.root().join(path);
        #[cfg(feature = "cloud")]
        if self.server.is_some()
            && let Ok(mut bytes) = fs::read(&path)
            && let Some(at) = bit.checked_rem(8 * bytes.len())
        {
            bytes[at / 8] ^= 1 << (at % 8);
            fs::write(&path, bytes).unwrap();
            return true;
        }
        let _ = (path, bit);
        false
    }

    /// Flips a bit of a file of the store. None of an empty one.
    pub fn flip(&self, path: &str, bit: usize) -> Option<()> {
        let flipped = |mut bytes: Vec<u8>| {
            let at = bit.checked_rem(8 * bytes.len())?;
            bytes[at / 8] ^= 1 << (at % 8);
            Some(bytes)
        };
        #[cfg(feature = "cloud")]
        if let Some(server) = &self.server {
            let remote = Remote::new(server.clone(), "a prefix", "");
            remote.put(path, flipped(remote.get(path).unwrap().unwrap())?, false).unwrap();
            return Some(());
        }
        let path = self.root().join(path);
        let bytes = flipped(fs::read(&path).unwrap())?;
        // Shards are not to be changed in place: another name of the same file keeps its content.
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        Some(())
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
        let store = Store::on(root, Arc::new(Quick));
        self.run(store.clone(), corpus, parameters, Again::Nothing).0.unwrap();
        self.totalled();
        self.result(&store, parameters)
    }
}

/// A corpus of that many items.
pub fn corpus(items: u32) -> Corpus {
    (0..items).map(|index| (format!("item-{index}"), index % 10)).collect()
}
