//! The operator contract.
//!
//! An operator is a parameter struct (serde with unknown fields refused, a JSON Schema, doc
//! comments) that implements [`Declare`] — name, version, scope, ports — and [`Operator`] — the
//! checks, the output schema and the [`Body`] that does the work. It never sees threads, files of
//! the store, or the cache.

mod body;
mod table;

use std::fmt::{self, Display};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::flow::Flow;
use crate::random::{Key, Random};

pub use body::{
    Body, Bring, ChainReport, Dataset, DatasetInput, DatasetJob, Item, Link, Map, Output, Read, Scan,
    SignalInput, Sink, SinkRows, Stamp, Step, Stop, Storage, Survey, Tabulate,
};
pub use table::{Declaration, Kind, Table};

/// How much an operator looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A recording or clip at a time.
    Item,
    /// Everything at once.
    Dataset,
}

/// A named input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// The key in YAML: `from` for the main input.
    pub name: &'static str,
    /// Whether it takes a list of stages.
    pub many: bool,
    /// Whether it may be left out; the main input never is, but may be the stage above.
    pub optional: bool,
    /// What it expects, for the reference.
    pub about: &'static str,
}

/// The static part of an operator.
pub trait Declare: Operator + Clone + Serialize + DeserializeOwned + JsonSchema + 'static {
    /// The name in YAML.
    const NAME: &'static str;
    /// Raised whenever the same parameters and input would give another output.
    const VERSION: u32;
    /// How much it looks at.
    const SCOPE: Scope;
    /// Its inputs, the main one first. A source has none.
    const PORTS: &'static [Port];
    /// Whether its table is a result to be printed at the end of a run.
    const REPORT: bool = false;
}

/// What a stage reads, in the order of the operator's ports.
#[derive(Debug, Default)]
pub struct Inputs<'a>(pub Vec<(&'static str, Vec<&'a Flow>)>);

impl<'a> Inputs<'a> {
    /// The first stage at a port.
    pub fn one(&self, port: &str) -> Result<&'a Flow, String> {
        self.many(port).first().copied().ok_or_else(|| format!("`{port}` names no stage"))
    }

    /// All stages at a port.
    pub fn many(&self, port: &str) -> &[&'a Flow] {
        self.0.iter().find(|(name, _)| *name == port).map_or(&[], |(_, flows)| flows)
    }
}

/// The names of the stages that are read, as in [`Inputs`].
#[derive(Debug, Default)]
pub struct Names<'a>(pub Vec<(&'static str, Vec<&'a str>)>);

impl<'a> Names<'a> {
    /// The names of all stages at a port.
    pub fn many(&self, port: &str) -> &[&'a str] {
        self.0.iter().find(|(name, _)| *name == port).map_or(&[], |(_, names)| names)
    }
}

/// What is wrong with a stage: a parameter that is out of range, or that does not suit what stands above, and what is
/// allowed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// The parameter's or port's name; a dot leads into a nested one. Empty where it is none of them.
    pub parameter: String,
    pub message: String,
}

/// Of no parameter.
impl From<String> for Invalid {
    fn from(message: String) -> Self {
        Self { parameter: String::new(), message }
    }
}

/// Of no parameter.
impl From<&str> for Invalid {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl Invalid {
    /// Of a parameter or a port.
    pub fn of(parameter: &str, message: impl Into<String>) -> Self {
        Self { parameter: parameter.to_owned(), message: message.into() }
    }

    /// The same of what someone else says of it.
    pub fn by<M: Into<String>>(parameter: &str) -> impl Fn(M) -> Self {
        move |message| Self::of(parameter, message)
    }

    /// An error unless `condition` holds.
    pub fn unless(condition: bool, parameter: &str, message: impl Into<String>) -> Result<(), Self> {
        if condition { Ok(()) } else { Err(Self::of(parameter, message)) }
    }
}

/// An operator with its parameters.
pub trait Operator: Parameters + fmt::Debug + Send + Sync {
    /// Ranges that the types do not express.
    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }

    /// The output schema, or what is wrong with the inputs.
    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid>;

    /// As `output`, for an operator to which the names of the stages that it reads matter.
    fn output_named(&self, inputs: &Inputs<'_>, names: &Names<'_>) -> Result<Flow, Invalid> {
        let _ = names;
        self.output(inputs)
    }

    /// Whether random numbers are drawn; if so, seed and stage name are part of the fingerprint.
    fn random(&self) -> bool {
        false
    }

    /// Bytes that it holds of one item besides the blocks that pass through it, such as buffers of an
    /// FFT: they are part of the memory budget.
    fn memory(&self) -> u64 {
        0
    }

    /// What does the work.
    fn body(&self) -> Body;
}

/// The effective parameters, defaults included.
pub trait Parameters {
    /// The parameters as JSON.
    fn parameters(&self) -> Value;
}

impl<T: Serialize> Parameters for T {
    fn parameters(&self) -> Value {
        // Parameter structs are plain data: they always serialise.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// What an item operator may know of the run.
#[derive(Debug, Clone)]
pub struct Context {
    /// The pipeline's seed.
    pub seed: u64,
    /// The name of the stage, so that two stages with the same seed are unrelated.
    pub stage: Arc<str>,
    /// The epoch, 0 above a materialised stage.
    pub epoch: u64,
    /// Frames of a block; results do not depend on it.
    pub block: usize,
    /// Asked for every packet.
    pub cancel: tokio_util::sync::CancellationToken,
    /// What the operator reads besides its main input, by port.
    pub sides: Arc<[(String, Vec<DatasetInput>)]>,
}

impl Context {
    /// The random stream of one signal. An operator that needs several puts their names before the item's.
    pub fn random(&self, item: impl Display, start: u64, view: u32) -> Random {
        let key = Key::default().part(&self.seed.to_le_bytes()).part(self.stage.as_bytes());
        let key = key.text(item).part(&start.to_le_bytes());
        key.part(&self.epoch.to_le_bytes()).part(&view.to_le_bytes()).random()
    }

    /// The kept stages at a port other than the main one.
    pub fn side(&self, port: &str) -> &[DatasetInput] {
        self.sides.iter().find(|(name, _)| name == port).map_or(&[], |(_, inputs)| inputs)
    }

    /// Stops the item when the run has been cancelled.
    pub fn check(&self) -> Step {
        if self.cancel.is_cancelled() { Err(Stop::Cancelled) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
