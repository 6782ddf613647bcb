//! Keeps clips in Parquet shards.

mod encode;
mod layout;
mod quantise;
mod reader;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use etude_pipeline::flow::{Block, Flow, Header};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Port, Read, Scope, SinkRows, Step, Stop, Storage,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use encode::Encoder;
use layout::{Data, Layout, row};

use crate::Expect;
pub use reader::{Shard, StoredClip, StoredData};

/// Keeps clips in Parquet shards: what stands above is computed once.
///
/// A row is a clip: `item`, `start` (its first frame, at `rate`), `view`, `rate`, `channels`, `frames` and
/// `audio {bytes, path}`, the layout of Hugging Face's `Audio` feature: a complete audio file,
/// uncompressed and contiguous in the Parquet file, so that one clip can be fetched by its offset.
/// Samples beyond full scale are saturated by the 16-bit codecs and counted (`saturated_samples`).
/// Of features a row has `hop`, `planes` and `values` instead: `channels` times `frames` numbers, channel after
/// channel. What was drawn above is in `drawn`, a struct of numbers, and masked frames are in `mask`, a list of first
/// frames and those behind the last; those of them in whose place an encoder puts its own vector are in `unseen`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shards {
    /// How samples of audio are kept: `flac` unless another is given. Features are always 32-bit floats.
    #[serde(default)]
    codec: Option<Codec>,
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
    const VERSION: u32 = 4;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Shards {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless((1..=65536).contains(&self.megabytes), "megabytes", "must be from 1 to 65536")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?.clips()?;
        let codec = self.codec.unwrap_or_default();
        if signal.hop == 1 {
            let checked = codec.check(signal.rate.unwrap_or(1), signal.channels.unwrap_or(1));
            checked.map_err(Invalid::by("codec"))?;
        } else {
            let right = self.codec.is_none_or(|codec| codec == Codec::F32);
            Invalid::unless(right, "codec", "features are kept as 32-bit floats: leave `codec` out")?;
        }
        Ok(Flow::Signal(signal))
    }

    fn body(&self) -> Body {
        Body::Sink(Box::new(self.clone()))
    }
}

impl operator::Sink for Shards {
    fn schema(&self, output: &Flow) -> SchemaRef {
        match output {
            Flow::Signal(signal) => Layout::of(signal).schema(),
            _ => Arc::new(Schema::empty()),
        }
    }

    fn reserved(&self) -> &'static [&'static str] {
        &["hop", "planes", "drawn", "mask", "unseen", "audio", "values"]
    }

    fn storage(&self) -> Storage {
        Storage { target: self.megabytes << 20, row_pages: true }
    }

    fn rows(&self, _: Context) -> Box<dyn SinkRows> {
        let codec = self.codec.unwrap_or_default();
        Box::new(Rows { codec, header: None, layout: None, work: Work::Audio(Box::new(Encoder::new(codec))) })
    }

    fn reader(&self, context: Context) -> Option<Box<dyn Read>> {
        Some(Box::new(reader::Reader::new(context)))
    }
}

/// What a clip's samples are put together with.
enum Work {
    Audio(Box<Encoder>),
    Features(Vec<Vec<f32>>),
}

struct Rows {
    codec: Codec,
    header: Option<Header>,
    layout: Option<(Layout, SchemaRef)>,
    work: Work,
}

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::Rejected { class: "encode", offset: String::new(), message: error.to_string() }
}

impl SinkRows for Rows {
    fn begin(&mut self, header: &Header) -> Step {
        let channels = usize::from(header.channels);
        if header.hop == 1 {
            self.codec.check(header.rate, header.channels).map_err(failed)?;
        }
        match (&mut self.work, header.hop) {
            (Work::Audio(encoder), 1) => encoder.begin(channels),
            (work, 1) => {
                let mut encoder = Encoder::new(self.codec);
                encoder.begin(channels);
                *work = Work::Audio(Box::new(encoder));
            }
            (work, _) => *work = Work::Features(vec![Vec::new(); channels]),
        }
        let layout = Layout::of_clip(header);
        if self.layout.as_ref().is_none_or(|(known, _)| *known != layout) {
            let schema = layout.schema();
            self.layout = Some((layout, schema));
        }
        self.header = Some(header.clone());
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        for channel in 0..block.channels() {
            match &mut self.work {
                Work::Audio(encoder) => encoder.push(channel, block.channel(channel)),
                Work::Features(planes) => planes[channel].extend_from_slice(block.channel(channel)),
            }
        }
        Ok(())
    }

    fn end(&mut self, counters: &mut Vec<(&'static str, u64)>) -> Result<Option<RecordBatch>, Stop> {
        let (Some(header), Some((_, schema))) = (self.header.take(), &self.layout) else { return Ok(None) };
        let (frames, data) = match &mut self.work {
            Work::Audio(encoder) => {
                let frames = encoder.frames();
                let (bytes, saturated) = encoder.finish(header.rate).map_err(failed)?;
                counters.push(("saturated_samples", saturated));
                let view = if header.view == 0 { String::new() } else { format!(".{}", header.view) };
                let path = format!("{}@{}{view}.{}", header.item, header.start, self.codec.extension());
                (frames, Data::Audio(bytes, path))
            }
            Work::Features(planes) => (planes.first().map_or(0, Vec::len), Data::Values(planes.concat())),
        };
        row(schema, &header, frames, data).map(Some).map_err(failed)
    }
}
