//! Windows from a table.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::MOST_SECONDS;
use super::plan::Span;

/// Where windows are, by item.
#[derive(Debug)]
pub(super) struct Windows {
    place: Place,
    items: HashMap<Box<str>, Vec<(f64, f64)>>,
}

/// What the two numbers of a window are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Its start, and nothing.
    Start,
    /// Its start and its end.
    Range,
    /// Its centre, and nothing.
    Centre,
}

impl Place {
    /// The columns, by the names they may have.
    fn columns(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Start => &[ITEM, START],
            Self::Range => &[ITEM, START, END],
            Self::Centre => &[ITEM, CENTRE],
        }
    }
}

const ITEM: &[&str] = &["item"];
const START: &[&str] = &["start"];
const END: &[&str] = &["end"];
const CENTRE: &[&str] = &["centre", "center"];

/// Seconds beyond which no recording goes.
const FAR: f64 = 1e9;

/// What is wrong with a table of windows. Rows count from 1, without the header.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Arrow(#[from] ArrowError),
    #[error("{0}")]
    Parquet(#[from] ParquetError),
    #[error("it has the columns {found}; expected {expected}")]
    Columns { found: String, expected: &'static str },
    #[error("row {row} names no item")]
    NoItem { row: u64 },
    #[error("row {row} has `{column}` {found}, expected a number of seconds")]
    NoNumber { row: u64, column: &'static str, found: String },
    #[error("row {row} ends at {end} s, which is not after its start at {start} s")]
    Backwards { row: u64, start: f64, end: f64 },
    #[error("row {row} lasts {seconds} s, expected at most {MOST_SECONDS}")]
    Long { row: u64, seconds: f64 },
}

impl Windows {
    /// Reads a CSV or Parquet file. `whole` windows last from their start to their end.
    pub fn read(path: &Path, whole: bool) -> Result<Self, Problem> {
        let mut file = File::open(path)?;
        let mut magic = Vec::new();
        (&mut file).take(4).read_to_end(&mut magic)?;
        file.rewind()?;
        if magic == b"PAR1" { Self::read_parquet(file, whole) } else { Self::read_csv(file, whole) }
    }

    fn read_csv(file: File, whole: bool) -> Result<Self, Problem> {
        let mut file = BufReader::new(file);
        skip_mark(&mut file)?;
        let begin = file.stream_position()?;
        let header = Format::default().with_header(true).infer_schema(&mut file, Some(0))?.0;
        file.seek(std::io::SeekFrom::Start(begin))?;
        let names: Vec<&str> = header.fields().iter().map(|field| field.name().trim()).collect();
        let (place, columns) = choose(&names, whole)?;
        // As text, so that a value that is no number can be told with its row.
        let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
        let reader = ReaderBuilder::new(Arc::new(Schema::new(fields))).with_header(true);
        let batches = reader.with_projection(columns.clone()).build_buffered(file)?;
        Self::collect(place, batches.map(|batch| batch.map_err(Problem::from)), &columns, &names)
    }

    fn read_parquet(file: File, whole: bool) -> Result<Self, Problem> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let schema = reader.schema().clone();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let (place, columns) = choose(&names, whole)?;
        let mask = ProjectionMask::roots(reader.parquet_schema(), columns.iter().copied());
        let batches = reader.with_projection(mask).build()?;
        Self::collect(place, batches.map(|batch| batch.map_err(Problem::from)), &columns, &names)
    }

    /// Takes the columns, which the reader has left in the order of the file or in that of `columns`.
    fn collect(
        place: Place,
        batches: impl Iterator<Item = Result<RecordBatch, Problem>>,
        columns: &[usize],
        names: &[&str],
    ) -> Result<Self, Problem> {
        let mut windows = Self { place, items: HashMap::new() };
        let mut before = 0;
        for batch in batches {
            let batch = batch?;
            let column = |index: usize| {
                let name = columns.get(index).and_then(|column| names.get(*column)).copied();
                let found = name.and_then(|name| batch.column_by_name(name));
                found.ok_or_else(|| ArrowError::SchemaError("a column is missing".into()))
            };
            let items = cast(column(0)?, &DataType::Utf8)?;
            let first = Seconds::of(column(1)?, place.columns()[1][0])?;
            let second = if place == Place::Range { Some(Seconds::of(column(2)?, END[0])?) } else { None };
            for row in 0..batch.num_rows() {
                let number = before + row as u64 + 1;
                let item = Some(items.as_string::<i32>()).filter(|items| items.is_valid(row));
                let item = item.map(|items| items.value(row)).filter(|item| !item.is_empty());
                let item = item.ok_or(Problem::NoItem { row: number })?;
                let start = first.at(row, number)?;
                let end = second.as_ref().map_or(Ok(start), |second| second.at(row, number))?;
                if place == Place::Range && end <= start {
                    return Err(Problem::Backwards { row: number, start, end });
                }
                if end - start > MOST_SECONDS {
                    return Err(Problem::Long { row: number, seconds: end - start });
                }
                windows.push(item, (start, end));
            }
            before += batch.num_rows() as u64;
        }
        Ok(windows)
    }

    fn push(&mut self, item: &str, window: (f64, f64)) {
        match self.items.get_mut(item) {
            Some(windows) => windows.push(window),
            None => {
                self.items.insert(item.into(), vec![window]);
            }
        }
    }

    /// The windows of an item as frames, `length` of them if that is given, counted from the frame
    /// `start` of the recording.
    pub fn spans(&self, item: &str, rate: u32, start: u64, length: Option<u64>) -> Option<Vec<Span>> {
        let origin = i64::try_from(start).unwrap_or(i64::MAX);
        let frame = |seconds: f64| ((seconds * f64::from(rate)).round() as i64).saturating_sub(origin);
        let span = |(first, second): &(f64, f64)| match (self.place, length) {
            (Place::Centre, Some(length)) => {
                Span { first: frame(*first).saturating_sub_unsigned(length / 2), length }
            }
            (_, Some(length)) => Span { first: frame(*first), length },
            (_, None) => {
                let (first, end) = (frame(*first), frame(*second));
                Span { first, length: end.saturating_sub(first).unsigned_abs() }
            }
        };
        Some(self.items.get(item)?.iter().map(span).collect())
    }
}

/// Some programs begin a CSV file with a byte order mark.
fn skip_mark(file: &mut BufReader<File>) -> std::io::Result<()> {
    let mut mark = Vec::new();
    file.take(3).read_to_end(&mut mark)?;
    if mark == b"\xEF\xBB\xBF" { Ok(()) } else { file.rewind() }
}

/// Which columns to read, `item` first, and what they say.
fn choose(names: &[&str], whole: bool) -> Result<(Place, Vec<usize>), Problem> {
    let find = |known: &&[&str]| names.iter().position(|name| known.contains(name));
    let expected = match whole {
        true => "`item`, `start` and `end`, for without `seconds` or `frames` a clip lasts from start to end",
        false => "`item` and one of `start` and `centre`",
    };
    let found = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let place = match (whole, find(&START), find(&CENTRE)) {
        (true, Some(_), None) => Place::Range,
        (false, Some(_), None) => Place::Start,
        (false, None, Some(_)) => Place::Centre,
        _ => return Err(Problem::Columns { found: found(), expected }),
    };
    let columns: Option<Vec<usize>> = place.columns().iter().map(find).collect();
    Ok((place, columns.ok_or_else(|| Problem::Columns { found: found(), expected })?))
}

/// A column of seconds, as text or as numbers.
struct Seconds {
    values: ArrayRef,
    name: &'static str,
}

impl Seconds {
    fn of(column: &ArrayRef, name: &'static str) -> Result<Self, Problem> {
        let text = matches!(column.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let values = cast(column, if text { &DataType::Utf8 } else { &DataType::Float64 })?;
        Ok(Self { values, name })
    }

    fn at(&self, row: usize, number: u64) -> Result<f64, Problem> {
        let wrong = |found: String| Problem::NoNumber { row: number, column: self.name, found };
        if self.values.is_null(row) {
            return Err(wrong("empty".into()));
        }
        let (seconds, text) = match self.values.as_string_opt::<i32>() {
            Some(texts) => (texts.value(row).trim().parse().ok(), format!("`{}`", texts.value(row))),
            None => {
                let seconds = self.values.as_primitive::<Float64Type>().value(row);
                (Some(seconds), seconds.to_string())
            }
        };
        seconds.filter(|seconds: &f64| seconds.abs() <= FAR).ok_or_else(|| wrong(text))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float32Array, Int64Array, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn csv(text: &str, whole: bool) -> Result<Windows, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("windows.csv");
        std::fs::write(&path, text).unwrap();
        Windows::read(&path, whole).map_err(|problem| problem.to_string())
    }

    fn span(first: i64, length: u64) -> Span {
        Span { first, length }
    }

    #[test]
    fn starts_ranges_and_centres() {
        let starts = csv("item,start\na,1\na,0.5\nb,3\n", false).unwrap();
        assert_eq!(starts.spans("a", 100, 0, Some(20)), Some(vec![span(100, 20), span(50, 20)]));
        assert_eq!(starts.spans("b", 100, 250, Some(20)), Some(vec![span(50, 20)]));
        assert_eq!(starts.spans("c", 100, 0, Some(20)), None);
        let ranges = csv("item,start,end\na,1,2.5\n", true).unwrap();
        assert_eq!(ranges.spans("a", 100, 0, None), Some(vec![span(100, 150)]));
        let ranges = csv("item,start,end\na,1,2.5\n", false).unwrap();
        assert_eq!(ranges.spans("a", 100, 0, Some(7)), Some(vec![span(100, 7)]));
        for name in ["centre", "center"] {
            let centres = csv(&format!("item,{name}\na,1\na,0\n"), false).unwrap();
            assert_eq!(centres.spans("a", 100, 0, Some(21)), Some(vec![span(90, 21), span(-10, 21)]));
        }
    }

    #[test]
    fn quotes_spaces_marks_and_other_columns() {
        let text = "\u{feff}label, start ,item\r\n\"x, \"\"y\"\"\nz\", 1.5 ,\"a, b.wav\"\r\n,2,ü/c.wav\r\n";
        let windows = csv(text, false).unwrap();
        assert_eq!(windows.spans("a, b.wav", 10, 0, Some(1)), Some(vec![span(15, 1)]));
        assert_eq!(windows.spans("ü/c.wav", 10, 0, Some(1)), Some(vec![span(20, 1)]));
    }

    #[test]
    fn parquet_of_any_number_type() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("windows.parquet");
        let batch = RecordBatch::try_from_iter([
            ("end", Arc::new(Int64Array::from(vec![3, 4])) as ArrayRef),
            ("item", Arc::new(StringArray::from(vec!["a", "a"]))),
            ("other", Arc::new(StringArray::from(vec!["", ""]))),
            ("start", Arc::new(Float32Array::from(vec![0.5, 1.5]))),
        ])
        .unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let windows = Windows::read(&path, true).unwrap();
        assert_eq!(windows.spans("a", 100, 0, None), Some(vec![span(50, 250), span(150, 250)]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_row() {
        let said = |text: &str, whole: bool| csv(text, whole).unwrap_err();
        assert_eq!(
            said("item,begin\na,1\n", false),
            "it has the columns `item`, `begin`; expected `item` and one of `start` and `centre`"
        );
        assert!(said("item,start,centre\n", false).contains("expected `item` and one of"));
        assert!(said("item,centre\n", true).contains("expected `item`, `start` and `end`"));
        assert!(said("item,start\n", true).contains("expected `item`, `start` and `end`"));
        assert!(said("", false).contains("expected `item`"), "{}", said("", false));
        assert_eq!(
            said("item,start\na,1\na,x\n", false),
            "row 2 has `start` `x`, expected a number of seconds"
        );
        assert_eq!(said("item,start\na,\n", false), "row 1 has `start` empty, expected a number of seconds");
        assert_eq!(
            said("item,start\na,nan\n", false),
            "row 1 has `start` `nan`, expected a number of seconds"
        );
        assert!(said("item,start\na,1e30\n", false).contains("`1e30`"));
        assert_eq!(said("item,start\n,1\n", false), "row 1 names no item");
        assert_eq!(
            said("item,start,end\na,1,2\na,2,2\n", true),
            "row 2 ends at 2 s, which is not after its start at 2 s"
        );
        assert_eq!(said("item,start,end\na,1,9999\n", true), "row 1 lasts 9998 s, expected at most 3600");
        assert!(said("item,start\na\n", false).contains("line"), "{}", said("item,start\na\n", false));
        let missing = Windows::read(Path::new("/nowhere/windows.csv"), false).unwrap_err();
        assert!(matches!(missing, Problem::Io(_)));
    }
}
