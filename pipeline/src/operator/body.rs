//! What does an operator's work.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Context, Invalid};
use crate::error::Error;
use crate::event::Reporter;
use crate::flow::{Block, Flow, Header, SignalType};
use crate::place::{Place, Source};
use crate::store::Counts;

/// The six ways to take part in a run.
pub enum Body {
    /// Lists items.
    Scan(Box<dyn Scan>),
    /// Opens items and gives their signals.
    Read(Box<dyn Fn(Context) -> Box<dyn Read> + Send + Sync>),
    /// Takes signals and gives signals.
    Map(Box<dyn Fn(Context) -> Box<dyn Map> + Send + Sync>),
    /// Turns signals into rows, which are kept.
    Sink(Box<dyn Sink>),
    /// Turns items into rows with no signal between; the rows are kept.
    Tabulate(Box<dyn Tabulate>),
    /// Takes everything at once and keeps files.
    Dataset(Arc<dyn Dataset>),
}

/// Something to be worked on: a recording, or the rows that a shard holds of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The path below the scanned root, with `/` between folders.
    pub key: Arc<str>,
    /// Where its bytes are.
    pub place: Place,
    /// Bytes, unpacked.
    pub size: u64,
    /// BLAKE3 of its content; of an object what stands for it.
    pub digest: Arc<str>,
    /// What the file, or the archive that holds it, looked like when the digest was taken.
    pub stamp: Option<Stamp>,
    /// For rows of a shard: the first and the number of rows.
    pub rows: Option<(u64, u64)>,
}

impl Item {
    /// Opens it. What cannot be unpacked, or was found unreadable by the scan, is rejected.
    pub fn open(&self) -> Result<Box<dyn Source>, Stop> {
        self.place.open().map_err(|error| match error.kind() {
            ErrorKind::InvalidData => {
                Stop::Rejected { class: "archive", offset: "byte 0".into(), message: error.to_string() }
            }
            _ => Stop::Transient { message: error.to_string() },
        })
    }
}

/// What tells that a file may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub size: u64,
    /// When it was last written, in nanoseconds since 1970. A program may set it.
    pub modified: i64,
    /// When anything about it last changed, its name in a folder aside; the system alone sets it. 0 where it is not
    /// known.
    pub changed: i64,
    pub inode: u64,
}

impl Stamp {
    /// The stamp of a file as it is now.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        let nanos = |time: std::time::Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let modified = match metadata.modified()?.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => nanos(after),
            Err(before) => -nanos(before.duration()),
        };
        #[cfg(unix)]
        let (changed, inode) = {
            use std::os::unix::fs::MetadataExt;
            let seconds = metadata.ctime().saturating_mul(1_000_000_000);
            (seconds.saturating_add(metadata.ctime_nsec()), metadata.ino())
        };
        #[cfg(not(unix))]
        let (changed, inode) = (0, 0);
        Ok(Self { size: metadata.len(), modified, changed, inode })
    }

    /// Whether the content may be another. A second name or other rights, which a backup may give to a file, say nothing
    /// of it.
    pub fn is_of_other_content(&self, other: &Self) -> bool {
        (self.size, self.modified, self.inode) != (other.size, other.modified, other.inode)
    }
}

/// Lists items.
pub trait Scan: Send + Sync {
    /// All items with key and place, sorted by key; objects with size and digest. The run fills in the rest.
    fn scan(&self) -> Result<Vec<Item>, Invalid>;
}

/// Why an item ends before its end.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// Left out on purpose.
    Filtered { reason: String },
    /// Cannot be used.
    Rejected {
        /// A short name for the kind of error, such as `decode`.
        class: &'static str,
        /// Where in the item, such as `byte 4096` or `12.3 s`.
        offset: String,
        message: String,
    },
    /// Would perhaps succeed at another time: never stored.
    Transient { message: String },
    /// The run has been cancelled.
    Cancelled,
}

/// What every step of an item gives.
pub type Step = Result<(), Stop>;

/// What stands below an operator.
///
/// Blocks are lent. Whoever gets one may change it, and may keep it by leaving another in its place
/// ([`std::mem::swap`]), whose memory the lender then fills: so the same memory goes round, clip after clip.
pub trait Output {
    /// A signal begins.
    fn begin(&mut self, header: &Header) -> Step;
    /// Its next frames. What stands in the block afterwards does not matter.
    fn block(&mut self, block: &mut Block) -> Step;
    /// It is complete.
    fn end(&mut self) -> Step;
    /// Something was counted that the summary shows, such as saturated samples.
    fn count(&mut self, what: &'static str, amount: u64);
}

/// Opens items.
pub trait Read: Send {
    /// Reads one item to its end.
    fn read(&mut self, item: &Item, output: &mut dyn Output) -> Step;
}

/// Takes signals and gives signals. Used for one item after another.
pub trait Map: Send {
    /// A signal begins. Forgets whatever an item that was stopped has left.
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step;
    /// Its next frames.
    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step;
    /// The signal is complete.
    fn end(&mut self, output: &mut dyn Output) -> Step;
    /// What looks at a whole item before its signals come, for an operator that has to know it first.
    /// The chain above is replayed for it: once for the survey, then again.
    fn survey(&mut self) -> Option<&mut dyn Survey> {
        None
    }
}

/// A first pass over an item.
pub trait Survey {
    /// Forgets the item before. Called once an item, before its first signal.
    fn item(&mut self);
    /// A signal begins.
    fn begin(&mut self, header: &Header) -> Step;
    /// Its next frames.
    fn block(&mut self, block: &Block) -> Step;
    /// The signal is complete.
    fn end(&mut self) -> Step;
}

/// Turns items into rows with no signal between.
pub trait Tabulate: Send + Sync {
    /// The columns, the first of which is `item`.
    fn schema(&self) -> SchemaRef;
    /// How the rows are laid out in a shard.
    fn storage(&self) -> Storage;
    /// The rows of one item, any number of them.
    fn rows(&self, item: &Item, context: &Context) -> Result<RecordBatch, Stop>;
}

/// Turns signals into rows, which are kept.
pub trait Sink: Send + Sync {
    /// The columns, the first two of which are `item` and `start`. `output` is what the operator
    /// said it would give.
    fn schema(&self, output: &Flow) -> SchemaRef;
    /// Names besides those of its columns that no table above may give a column: its reader would take it for its own.
    fn reserved(&self) -> &'static [&'static str] {
        &[]
    }
    /// How the rows are laid out in a shard.
    fn storage(&self) -> Storage;
    /// A writer of rows, used for one item after another.
    fn rows(&self, context: Context) -> Box<dyn SinkRows>;
    /// What reads the rows back as signals, if they are signals.
    fn reader(&self, context: Context) -> Option<Box<dyn Read>>;
}

/// How rows are laid out in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    /// Bytes of input that a shard aims at.
    pub target: u64,
    /// Whether each row is a page of its own, so that one can be read alone.
    pub row_pages: bool,
}

/// Builds the rows of one item.
pub trait SinkRows: Send {
    /// A signal begins. Forgets whatever an item that was stopped has left.
    fn begin(&mut self, header: &Header) -> Step;
    /// Its next frames.
    fn block(&mut self, block: &mut Block) -> Step;
    /// The signal is complete: its rows, and what there was to count.
    fn end(&mut self, counters: &mut Vec<(&'static str, u64)>) -> Result<Option<RecordBatch>, Stop>;
}

/// Takes everything at once.
pub trait Dataset: Send + Sync {
    /// Does the work; what it leaves in `job.output` is kept. It runs on a thread of its own.
    fn run(
        &self,
        job: &DatasetJob,
        reporter: &Reporter,
        cancel: &CancellationToken,
    ) -> Result<ChainReport, Error>;

    /// Whether it can go on with what it has left in `job.state` when its run was killed.
    fn resumes(&self) -> bool {
        false
    }

    /// Whether it asks for the shards at `from` when it needs them, by `job.shards`, and what it gives depends on how items are
    /// spread over them. Others find all of them here.
    fn asks(&self) -> bool {
        false
    }
}

/// What the item operators that a dataset operator ran did, in the order of its inputs' chains.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChainReport {
    pub counts: Vec<Counts>,
    pub seconds: Vec<f64>,
}

/// An operator of a chain, by name and parameters: the serialised form of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub stage: String,
    pub operator: String,
    pub version: u32,
    pub parameters: Value,
    /// What it reads besides its main input, by port; empty where it is not about to run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sides: Vec<(String, Vec<DatasetInput>)>,
}

/// Brings shards to this machine, and lets them go.
pub trait Bring: fmt::Debug + Send + Sync {
    /// Brings one; waits until it is here.
    ///
    /// Errors: it cannot be had, or is not what was written.
    fn bring(&self, shard: &Path) -> Result<(), Error>;

    /// Lets one go that was brought. It may be asked for again.
    fn release(&self, shard: &Path);
}

/// What a dataset operator gets. It can be sent to another process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DatasetJob {
    pub stage: String,
    pub operator: String,
    pub parameters: Value,
    pub seed: u64,
    /// The inputs by port.
    pub inputs: Vec<(String, Vec<DatasetInput>)>,
    /// An empty folder for what is to be kept.
    pub output: PathBuf,
    /// A folder that outlives a run that is killed, where the operator resumes: what it left is there again.
    pub state: Option<PathBuf>,
    pub threads: usize,
    /// Whom to ask for shards of what is `elsewhere`.
    #[serde(skip)]
    pub shards: Option<Arc<dyn Bring>>,
}

impl DatasetJob {
    /// All inputs at a port.
    pub fn inputs(&self, port: &str) -> &[DatasetInput] {
        self.inputs.iter().find(|(name, _)| name == port).map_or(&[], |(_, inputs)| inputs)
    }

    /// The input at a port that takes one.
    pub fn input(&self, port: &str) -> Result<&DatasetInput, Error> {
        self.inputs(port)
            .first()
            .ok_or_else(|| Error::stage(&self.stage, format!("there is no input at `{port}`")))
    }

    /// The typed parameters.
    pub fn parameters<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_value(self.parameters.clone())
            .map_err(|error| Error::stage(&self.stage, error.to_string()))
    }
}

/// One input of a dataset operator, or what an item operator reads besides its main input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetInput {
    /// Signals: shards and what happens to them on the way.
    Signal(SignalInput),
    /// The Parquet files of a table.
    Table { stage: String, files: Vec<PathBuf> },
    /// A folder.
    Artifact { stage: String, folder: PathBuf },
}

impl DatasetInput {
    /// The folder of an artifact.
    pub fn folder(&self) -> Result<&Path, Error> {
        match self {
            Self::Artifact { folder, .. } => Ok(folder),
            _ => Err(Error::Other("an artifact was expected as input".into())),
        }
    }
}

/// Signals that can be opened again for any epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalInput {
    /// The stage that is read.
    pub stage: String,
    /// The shards.
    pub shards: Vec<PathBuf>,
    /// Bytes of each.
    pub bytes: Vec<u64>,
    /// Whether each has to be brought here before it is read.
    pub elsewhere: bool,
    /// The items in the order of their keys: which shard, the first row, the number of rows. How the
    /// items are spread over shards must not matter, but to what asks for them.
    pub items: Vec<(usize, u64, u64)>,
    /// Rows that are views of one clip; they follow each other.
    pub views: u32,
    /// The signals at the end of the chain.
    pub signal: Box<SignalType>,
    /// The materialising operator, which knows how to read them.
    pub store: Link,
    /// The item operators below the shards.
    pub chain: Vec<Link>,
}
