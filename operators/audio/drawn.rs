//! The column of what was drawn.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;
use etude_pipeline::flow::Header;

/// Its name.
pub const NAME: &str = "drawn";

/// The column, for numbers of these names; none where there are no numbers.
pub fn field(names: &[Arc<str>]) -> Option<Field> {
    (!names.is_empty()).then(|| Field::new(NAME, DataType::Struct(fields(names)), false))
}

/// Its values: a row for each of the headers, which have the same names.
pub fn column(headers: &[&Header]) -> Result<Option<ArrayRef>, ArrowError> {
    let Some(first) = headers.first().filter(|first| !first.drawn.is_empty()) else { return Ok(None) };
    let names: Vec<Arc<str>> = first.drawn.iter().map(|(name, _)| name.clone()).collect();
    let numbers = (0..names.len()).map(|number| -> ArrayRef {
        let drawn = headers.iter().map(|header| header.drawn.get(number).and_then(|(_, number)| *number));
        Arc::new(drawn.collect::<Float64Array>())
    });
    Ok(Some(Arc::new(StructArray::try_new(fields(&names), numbers.collect(), None)?)))
}

fn fields(names: &[Arc<str>]) -> Fields {
    names.iter().map(|name| Field::new(&**name, DataType::Float64, true)).collect()
}
