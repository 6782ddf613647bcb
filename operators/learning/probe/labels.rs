//! Which class and group each item has, from a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use etude_pipeline::operator::Invalid;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The names of the columns.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    pub item: &'a str,
    pub target: &'a str,
    pub group: Option<&'a str>,
}

/// What is known of an item: numbers of its class and its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    pub class: usize,
    pub group: usize,
}

/// The labels by item.
#[derive(Debug, PartialEq)]
pub struct Labels {
    /// The classes' names, sorted.
    pub classes: Vec<String>,
    /// Whether groups were named; if not, each item is one.
    pub grouped: bool,
    pub items: BTreeMap<String, Label>,
}

/// A row of the table, counted from 1 without the header.
#[derive(Debug)]
struct Row {
    number: u64,
    class: String,
    group: String,
}

/// What some programs put before a text.
const MARK: &[u8] = b"\xEF\xBB\xBF";

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

fn unusable(error: impl Display) -> Invalid {
    Invalid::of("labels", format!("cannot be used: {error}"))
}

impl Labels {
    /// Reads a CSV or Parquet file; the error names the parameter that is wrong. Rows without a class
    /// are passed over.
    pub fn read(path: &Path, columns: &Columns<'_>) -> Result<Self, Invalid> {
        let mut file = File::open(path).map_err(unusable)?;
        let mut magic = Vec::new();
        (&mut file).take(4).read_to_end(&mut magic).map_err(unusable)?;
        file.rewind().map_err(unusable)?;
        let batches = if magic == b"PAR1" { parquet(file, columns) } else { csv(file, columns) };
        let rows = collect(batches?, columns)?;
        if rows.is_empty() {
            return Err(Invalid::of("target", format!("`{}` has no class in any row", columns.target)));
        }
        Ok(Self::number(&rows, columns.group.is_some()))
    }

    /// Gives classes and groups numbers in the order of their names.
    fn number(rows: &BTreeMap<String, Row>, grouped: bool) -> Self {
        let classes: BTreeSet<&str> = rows.values().map(|row| row.class.as_str()).collect();
        let groups: BTreeSet<&str> = rows.values().map(|row| row.group.as_str()).collect();
        let numbers = |names: &BTreeSet<&str>| -> BTreeMap<String, usize> {
            names.iter().enumerate().map(|(number, name)| ((*name).to_owned(), number)).collect()
        };
        let (class, group) = (numbers(&classes), numbers(&groups));
        let label = |row: &Row| Label { class: class[&row.class], group: group[&row.group] };
        let items = rows.iter().map(|(item, row)| (item.clone(), label(row))).collect();
        Self { classes: classes.into_iter().map(str::to_owned).collect(), grouped, items }
    }
}

/// The columns of a CSV file, as text.
fn csv(file: File, columns: &Columns<'_>) -> Result<Batches, Invalid> {
    let mut file = BufReader::new(file);
    let mut mark = Vec::new();
    (&mut file).take(MARK.len() as u64).read_to_end(&mut mark).map_err(unusable)?;
    let begin = if mark == MARK { MARK.len() as u64 } else { 0 };
    file.seek(SeekFrom::Start(begin)).map_err(unusable)?;
    let format = Format::default().with_header(true);
    let header = format.infer_schema(&mut file, Some(0)).map_err(unusable)?.0;
    file.seek(SeekFrom::Start(begin)).map_err(unusable)?;
    let names: Vec<&str> = header.fields().iter().map(|field| field.name().trim()).collect();
    let places = choose(&names, columns)?;
    let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
    let reader = ReaderBuilder::new(Arc::new(Schema::new(fields))).with_header(true);
    Ok(Box::new(reader.with_projection(places).build_buffered(file).map_err(unusable)?))
}

/// The columns of a Parquet file.
fn parquet(file: File, columns: &Columns<'_>) -> Result<Batches, Invalid> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(unusable)?;
    let schema = reader.schema().clone();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mask = ProjectionMask::roots(reader.parquet_schema(), choose(&names, columns)?);
    Ok(Box::new(reader.with_projection(mask).build().map_err(unusable)?))
}

/// The places of the columns in the file, in the file's order.
fn choose(names: &[&str], columns: &Columns<'_>) -> Result<Vec<usize>, Invalid> {
    let asked = [("item", Some(columns.item)), ("target", Some(columns.target)), ("group", columns.group)];
    let mut places = BTreeSet::new();
    for (parameter, asked) in asked {
        let Some(asked) = asked else { continue };
        let place = names.iter().position(|name| *name == asked).ok_or_else(|| {
            let found = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            Invalid::of(parameter, format!("names `{asked}`, which is no column of `labels`; it has {found}"))
        })?;
        places.insert(place);
    }
    Ok(places.into_iter().collect())
}

/// The rows by item.
fn collect(batches: Batches, columns: &Columns<'_>) -> Result<BTreeMap<String, Row>, Invalid> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut before = 0;
    for batch in batches {
        let batch = batch.map_err(unusable)?;
        let items = text(&batch, "item", columns.item)?;
        let classes = text(&batch, "target", columns.target)?;
        let groups = columns.group.map(|group| text(&batch, "group", group)).transpose()?;
        for at in 0..batch.num_rows() {
            let number = before + at as u64 + 1;
            let Some(class) = value(&classes, at) else { continue };
            let missing =
                |what: &str| Invalid::of("labels", format!("cannot be used: row {number} names no {what}"));
            let item = value(&items, at).ok_or_else(|| missing("item"))?;
            let group = match &groups {
                Some(groups) => value(groups, at).ok_or_else(|| missing("group"))?,
                None => item,
            };
            let row = Row { number, class: class.to_owned(), group: group.to_owned() };
            match rows.get(item) {
                Some(known) => known.agrees(item, &row)?,
                None => drop(rows.insert(item.to_owned(), row)),
            }
        }
        before += batch.num_rows() as u64;
    }
    Ok(rows)
}

impl Row {
    /// An item may stand in several rows that say the same.
    fn agrees(&self, item: &str, other: &Self) -> Result<(), Invalid> {
        let (what, one, two) = if self.class != other.class {
            ("classes", &self.class, &other.class)
        } else if self.group != other.group {
            ("groups", &self.group, &other.group)
        } else {
            return Ok(());
        };
        Err(unusable(format!(
            "`{item}` has two {what}, `{one}` in row {} and `{two}` in row {}",
            self.number, other.number
        )))
    }
}

/// A column as text.
fn text(batch: &RecordBatch, parameter: &str, name: &str) -> Result<StringArray, Invalid> {
    let missing = || ArrowError::SchemaError("a column is missing".into());
    let column: &ArrayRef = batch.column_by_name(name).ok_or_else(missing).map_err(unusable)?;
    if !names(column.data_type()) {
        let kind = column.data_type();
        let message =
            format!("names `{name}`, which holds {kind}; expected text, integers, or true and false");
        return Err(Invalid::of(parameter, message));
    }
    Ok(cast(column, &DataType::Utf8).map_err(unusable)?.as_string::<i32>().clone())
}

/// Whether values of a type can stand for names.
fn names(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean | DataType::Null => {
            true
        }
        DataType::Dictionary(_, values) => names(values),
        other => other.is_integer(),
    }
}

/// A value that is not empty, without the blanks around it.
fn value(column: &StringArray, row: usize) -> Option<&str> {
    Some(column)
        .filter(|column| column.is_valid(row))
        .map(|column| column.value(row).trim())
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int32Array};
    use parquet::arrow::ArrowWriter;

    use super::*;

    const COLUMNS: Columns<'_> = Columns { item: "item", target: "genre", group: Some("artist") };

    fn read(content: &[u8], columns: &Columns<'_>) -> Result<Labels, Invalid> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels");
        std::fs::write(&path, content).unwrap();
        Labels::read(&path, columns)
    }

    fn parquet(target: ArrayRef) -> Vec<u8> {
        let items: ArrayRef = Arc::new(StringArray::from(vec!["b", "a", "c"]));
        let batch =
            RecordBatch::try_from_iter([("other", items.clone()), ("genre", target), ("item", items)]);
        let batch = batch.unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes
    }

    fn label(class: usize, group: usize) -> Label {
        Label { class, group }
    }

    #[test]
    fn classes_and_groups_have_numbers_in_the_order_of_their_names() {
        let text = "\u{feff}artist, genre ,item\r\nz,rock,b.wav\r\ny,jazz,\"a, 1.wav\"\r\ny,rock,c.wav\r\n";
        let labels = read(text.as_bytes(), &COLUMNS).unwrap();
        assert_eq!(
            (labels.classes.as_slice(), labels.grouped),
            (["jazz".into(), "rock".into()].as_slice(), true)
        );
        let expected = [("a, 1.wav", label(0, 0)), ("b.wav", label(1, 1)), ("c.wav", label(1, 0))];
        assert_eq!(labels.items, expected.map(|(item, label)| (item.to_owned(), label)).into());
        let alone = read(text.as_bytes(), &Columns { group: None, ..COLUMNS }).unwrap();
        assert_eq!(alone.items.values().map(|label| label.group).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(!alone.grouped);
    }

    #[test]
    fn empty_classes_are_passed_over_and_repeated_rows_are_one() {
        let text = "item,genre,artist\na,rock,x\nb,,\na,rock,x\n";
        assert_eq!(read(text.as_bytes(), &COLUMNS).unwrap().items.len(), 1);
    }

    #[test]
    fn parquet_of_text_and_of_integers() {
        let columns = Columns { group: None, ..COLUMNS };
        let whole: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None, Some(-1)]));
        let labels = read(&parquet(whole), &columns).unwrap();
        assert_eq!(labels.classes, ["-1", "7"]);
        assert_eq!(
            labels.items.into_iter().collect::<Vec<_>>(),
            [("b".into(), label(1, 0)), ("c".into(), label(0, 1))]
        );
        let text: ArrayRef = Arc::new(StringArray::from(vec!["x", "y", "x"]));
        assert_eq!(read(&parquet(text), &columns).unwrap().classes, ["x", "y"]);
        let fractions: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 1.0, 2.0]));
        let said = read(&parquet(fractions), &columns).unwrap_err();
        assert_eq!(said.parameter, "target");
        assert!(said.message.starts_with("names `genre`, which holds Float64; expected text"), "{said:?}");
    }

    #[test]
    fn what_is_wrong_is_told_with_the_parameter() {
        let said = |text: &str| {
            let invalid = read(text.as_bytes(), &COLUMNS).unwrap_err();
            format!("{}: {}", invalid.parameter, invalid.message)
        };
        let no_column = |name| format!("names `{name}`, which is no column of `labels`; it has ");
        assert_eq!(said("path,genre\na,b\n"), format!("item: {}`path`, `genre`", no_column("item")));
        assert_eq!(said("item,kind\na,b\n"), format!("target: {}`item`, `kind`", no_column("genre")));
        assert_eq!(said("item,genre\na,b\n"), format!("group: {}`item`, `genre`", no_column("artist")));
        assert_eq!(said("item,genre,artist\na,,x\n"), "target: `genre` has no class in any row");
        assert_eq!(said("item,genre,artist\na,b,x\n,b,x\n"), "labels: cannot be used: row 2 names no item");
        assert_eq!(said("item,genre,artist\na,b,\n"), "labels: cannot be used: row 1 names no group");
        assert_eq!(
            said("item,genre,artist\na,b,x\nc,b,x\na,d,x\n"),
            "labels: cannot be used: `a` has two classes, `b` in row 1 and `d` in row 3"
        );
        assert!(
            said("item,genre,artist\na,b,x\na,b,y\n").contains("`a` has two groups, `x` in row 1 and `y`")
        );
        assert!(said("item,genre,artist\na\n").contains("line"), "{}", said("item,genre,artist\na\n"));
        let missing = Labels::read(Path::new("/nowhere/labels.csv"), &COLUMNS).unwrap_err();
        assert!(missing.parameter == "labels" && missing.message.starts_with("cannot be used: "));
    }
}
