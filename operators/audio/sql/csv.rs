//! The types of a CSV file's columns: found by reading all of it, so that no later row is a surprise.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use super::files::BATCH;

/// What all values of a column that have been seen are.
#[derive(Debug, Clone, Copy)]
struct Values {
    any: bool,
    whole: bool,
    number: bool,
    boolean: bool,
}

impl Values {
    const NONE: Self = Self { any: false, whole: true, number: true, boolean: true };

    fn add(&mut self, text: &str) {
        self.any = true;
        self.whole &= is_whole(text);
        self.number &= is_number(text);
        self.boolean &= text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    }

    fn kind(self) -> DataType {
        match self {
            Self { any: false, .. } => DataType::Utf8,
            Self { whole: true, .. } => DataType::Int64,
            Self { number: true, .. } => DataType::Float64,
            Self { boolean: true, .. } => DataType::Boolean,
            _ => DataType::Utf8,
        }
    }
}

/// A number that would lose its zeros, such as `007`, is a name.
fn is_padded(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit()
}

fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|first: char| first.is_ascii_digit())
        && !is_padded(digits)
        && text.parse::<i64>().is_ok()
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let signs = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    signs && !digits.starts_with('+') && !is_padded(digits) && text.parse::<f64>().is_ok()
}

/// All columns as text, by the names in the first line.
pub fn text(reader: impl BufRead, delimiter: u8) -> Result<Schema, ArrowError> {
    let format = Format::default().with_header(true).with_delimiter(delimiter);
    let (header, _) = format.infer_schema(reader, Some(0))?;
    let mut names = BTreeSet::new();
    let mut fields = Vec::new();
    for (index, field) in header.fields().iter().enumerate() {
        let name = match field.name().trim() {
            "" => format!("column_{}", index + 1),
            name => name.to_owned(),
        };
        if !names.insert(name.clone()) {
            return Err(ArrowError::SchemaError(format!("two columns are named `{name}`")));
        }
        fields.push(Field::new(name, DataType::Utf8, true));
    }
    Ok(Schema::new(fields))
}

/// The columns with their types: whole numbers, numbers, true and false, or text. `item` is text.
pub fn typed(reader: impl BufRead, delimiter: u8, text: &Schema) -> Result<Schema, ArrowError> {
    let mut seen = vec![Values::NONE; text.fields().len()];
    let reader = ReaderBuilder::new(Arc::new(text.clone()))
        .with_header(true)
        .with_delimiter(delimiter)
        .with_batch_size(BATCH)
        .build_buffered(reader)?;
    for batch in reader {
        for (values, column) in seen.iter_mut().zip(batch?.columns()) {
            column.as_string::<i32>().iter().flatten().for_each(|text| values.add(text));
        }
    }
    let fields = text.fields().iter().zip(seen).map(|(field, values)| {
        let kind = if field.name() == "item" { DataType::Utf8 } else { values.kind() };
        Field::new(field.name(), kind, true)
    });
    Ok(Schema::new(fields.collect::<Vec<_>>()))
}
