//! What was drawn: the numbers in headers, and their column.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;
use etude_pipeline::flow::Header;

/// Its name.
pub const NAME: &str = "drawn";

/// Notes numbers in headers. Their names are made once, for signals that have drawn the same before.
pub struct Notes {
    names: Vec<String>,
    /// What was drawn before, and the names that are free beside it.
    before: Vec<Arc<str>>,
    free: Vec<Arc<str>>,
}

impl Notes {
    /// Under these names, and where one is taken under the same with a number.
    pub fn new(names: impl IntoIterator<Item: Into<String>>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), before: Vec::new(), free: Vec::new() }
    }

    /// Adds numbers to a header, in the order of their names; those that are missing are noted as not drawn.
    pub fn note(&mut self, header: &mut Header, numbers: impl IntoIterator<Item = Option<f64>>) {
        let before = || header.drawn.iter().map(|(name, _)| name);
        if self.free.len() != self.names.len() || !before().eq(&self.before) {
            self.before = before().cloned().collect();
            self.names.iter().for_each(|name| header.draw(name, None));
            self.free = header.drawn.drain(self.before.len()..).map(|(name, _)| name).collect();
        }
        let numbers = numbers.into_iter().chain(std::iter::repeat(None));
        header.drawn.extend(self.free.iter().cloned().zip(numbers));
    }
}

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
