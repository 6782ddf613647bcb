//! The content of a row: its size and its digest, whatever batch it came in.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;

use crate::error::Error;

/// Feeds the bytes of one row of an array, with its nulls and lengths, to `feed`.
fn visit(array: &dyn Array, row: usize, feed: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
    if array.is_null(row) {
        feed(&[0]);
        return Ok(());
    }
    feed(&[1]);
    let mut sized = |bytes: &[u8]| {
        feed(&(bytes.len() as u64).to_le_bytes());
        feed(bytes);
    };
    match array.data_type() {
        DataType::Utf8 => sized(array.as_string::<i32>().value(row).as_bytes()),
        DataType::LargeUtf8 => sized(array.as_string::<i64>().value(row).as_bytes()),
        DataType::Utf8View => sized(array.as_string_view().value(row).as_bytes()),
        DataType::BinaryView => sized(array.as_binary_view().value(row)),
        DataType::Binary => sized(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => sized(array.as_binary::<i64>().value(row)),
        DataType::Boolean => feed(&[u8::from(array.as_boolean().value(row))]),
        DataType::Struct(_) => {
            for column in array.as_struct().columns() {
                visit(column, row, feed)?;
            }
        }
        DataType::FixedSizeList(..) => values(&array.as_fixed_size_list().value(row), feed)?,
        DataType::Map(..) => values(&array.as_map().value(row), feed)?,
        DataType::List(_) => values(&array.as_list::<i32>().value(row), feed)?,
        DataType::LargeList(_) => values(&array.as_list::<i64>().value(row), feed)?,
        kind => {
            let Some(width) = kind.primitive_width() else {
                return Err(Error::Other(format!("columns of type {kind} cannot be kept in a shard")));
            };
            let data = array.to_data();
            let at = (data.offset() + row) * width;
            feed(&data.buffers()[0].as_slice()[at..at + width]);
        }
    }
    Ok(())
}

/// A list's values: in one piece where they are numbers without nulls.
fn values(list: &dyn Array, feed: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
    feed(&(list.len() as u64).to_le_bytes());
    if let (Some(width), 0) = (list.data_type().primitive_width(), list.null_count()) {
        let data = list.to_data();
        let at = data.offset() * width;
        feed(&data.buffers()[0].as_slice()[at..at + list.len() * width]);
        return Ok(());
    }
    (0..list.len()).try_for_each(|row| visit(list, row, feed))
}

/// Adds a row to a digest and returns its size in bytes.
pub fn digest_row(batch: &RecordBatch, row: usize, hasher: &mut blake3::Hasher) -> Result<u64, Error> {
    let mut size = 0;
    for column in batch.columns() {
        visit(column, row, &mut |bytes| {
            size += bytes.len() as u64;
            hasher.update(bytes);
        })?;
    }
    Ok(size)
}

/// The size of a row in bytes.
pub fn row_size(batch: &RecordBatch, row: usize) -> Result<u64, Error> {
    let mut size = 0;
    for column in batch.columns() {
        visit(column, row, &mut |bytes| size += bytes.len() as u64)?;
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BinaryArray, Int64Array, StringArray};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    #[test]
    fn a_row_is_the_same_in_any_batch() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("a", DataType::Utf8, true),
            Field::new("b", DataType::Int64, false),
            Field::new("c", DataType::Binary, false),
        ]));
        let batch = RecordBatch::try_new(
            schema,
            vec![
                Arc::new(StringArray::from(vec![Some("x"), None, Some("z")])),
                Arc::new(Int64Array::from(vec![1, 2, 3])),
                Arc::new(BinaryArray::from(vec![b"aa".as_slice(), b"", b"c"])),
            ],
        )
        .unwrap();
        let of = |batch: &RecordBatch, row| {
            let mut hasher = blake3::Hasher::new();
            let size = digest_row(batch, row, &mut hasher).unwrap();
            assert_eq!(size, row_size(batch, row).unwrap());
            hasher.finalize()
        };
        for row in 0..3 {
            assert_eq!(of(&batch, row), of(&batch.slice(row, 1), 0));
        }
        assert_ne!(of(&batch, 0), of(&batch, 2));
    }
}
