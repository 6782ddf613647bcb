//! Operators of a few lines, over items that are only in memory.
//!
//! ```text
//! corpus → cut (two signals an item) → first (kept) → add → second (kept) → total (a file)
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, LazyLock, Mutex};

use arrow::array::{AsArray, Float32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float32Type, Int64Type, Schema, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::event::Reporter;
use crate::flow::{Block, Flow, Header, SignalType, Unit};
use crate::operator::*;
use crate::place::Place;

/// Items of a corpus by key: what each holds. Anything may be odd (filtered) or bad (rejected).
pub type Corpus = BTreeMap<String, u32>;

/// What is filtered, and what is rejected.
pub const FILTERED: u32 = 7;
pub const REJECTED: u32 = 8;

/// Corpora by name, and the items that were computed by (corpus, stage).
static CORPORA: LazyLock<Mutex<BTreeMap<String, Corpus>>> = LazyLock::new(Mutex::default);
static COMPUTED: LazyLock<Mutex<Computed>> = LazyLock::new(Mutex::default);

type Computed = BTreeMap<(String, String), Vec<String>>;

pub fn set_corpus(name: &str, corpus: &Corpus) {
    CORPORA.lock().unwrap().insert(name.to_owned(), corpus.clone());
}

/// The items that a stage has computed since this was last asked, sorted.
pub fn computed(corpus: &str, stage: &str) -> Vec<String> {
    let mut items =
        COMPUTED.lock().unwrap().remove(&(corpus.to_owned(), stage.to_owned())).unwrap_or_default();
    items.sort();
    items
}

fn record(corpus: &str, stage: &str, item: &str) {
    COMPUTED.lock().unwrap().entry((corpus.to_owned(), stage.to_owned())).or_default().push(item.to_owned());
}

const SIGNAL: Port = Port { name: "from", many: false, optional: false, about: "what is read" };

fn signal() -> Flow {
    Flow::Signal(SignalType { frames: Some(2), ..SignalType::audio(Some(1000), Some(1), Unit::Clip) })
}

macro_rules! declare {
    ($type:ty, $name:literal, $scope:ident, $ports:expr) => {
        impl Declare for $type {
            const NAME: &'static str = $name;
            const VERSION: u32 = 1;
            const SCOPE: Scope = Scope::$scope;
            const PORTS: &'static [Port] = $ports;
        }
    };
}

/// The items of a corpus.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scanned {
    #[schemars(extend("x-kind" = "location"))]
    name: String,
}
declare!(Scanned, "corpus", Item, &[]);

impl Operator for Scanned {
    fn output(&self, _: &Inputs<'_>) -> Result<Flow, Invalid> {
        Ok(Flow::Items)
    }

    fn body(&self) -> Body {
        Body::Scan(Box::new(self.clone()))
    }
}

impl Scan for Scanned {
    fn scan(&self) -> Result<Vec<Item>, Invalid> {
        let corpora = CORPORA.lock().unwrap();
        let item = |(key, content): (&String, &u32)| Item {
            key: Arc::from(key.as_str()),
            // What the item holds, and of which corpus it is, for `cut`.
            place: Place::at(format!("{}/{content}", self.name)),
            size: 10,
            digest: format!("content-{content}").into(),
            stamp: None,
            rows: None,
        };
        Ok(corpora.get(&self.name).into_iter().flatten().map(item).collect())
    }
}

/// Two signals of an item: what it holds over `keep`, and twice that.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut<const VERSION: u32> {
    /// Contents are told apart only so far: different ones may give the same.
    keep: u32,
}

impl<const V: u32> Declare for Cut<V> {
    const NAME: &'static str = "cut";
    const VERSION: u32 = V;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[SIGNAL];
}

impl<const V: u32> Operator for Cut<V> {
    fn output(&self, _: &Inputs<'_>) -> Result<Flow, Invalid> {
        Ok(signal())
    }

    fn body(&self) -> Body {
        let keep = self.keep;
        Body::Read(Box::new(move |_| Box::new(Cutting { keep, version: V })))
    }
}

struct Cutting {
    keep: u32,
    version: u32,
}

impl Read for Cutting {
    fn read(&mut self, item: &Item, output: &mut dyn Output) -> Step {
        let path = item.place.path().unwrap().to_str().unwrap().to_owned();
        let (corpus, content) = path.split_once('/').unwrap();
        let content: u32 = content.parse().unwrap();
        record(corpus, "first", &item.key);
        output.count("cut", 1);
        match content {
            FILTERED => return Err(Stop::Filtered { reason: "odd".into() }),
            REJECTED => {
                let (offset, message) = ("byte 3".into(), "bad".into());
                return Err(Stop::Rejected { class: "toy", offset, message });
            }
            _ => {}
        }
        for (index, factor) in [1.0, 2.0].into_iter().enumerate() {
            output.begin(&Header::audio(item.key.clone(), index as u64, 1000, 1, Some(2)))?;
            let value = (content / self.keep * 10 + self.version) as f32 * factor;
            output.block(&mut Block::planar(1, vec![value, -value]))?;
            output.end()?;
        }
        Ok(())
    }
}

/// Adds a number.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Add {
    amount: f32,
    /// The corpus, to tell what was computed.
    #[schemars(extend("x-kind" = "location"))]
    of: String,
}
declare!(Add, "add", Item, &[SIGNAL]);

impl Operator for Add {
    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        Ok(inputs.one("from")?.clone())
    }

    fn body(&self) -> Body {
        let this = self.clone();
        Body::Map(Box::new(move |_| Box::new(Adding(this.clone()))))
    }
}

struct Adding(Add);

impl Map for Adding {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        if header.start == 0 {
            record(&self.0.of, "second", &header.item);
        }
        output.begin(header)
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        block.samples_mut().iter_mut().for_each(|sample| *sample += self.0.amount);
        output.block(block)
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        output.end()
    }
}

/// Keeps signals, a row each.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Bytes that a shard aims at.
    target: u64,
}
declare!(Keep, "keep", Item, &[SIGNAL]);

impl Operator for Keep {
    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        Ok(inputs.one("from")?.clone())
    }

    fn body(&self) -> Body {
        Body::Sink(Box::new(self.clone()))
    }
}

fn columns() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("item", DataType::Utf8, false),
        Field::new("start", DataType::Int64, false),
        Field::new("value", DataType::Float32, false),
    ]))
}

impl Sink for Keep {
    fn schema(&self, _: &Flow) -> SchemaRef {
        columns()
    }

    fn storage(&self) -> Storage {
        Storage { target: self.target, row_pages: false }
    }

    fn rows(&self, _: Context) -> Box<dyn SinkRows> {
        Box::new(Row::default())
    }

    fn reader(&self, _: Context) -> Option<Box<dyn Read>> {
        Some(Box::new(ReadBack))
    }
}

#[derive(Default)]
struct Row {
    header: Option<Header>,
    value: f32,
}

impl SinkRows for Row {
    fn begin(&mut self, header: &Header) -> Step {
        self.header = Some(header.clone());
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        self.value = block.channel(0)[0];
        Ok(())
    }

    fn end(&mut self, counters: &mut Vec<(&'static str, u64)>) -> Result<Option<RecordBatch>, Stop> {
        counters.push(("kept", 1));
        let header = self.header.take().unwrap();
        let batch = RecordBatch::try_new(
            columns(),
            vec![
                Arc::new(StringArray::from(vec![&*header.item])),
                Arc::new(Int64Array::from(vec![header.start as i64])),
                Arc::new(Float32Array::from(vec![self.value])),
            ],
        );
        Ok(Some(batch.unwrap()))
    }
}

struct ReadBack;

impl Read for ReadBack {
    fn read(&mut self, item: &Item, output: &mut dyn Output) -> Step {
        let file = File::open(item.place.path().unwrap()).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let (first, count) = item.rows.unwrap();
        let mut row = 0;
        for batch in reader {
            let batch = batch.unwrap();
            for at in 0..batch.num_rows() {
                if (first..first + count).contains(&row) {
                    let item = Arc::from(batch.column(0).as_string::<i32>().value(at));
                    let start = batch.column(1).as_primitive::<Int64Type>().value(at) as u64;
                    output.begin(&Header::audio(item, start, 1000, 1, Some(1)))?;
                    let value = batch.column(2).as_primitive::<Float32Type>().value(at);
                    output.block(&mut Block::planar(1, vec![value]))?;
                    output.end()?;
                }
                row += 1;
            }
        }
        Ok(())
    }
}

/// Adds up all values.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Total {
    /// The corpus, to tell that it ran.
    #[schemars(extend("x-kind" = "location"))]
    of: String,
}
declare!(Total, "total", Dataset, &[SIGNAL]);

impl Operator for Total {
    fn output(&self, _: &Inputs<'_>) -> Result<Flow, Invalid> {
        Ok(Flow::Table(columns()))
    }

    fn body(&self) -> Body {
        Body::Dataset(Arc::new(self.clone()))
    }
}

impl Dataset for Total {
    fn run(&self, job: &DatasetJob, _: &Reporter, _: &CancellationToken) -> Result<ChainReport, Error> {
        record(&self.of, "total", "all");
        let DatasetInput::Signal(input) = job.input("from")? else {
            return Err(Error::Other("it reads signals".into()));
        };
        let mut total = 0.0;
        for shard in &input.shards {
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(shard).unwrap()).unwrap();
            for batch in reader.build().unwrap() {
                let batch = batch.unwrap();
                total += batch.column(2).as_primitive::<Float32Type>().iter().flatten().sum::<f32>();
            }
        }
        std::fs::write(job.output.join("total.txt"), total.to_string()).unwrap();
        Ok(ChainReport { counts: Vec::new(), seconds: Vec::new() })
    }
}

/// The operators, of two versions of `cut`.
pub const TABLE: Table = Table::new(&[&[
    Declaration::of::<Scanned>(),
    Declaration::of::<Cut<1>>(),
    Declaration::of::<Add>(),
    Declaration::of::<Keep>(),
    Declaration::of::<Total>(),
]]);
pub const NEXT: Table = Table::new(&[&[
    Declaration::of::<Scanned>(),
    Declaration::of::<Cut<2>>(),
    Declaration::of::<Add>(),
    Declaration::of::<Keep>(),
    Declaration::of::<Total>(),
]]);
