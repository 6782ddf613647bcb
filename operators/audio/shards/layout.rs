//! The columns of a shard, and a row of them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, FixedSizeListArray, Float32Array, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray, StructArray,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use etude_pipeline::flow::{Header, Masking, SignalType};

use crate::drawn;

/// What decides which columns there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Features are kept as numbers, audio as audio files.
    features: bool,
    drawn: Vec<Arc<str>>,
    masked: bool,
}

impl Layout {
    /// The layout of the clips of a stage.
    pub fn of(signal: &SignalType) -> Self {
        Self {
            features: signal.hop != 1,
            drawn: signal.drawn.clone(),
            masked: signal.masking != Masking::None,
        }
    }

    /// The layout of a clip.
    pub fn of_clip(header: &Header) -> Self {
        let drawn = header.drawn.iter().map(|(name, _)| name.clone()).collect();
        Self { features: header.hop != 1, drawn, masked: header.mask.is_some() }
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        let whole = |name: &str, kind| Field::new(name, kind, false);
        let mut fields = vec![
            whole("item", DataType::Utf8),
            whole("start", DataType::Int64),
            whole("view", DataType::Int32),
            whole("rate", DataType::Int32),
            whole("channels", DataType::Int32),
            whole("frames", DataType::Int64),
        ];
        if self.features {
            fields.extend([whole("hop", DataType::Int32), whole("planes", DataType::Int32)]);
        }
        fields.extend(drawn::field(&self.drawn));
        if self.masked {
            fields.push(whole("mask", DataType::List(span())));
            fields.push(whole("unseen", DataType::List(span())));
        }
        fields.push(match self.features {
            true => whole("values", DataType::List(value())),
            false => Field::new("audio", DataType::Struct(audio_fields()), true),
        });
        Arc::new(Schema::new(fields).with_metadata(self.metadata()))
    }

    /// What tells Hugging Face's `datasets` that `audio` is audio: without it the column is a plain struct there. It
    /// has to list all columns, and versions of it differ in how they describe lists.
    fn metadata(&self) -> HashMap<String, String> {
        if self.features || self.masked {
            return HashMap::new();
        }
        let value = |name: &str, kind: &str| format!(r#""{name}":{{"dtype":"{kind}","_type":"Value"}},"#);
        let mut features = value("item", "string") + &value("start", "int64");
        features += &["view", "rate", "channels"].map(|name| value(name, "int32")).concat();
        features += &value("frames", "int64");
        if !self.drawn.is_empty() {
            let drawn: String = self.drawn.iter().map(|name| value(name, "float64")).collect();
            features += &format!(r#""drawn":{{{}}},"#, drawn.trim_end_matches(','));
        }
        let text = format!(r#"{{"info":{{"features":{{{features}"audio":{{"_type":"Audio"}}}}}}}}"#);
        HashMap::from([("huggingface".to_owned(), text)])
    }
}

/// A row of spans.
fn one_list(spans: &[(u64, u64)]) -> Result<ListArray, ArrowError> {
    let edges: Vec<i64> = spans.iter().flat_map(|(from, to)| [*from as i64, *to as i64]).collect();
    let values = FixedSizeListArray::try_new(edge(), 2, Arc::new(Int64Array::from(edges)), None)?;
    ListArray::try_new(span(), OffsetBuffer::from_lengths([spans.len()]), Arc::new(values), None)
}

/// What a clip holds.
pub enum Data {
    /// A complete audio file, and its name.
    Audio(Vec<u8>, String),
    /// Values of the first channel, then of the second, and so on.
    Values(Vec<f32>),
}

/// The row of a clip.
pub fn row(
    schema: &SchemaRef,
    header: &Header,
    frames: usize,
    data: Data,
) -> Result<RecordBatch, ArrowError> {
    let wrong = |error: std::num::TryFromIntError| ArrowError::ComputeError(error.to_string());
    let long = |number: u64| -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(Int64Array::from(vec![i64::try_from(number).map_err(wrong)?])))
    };
    let short = |number: u32| -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(Int32Array::from(vec![i32::try_from(number).map_err(wrong)?])))
    };
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![&*header.item])),
        long(header.start)?,
        short(header.view)?,
        short(header.rate)?,
        short(header.channels.into())?,
        long(frames as u64)?,
    ];
    if let Data::Values(_) = &data {
        columns.extend([short(header.hop)?, short(header.planes.into())?]);
    }
    columns.extend(drawn::column(&[header])?);
    if let Some(mask) = &header.mask {
        columns.push(Arc::new(one_list(&mask.covered)?));
        columns.push(Arc::new(one_list(&mask.unseen)?));
    }
    columns.push(match data {
        Data::Audio(bytes, path) => {
            let columns: Vec<ArrayRef> = vec![Arc::new(one(bytes)?), Arc::new(StringArray::from(vec![path]))];
            Arc::new(StructArray::try_new(audio_fields(), columns, None)?)
        }
        Data::Values(values) => {
            let length = fits(values.len())?;
            let offsets = OffsetBuffer::new(vec![0, length].into());
            Arc::new(ListArray::try_new(value(), offsets, Arc::new(Float32Array::from(values)), None)?)
        }
    });
    RecordBatch::try_new(schema.clone(), columns)
}

fn audio_fields() -> Fields {
    // Never null here, but `datasets` takes the column for audio only where it may be.
    vec![Field::new("bytes", DataType::Binary, true), Field::new("path", DataType::Utf8, true)].into()
}

fn value() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float32, false))
}

/// The first masked frame, and the one behind the last.
fn span() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::FixedSizeList(edge(), 2), false))
}

fn edge() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Int64, false))
}

fn fits(length: usize) -> Result<i32, ArrowError> {
    i32::try_from(length).map_err(|_| {
        ArrowError::ComputeError(format!("a clip of {length} is too long for a row, which has 2^31"))
    })
}

/// A column of one value, without a copy.
fn one(bytes: Vec<u8>) -> Result<BinaryArray, ArrowError> {
    let offsets = OffsetBuffer::new(vec![0, fits(bytes.len())?].into());
    BinaryArray::try_new(offsets, Buffer::from_vec(bytes), None)
}
