//! Files of rows: Parquet, CSV, TSV and JSON lines, told apart by what is in them.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::csv::ReaderBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json;
use arrow::util::display::FormatOptions;
use etude_pipeline::Error;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::csv;

/// Rows of a batch: with vectors in them still a few megabytes, and few enough batches to be merged.
pub const BATCH: usize = 8192;
/// What of a file's begin tells its format.
const PEEK: usize = 64 << 10;
/// What some programs put before a text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// How a file's rows are written. Content alone tells: names are no part of a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    JsonLines,
    Delimited(u8),
}

/// The batches of a file.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch, Error>> + Send>;

fn wrong(path: &Path) -> impl Fn(&dyn std::fmt::Display) -> Error + Send + 'static {
    let path = path.display().to_string();
    move |message| Error::Other(format!("{path}: {message}"))
}

/// Opens a file, behind the mark of a text.
fn open(path: &Path) -> Result<(Format, BufReader<File>), Error> {
    let mut reader = BufReader::with_capacity(PEEK, File::open(path).map_err(Error::io(path))?);
    let (format, skip) =
        sniff(reader.fill_buf().map_err(Error::io(path))?).map_err(|message| wrong(path)(&message))?;
    reader.consume(skip);
    Ok((format, reader))
}

/// What a file is by its begin, and how many bytes of it are no part of a text.
fn sniff(begin: &[u8]) -> Result<(Format, usize), &'static str> {
    if begin.starts_with(b"PAR1") {
        return Ok((Format::Parquet, 0));
    }
    if begin.contains(&0) {
        return Err("is neither Parquet nor a text in UTF-8");
    }
    let skip = if begin.starts_with(MARK) { MARK.len() } else { 0 };
    let text = &begin[skip..];
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Err("is empty; expected a line of column names"),
        Some(b'{') => Ok((Format::JsonLines, skip)),
        Some(b'[') => Err("is a JSON list; expected one object a line"),
        Some(_) => {
            let header = text.split(|byte| *byte == b'\n').next().unwrap_or(text);
            let delimiter = [b'\t', b',', b';'].into_iter().find(|byte| header.contains(byte));
            Ok((Format::Delimited(delimiter.unwrap_or(b',')), skip))
        }
    }
}

/// The columns of a file, in types that every reader of Parquet knows.
pub fn schema(path: &Path) -> Result<SchemaRef, Error> {
    let error = wrong(path);
    let arrow = |source: ArrowError| error(&source);
    let (format, reader) = open(path)?;
    let schema = match format {
        Format::Parquet => {
            let file = reader.into_inner();
            let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|source| error(&source))?;
            builder.schema().as_ref().clone()
        }
        Format::JsonLines => json::reader::infer_json_schema(reader, None).map_err(arrow)?.0,
        Format::Delimited(delimiter) => {
            let text = csv::text(reader, delimiter).map_err(arrow)?;
            csv::typed(open(path)?.1, delimiter, &text).map_err(arrow)?
        }
    };
    Ok(plain(&schema))
}

/// The rows of a file: its columns `schema`, which are some of those that it has.
pub fn batches(path: &Path, schema: &SchemaRef) -> Result<Batches, Error> {
    let error = wrong(path);
    let arrow = |source: ArrowError| error(&source);
    let (format, reader) = open(path)?;
    let batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send> = match format {
        Format::Parquet => {
            let file = reader.into_inner();
            let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|source| error(&source))?;
            let columns = columns(builder.schema(), schema).map_err(arrow)?;
            let mask = ProjectionMask::roots(builder.parquet_schema(), columns);
            let reader = builder.with_projection(mask).with_batch_size(BATCH).build();
            Box::new(reader.map_err(|source| error(&source))?)
        }
        Format::JsonLines => {
            // Rows have to be counted even where none of their columns is asked for.
            let asked = if schema.fields().is_empty() { self::schema(path)? } else { schema.clone() };
            let reader = json::ReaderBuilder::new(asked)
                .with_coerce_primitive(true)
                .with_batch_size(BATCH)
                .build(reader);
            Box::new(reader.map_err(arrow)?)
        }
        Format::Delimited(delimiter) => {
            let text = Arc::new(csv::text(open(path)?.1, delimiter).map_err(arrow)?);
            let builder = ReaderBuilder::new(text.clone()).with_header(true).with_delimiter(delimiter);
            let builder = builder.with_batch_size(BATCH);
            let columns = columns(&text, schema).map_err(arrow)?;
            Box::new(builder.with_projection(columns).build_buffered(reader).map_err(arrow)?)
        }
    };
    let (schema, error) = (schema.clone(), wrong(path));
    Ok(Box::new(
        batches.map(move |batch| {
            batch.and_then(|batch| conform(&batch, &schema)).map_err(|source| error(&source))
        }),
    ))
}

/// The places of columns in a file, in the file's order.
fn columns(all: &Schema, asked: &Schema) -> Result<Vec<usize>, ArrowError> {
    let mut columns: Vec<usize> =
        asked.fields().iter().map(|field| all.index_of(field.name())).collect::<Result<_, _>>()?;
    columns.sort_unstable();
    Ok(columns)
}

/// A schema in types that every reader of Parquet knows; any value may be null.
pub fn plain(schema: &Schema) -> SchemaRef {
    let fields =
        schema.fields().iter().map(|field| Field::new(field.name(), plain_type(field.data_type()), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn plain_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Null | DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            let item = item.as_ref().clone();
            let kind = plain_type(item.data_type());
            DataType::List(Arc::new(item.with_data_type(kind)))
        }
        other => other.clone(),
    }
}

/// A batch's columns by name, in the order and the types of a schema. A value that does not fit is an error.
pub fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let options = CastOptions { safe: false, format_options: FormatOptions::default() };
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let column = batch.column_by_name(field.name()).ok_or_else(|| {
            ArrowError::SchemaError(format!("column `{}` is no longer there", field.name()))
        })?;
        columns.push(cast_with_options(column, field.data_type(), &options)?);
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &rows)
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Float64Type;

    use super::*;

    fn write(content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels");
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    fn types(content: &[u8]) -> Vec<(String, DataType)> {
        let (_folder, path) = write(content);
        let schema = schema(&path).unwrap();
        schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
    }

    fn kinds(content: &[u8]) -> Vec<DataType> {
        types(content).into_iter().map(|(_, kind)| kind).collect()
    }

    #[test]
    fn types_are_those_that_all_values_have() {
        use DataType::{Boolean, Float64, Int64, Utf8};
        let csv = b"item,whole,number,flag,word,late,none,padded\n\
            1,-2,1,true,a,1,,007\n2,0,2.5e3,False,2,2,,12\n3,,-0.5,,true,2.5,,1\n";
        assert_eq!(kinds(csv), [Utf8, Int64, Float64, Boolean, Utf8, Float64, Utf8, Utf8]);
        // Dates, infinities and numbers that are too large are not guessed at.
        assert_eq!(kinds(b"a,b,c,d\n2024-01-31,inf,99999999999999999999,+1\n"), [Utf8, Utf8, Float64, Utf8]);
    }

    #[test]
    fn the_content_tells_the_format() {
        let names = |content: &[u8]| types(content).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        for separator in [",", "\t", ";"] {
            assert_eq!(names(format!("a{separator}b c\n1{separator}2\n").as_bytes()), ["a", "b c"]);
        }
        assert_eq!(names(b"\xef\xbb\xbfa,\r\n1,2\r\n"), ["a", "column_2"]);
        assert_eq!(names(b"only\nx\n"), ["only"]);
        let lines = types(b"{\"a\": 1, \"b\": null}\n{\"a\": 2.5, \"c\": [\"x\"]}\n");
        assert_eq!(lines[..2], [("a".into(), DataType::Float64), ("b".into(), DataType::Utf8)]);
        assert!(matches!(lines[2].1, DataType::List(_)));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_file() {
        for (content, expected) in [
            (b"".as_slice(), "is empty"),
            (b"[{\"a\": 1}]", "expected one object a line"),
            (b"\x1f\x8b\x08\x00\x00", "neither Parquet nor a text"),
            (b"a,b,a\n1,2,3\n", "two columns are named `a`"),
            (b"a,b\n1,2\n3\n", "line 3"),
            (b"PAR1 and no more", "labels: "),
        ] {
            let (_folder, path) = write(content);
            let message = schema(&path).unwrap_err().to_string();
            assert!(message.contains("labels: ") && message.contains(expected), "{message}");
        }
    }

    #[test]
    fn rows_come_with_the_columns_that_were_asked_for() {
        for content in
            ["a,b,c\nx,1,2.5\n\"y, z\",,3\n", "{\"a\":\"x\",\"b\":1,\"c\":2.5}\n{\"a\":\"y, z\",\"c\":3}\n"]
        {
            let (_folder, path) = write(content.as_bytes());
            let all = schema(&path).unwrap();
            let asked = Arc::new(all.project(&[2, 0]).unwrap());
            let batch = batches(&path, &asked).unwrap().next().unwrap().unwrap();
            assert_eq!(batch.column(0).as_primitive::<Float64Type>().values().to_vec(), [2.5, 3.0]);
            assert_eq!(batch.column(1).as_string::<i32>().value(1), "y, z");
            let rows = batches(&path, &Arc::new(Schema::empty())).unwrap().next().unwrap().unwrap();
            assert_eq!(rows.num_rows(), 2, "{content}");
        }
    }
}
