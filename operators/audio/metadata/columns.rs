//! The columns, and the row of a recording.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, MapBuilder, MapFieldNames, RecordBatch,
    StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::decode::About;

/// Tags that are columns of their own.
const TAGS: [&str; 6] = ["title", "artist", "album", "genre", "date", "track"];

const ENTRIES: &str = "entries";
const KEY: &str = "key";
const VALUE: &str = "value";

fn tags_type() -> DataType {
    let fields =
        Fields::from(vec![Field::new(KEY, DataType::Utf8, false), Field::new(VALUE, DataType::Utf8, true)]);
    DataType::Map(Arc::new(Field::new(ENTRIES, DataType::Struct(fields), false)), false)
}

/// The columns of the table.
pub fn schema() -> SchemaRef {
    let mut fields = vec![
        Field::new("item", DataType::Utf8, false),
        Field::new("bytes", DataType::Int64, false),
        Field::new("container", DataType::Utf8, true),
        Field::new("codec", DataType::Utf8, true),
        Field::new("rate", DataType::Int32, true),
        Field::new("channels", DataType::Int32, true),
        Field::new("bits", DataType::Int32, true),
        Field::new("frames", DataType::Int64, true),
        Field::new("duration", DataType::Float64, true),
        Field::new("estimated", DataType::Boolean, true),
        Field::new("bit_rate", DataType::Int64, true),
    ];
    fields.extend(TAGS.map(|name| Field::new(name, DataType::Utf8, true)));
    fields.push(Field::new("tags", tags_type(), false));
    Arc::new(Schema::new(fields))
}

/// The row of a recording.
pub fn row(item: &str, bytes: u64, about: &About) -> Result<RecordBatch, ArrowError> {
    let whole = |value: u64| i64::try_from(value).ok();
    let small = |value: u32| i32::try_from(value).ok().filter(|value| *value > 0);
    let text = |value: &str| -> ArrayRef {
        Arc::new(StringArray::from(vec![Some(value).filter(|text| !text.is_empty())]))
    };
    let tags = tags(&about.tags);
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![item])),
        Arc::new(Int64Array::from(vec![whole(bytes).unwrap_or(i64::MAX)])),
        text(&about.container),
        text(&about.codec),
        Arc::new(Int32Array::from(vec![small(about.rate)])),
        Arc::new(Int32Array::from(vec![small(u32::from(about.channels))])),
        Arc::new(Int32Array::from(vec![about.bits.and_then(small)])),
        Arc::new(Int64Array::from(vec![about.frames.and_then(whole)])),
        Arc::new(Float64Array::from(vec![about.seconds])),
        Arc::new(BooleanArray::from(vec![about.seconds.map(|_| about.frames.is_none())])),
        Arc::new(Int64Array::from(vec![about.bit_rate.and_then(whole)])),
    ];
    for name in TAGS {
        columns.push(text(tags.get(name).map_or("", String::as_str)));
    }
    columns.push(map(&tags)?);
    RecordBatch::try_new(schema(), columns)
}

/// Tags by name in lower case. Of several values the first counts.
fn tags(pairs: &[(String, String)]) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for (name, value) in pairs {
        let name = name.trim().to_lowercase();
        let value = value.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        if !name.is_empty() && !value.is_empty() {
            tags.entry(name).or_insert_with(|| value.to_owned());
        }
    }
    tags
}

fn map(tags: &BTreeMap<String, String>) -> Result<ArrayRef, ArrowError> {
    let names = MapFieldNames { entry: ENTRIES.into(), key: KEY.into(), value: VALUE.into() };
    let mut map = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for (name, value) in tags {
        map.keys().append_value(name);
        map.values().append_value(value);
    }
    map.append(true)?;
    Ok(Arc::new(map.finish()))
}
