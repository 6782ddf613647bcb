//! Shards of features for the tests of what reads them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use etude_pipeline::flow::{Block, Flow, Header, SignalType, Unit};
use etude_pipeline::operator::{
    Context, DatasetInput, DatasetJob, Declare, Link, Operator, Parameters, SignalInput, Sink, SinkRows,
};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::shards::Shards;

/// A clip's channels.
pub(crate) type Clip = Vec<Vec<f32>>;

const RATE: u32 = 16_000;
const HOP: u32 = 160;

/// Shards, and what is in them. An item is in the shard of its number's last bit.
pub(crate) struct Kept {
    _folder: tempfile::TempDir,
    input: SignalInput,
}

/// Features of that many channels.
pub(crate) fn features(channels: u16) -> SignalType {
    SignalType { hop: HOP, ..SignalType::audio(Some(RATE), Some(channels), Unit::Clip) }
}

impl Kept {
    /// Features of items, in the order of their keys.
    pub(crate) fn features(items: &[(&str, Vec<Clip>)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shards: Shards = serde_json::from_value(json!({})).unwrap();
        let channels = items[0].1[0].len() as u16;
        let schema = shards.schema(&Flow::Signal(features(channels)));
        let mut writers: Vec<_> = (0..2)
            .map(|shard| {
                let path = folder.path().join(format!("{shard}.parquet"));
                let writer = ArrowWriter::try_new(File::create(&path).unwrap(), schema.clone(), None);
                (path, writer.unwrap(), 0)
            })
            .collect();
        let mut rows = shards.rows(Context {
            seed: 0,
            stage: Arc::from("shards"),
            epoch: 0,
            block: 100,
            cancel: Default::default(),
            sides: Default::default(),
        });
        let mut entries = Vec::new();
        for (index, (item, clips)) in items.iter().enumerate() {
            let (_, writer, before) = &mut writers[index % 2];
            for (number, clip) in clips.iter().enumerate() {
                writer.write(&row(rows.as_mut(), item, number as u64 * 1600, clip)).unwrap();
            }
            entries.push((index % 2, *before, clips.len() as u64));
            *before += clips.len() as u64;
        }
        let paths = writers.into_iter().map(|(path, writer, _)| {
            writer.close().unwrap();
            path
        });
        let store = Link {
            stage: "shards".into(),
            operator: Shards::NAME.into(),
            version: Shards::VERSION,
            parameters: shards.parameters(),
            sides: Vec::new(),
        };
        let input = SignalInput {
            stage: "shards".into(),
            shards: paths.collect(),
            bytes: Vec::new(),
            elsewhere: false,
            items: entries,
            views: 1,
            signal: Box::new(SignalType::audio(None, None, Unit::Clip)),
            store,
            chain: Vec::new(),
        };
        Self { _folder: folder, input }
    }

    /// A job that reads them.
    pub(crate) fn job(&self, parameters: Value, threads: usize, output: &Path) -> DatasetJob {
        DatasetJob {
            stage: "test".into(),
            operator: "test".into(),
            parameters,
            seed: 7,
            inputs: vec![("from".into(), vec![DatasetInput::Signal(self.input.clone())])],
            output: output.to_owned(),
            state: None,
            threads,
            shards: None,
        }
    }

    /// The same with operators below the shards.
    pub(crate) fn with(mut self, chain: Vec<Link>) -> Self {
        self.input.chain = chain;
        self
    }

    /// The same, where that many rows are views of one clip.
    pub(crate) fn in_views(mut self, views: u32) -> Self {
        self.input.views = views;
        self
    }
}

/// A link of a chain.
pub(crate) fn link<T: Declare + Operator>(operator: &T) -> Link {
    Link {
        stage: T::NAME.into(),
        operator: T::NAME.into(),
        version: T::VERSION,
        parameters: operator.parameters(),
        sides: Vec::new(),
    }
}

fn row(rows: &mut dyn SinkRows, item: &str, start: u64, clip: &Clip) -> arrow::array::RecordBatch {
    let header = Header::audio(Arc::from(item), start, RATE, clip.len() as u16, Some(clip[0].len() as u64));
    rows.begin(&Header { hop: HOP, ..header }).unwrap();
    rows.block(&mut Block::planar(clip.len(), clip.concat())).unwrap();
    rows.end(&mut Vec::new()).unwrap().unwrap()
}
