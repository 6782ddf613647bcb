//! Keeps clips in Parquet shards.

mod encode;
mod quantise;
mod reader;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, StructArray};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use etude_pipeline::flow::{Block, Flow, Header, SignalType};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Port, Read, Scope, SinkRows, Step, Stop, Storage,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use encode::Encoder;
pub use reader::{Shard, StoredClip};

/// Keeps clips in Parquet shards: what stands above is computed once.
///
/// A row is a clip: `item`, `start` (its first frame, at `rate`), `rate`, `channels`, `frames` and
/// `audio {bytes, path}`, the layout of Hugging Face's `Audio` feature: a complete audio file,
/// uncompressed and contiguous in the Parquet file, so that one clip can be fetched by its offset.
/// Samples beyond full scale are saturated by the 16-bit codecs and counted (`saturated_samples`).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shards {
    /// How samples are kept.
    #[serde(default)]
    codec: Codec,
    /// Megabytes (2^20) of input that a shard aims at, 1 to 65536.
    #[serde(default = "default_megabytes")]
    #[schemars(range(min = 1, max = 65536))]
    megabytes: u64,
}

fn default_megabytes() -> u64 {
    256
}

/// How samples are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// FLAC, 16 bit: lossless for 16-bit samples, about a third of `f32`. Up to 655350 samples a
    /// second and 8 channels.
    #[default]
    Flac,
    /// WAV, 16-bit integers.
    I16,
    /// WAV, 32-bit floats: exact.
    F32,
}

impl Declare for Shards {
    const NAME: &'static str = "shards";
    const VERSION: u32 = 2;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Shards {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless((1..=65536).contains(&self.megabytes), "megabytes", "must be from 1 to 65536")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, String> {
        let signal = crate::clips(inputs)?;
        self.codec.check(signal.rate.unwrap_or(1), signal.channels.unwrap_or(1))?;
        // Rows do not tell views apart.
        Ok(Flow::Signal(SignalType { views: 1, ..signal }))
    }

    fn body(&self) -> Body {
        Body::Sink(Box::new(self.clone()))
    }
}

/// What tells `datasets` that `audio` is audio: without it the column is a plain struct there.
const HUGGING_FACE: &str = concat!(
    r#"{"info":{"features":{"item":{"dtype":"string","_type":"Value"},"start":{"dtype":"int64","_type":"Value"},"#,
    r#""rate":{"dtype":"int32","_type":"Value"},"channels":{"dtype":"int32","_type":"Value"},"#,
    r#""frames":{"dtype":"int64","_type":"Value"},"audio":{"_type":"Audio"}}}}"#
);

/// The columns of a shard.
pub fn schema() -> SchemaRef {
    let metadata = HashMap::from([("huggingface".to_owned(), HUGGING_FACE.to_owned())]);
    let columns = Schema::new(vec![
        Field::new("item", DataType::Utf8, false),
        Field::new("start", DataType::Int64, false),
        Field::new("rate", DataType::Int32, false),
        Field::new("channels", DataType::Int32, false),
        Field::new("frames", DataType::Int64, false),
        Field::new("audio", DataType::Struct(audio_fields()), true),
    ]);
    Arc::new(columns.with_metadata(metadata))
}

fn audio_fields() -> Fields {
    // Never null here, but `datasets` takes the column for audio only where it may be.
    vec![Field::new("bytes", DataType::Binary, true), Field::new("path", DataType::Utf8, true)].into()
}

impl operator::Sink for Shards {
    fn schema(&self, _: &Flow) -> SchemaRef {
        schema()
    }

    fn storage(&self) -> Storage {
        Storage { target: self.megabytes << 20, row_pages: true }
    }

    fn rows(&self, _: Context) -> Box<dyn SinkRows> {
        let encoder = Encoder::new(self.codec);
        Box::new(Rows { codec: self.codec, schema: schema(), header: None, encoder })
    }

    fn reader(&self, context: Context) -> Option<Box<dyn Read>> {
        Some(Box::new(reader::Reader::new(context)))
    }
}

struct Rows {
    codec: Codec,
    schema: SchemaRef,
    header: Option<Header>,
    encoder: Encoder,
}

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::Rejected { class: "encode", offset: String::new(), message: error.to_string() }
}

impl SinkRows for Rows {
    fn begin(&mut self, header: &Header) -> Step {
        self.codec.check(header.rate, header.channels).map_err(failed)?;
        self.encoder.begin(usize::from(header.channels));
        self.header = Some(header.clone());
        Ok(())
    }

    fn block(&mut self, block: Block) -> Step {
        (0..block.channels()).for_each(|channel| self.encoder.push(channel, block.channel(channel)));
        Ok(())
    }

    fn end(&mut self, counters: &mut Vec<(&'static str, u64)>) -> Result<Option<RecordBatch>, Stop> {
        let Some(header) = self.header.take() else { return Ok(None) };
        let frames = self.encoder.frames();
        let (bytes, saturated) = self.encoder.finish(header.rate).map_err(failed)?;
        counters.push(("saturated_samples", saturated));
        let path = format!("{}@{}.{}", header.item, header.start, self.codec.extension());
        let audio = StructArray::try_new(
            audio_fields(),
            vec![Arc::new(one(bytes)?), Arc::new(StringArray::from(vec![path.as_str()]))],
            None,
        )
        .map_err(failed)?;
        let whole = |number: u64| i64::try_from(number).map_err(failed);
        let batch = RecordBatch::try_new(
            self.schema.clone(),
            vec![
                Arc::new(StringArray::from(vec![&*header.item])),
                Arc::new(Int64Array::from(vec![whole(header.start)?])),
                Arc::new(Int32Array::from(vec![i32::try_from(header.rate).map_err(failed)?])),
                Arc::new(Int32Array::from(vec![i32::from(header.channels)])),
                Arc::new(Int64Array::from(vec![whole(frames as u64)?])),
                Arc::new(audio),
            ],
        );
        batch.map(Some).map_err(failed)
    }
}

/// A column of one value, without a copy.
fn one(bytes: Vec<u8>) -> Result<BinaryArray, Stop> {
    let length = i32::try_from(bytes.len()).map_err(|_| {
        failed(format!("a clip of {} bytes is too long for a row, which has 2 GiB", bytes.len()))
    })?;
    let offsets = OffsetBuffer::new(vec![0, length].into());
    BinaryArray::try_new(offsets, Buffer::from_vec(bytes), None).map_err(failed)
}
