use std::path::PathBuf;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

/// Two tables as stages keep them, and the operator over them.
struct Bench {
    folder: tempfile::TempDir,
}

const LABELS: &str = "item,genre,Mood\nb.wav,jazz,calm\na.wav,rock,\nc.wav,rock,wild\n";

fn tags(items: &[(&str, f64)]) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("item", DataType::Utf8, false),
        Field::new("duration", DataType::Float64, true),
    ]);
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(items.iter().map(|(item, _)| item)));
    let durations: ArrayRef =
        Arc::new(Float64Array::from_iter_values(items.iter().map(|(_, seconds)| *seconds)));
    RecordBatch::try_new(Arc::new(schema), vec![names, durations]).unwrap()
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(bench.path("labels.csv"), LABELS).unwrap();
        for (index, rows) in
            [[("d.wav", 40.0), ("a.wav", 10.0)], [("c.wav", 40.0), ("b.wav", 90.5)]].iter().enumerate()
        {
            let file = File::create(bench.path(&format!("{index}.parquet"))).unwrap();
            let batch = tags(rows);
            let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn operator(&self, query: &str) -> Sql {
        let labels = self.path("labels.csv").to_str().unwrap().to_owned();
        // A table that is not read is an error; a query that misspells it has another.
        let reads = ["labels", "lables"].iter().any(|name| query.contains(name));
        let tables = reads.then(|| ("labels".to_owned(), labels)).into_iter();
        Sql { query: query.into(), tables: tables.collect() }
    }

    fn plan(&self, query: &str) -> Result<Flow, Invalid> {
        let flow = Flow::Table(tags(&[]).schema());
        let inputs = Inputs(vec![("from", vec![&flow])]);
        self.operator(query).output_named(&inputs, &Names(vec![("from", vec!["tags"])]))
    }

    fn wrong(&self, query: &str) -> Invalid {
        self.plan(query).unwrap_err()
    }

    fn run(&self, query: &str) -> Result<RecordBatch, Error> {
        let output = self.path("output");
        std::fs::create_dir_all(&output).unwrap();
        let job = DatasetJob {
            stage: "rows".into(),
            operator: "sql".into(),
            parameters: serde_json::Value::Null,
            seed: 0,
            inputs: vec![(
                "from".into(),
                vec![DatasetInput::Table {
                    stage: "tags".into(),
                    files: vec![self.path("0.parquet"), self.path("1.parquet")],
                }],
            )],
            output: output.clone(),
            state: None,
            threads: 2,
            shards: None,
        };
        let reporter: Reporter = Arc::new(|_| {});
        self.operator(query).run(&job, &reporter, &CancellationToken::new())?;
        let file = File::open(output.join("table.parquet")).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let schema = reader.schema().clone();
        let Flow::Table(planned) = self.plan(query).unwrap() else { panic!("a table") };
        assert_eq!(schema.fields(), planned.fields(), "the schema is what was planned");
        let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
        Ok(arrow::compute::concat_batches(&schema, &batches).unwrap())
    }

    /// The rows, values joined by spaces.
    fn rows(&self, query: &str) -> Vec<String> {
        let batch = self.run(query).unwrap();
        let row = |row| {
            let values = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
            values.collect::<Vec<_>>().join(" ")
        };
        (0..batch.num_rows()).map(row).collect()
    }
}

#[test]
fn a_table_is_joined_with_labels() {
    let bench = Bench::new();
    let query =
        "SELECT m.item, l.genre, l.Mood FROM tags m JOIN labels l ON m.item = l.item WHERE m.duration > 30";
    assert_eq!(bench.rows(query), ["b.wav jazz calm", "c.wav rock wild"]);
    assert_eq!(
        bench.rows("SELECT item, genre FROM tags LEFT JOIN labels USING (item)"),
        ["a.wav rock", "b.wav jazz", "c.wav rock", "d.wav "]
    );
    assert_eq!(bench.rows("SELECT count(*) AS n FROM tags"), ["4"]);
    assert_eq!(bench.rows("SELECT item FROM tags WHERE duration > 1000"), [""; 0]);
    assert_eq!(
        bench.rows("SELECT \"Mood\", upper(genre) AS g FROM labels WHERE item = 'c.wav'"),
        ["wild ROCK"]
    );
}

#[test]
fn the_order_is_complete() {
    let bench = Bench::new();
    // By item where nothing is said; otherwise as said, then by the other columns.
    assert_eq!(
        bench.rows("SELECT duration, item FROM tags"),
        ["10.0 a.wav", "90.5 b.wav", "40.0 c.wav", "40.0 d.wav"]
    );
    assert_eq!(bench.rows("SELECT duration FROM tags"), ["10.0", "40.0", "40.0", "90.5"]);
    let ordered = bench.rows("SELECT item, duration FROM tags ORDER BY duration DESC");
    assert_eq!(ordered, ["b.wav 90.5", "c.wav 40.0", "d.wav 40.0", "a.wav 10.0"]);
    // A limit takes the first rows of an order, whatever the order of files.
    assert_eq!(bench.rows("SELECT item FROM tags LIMIT 2"), ["a.wav", "b.wav"]);
    assert_eq!(bench.rows("SELECT item FROM tags ORDER BY duration LIMIT 2"), ["a.wav", "c.wav"]);
    assert_eq!(
        bench.rows(
            "SELECT item FROM tags WHERE item IN (SELECT item FROM labels ORDER BY genre DESC LIMIT 1)"
        ),
        ["a.wav"]
    );
    assert_eq!(bench.rows("SELECT item FROM tags UNION ALL SELECT item FROM labels").len(), 7);
}

#[test]
fn the_same_again_is_the_same_file() {
    let bench = Bench::new();
    let mut files = Vec::new();
    for _ in 0..2 {
        bench.run("SELECT genre, count(*) AS n, avg(duration) AS mean FROM tags JOIN labels USING (item) GROUP BY genre").unwrap();
        files.push(std::fs::read(bench.path("output/table.parquet")).unwrap());
    }
    assert_eq!(files[0], files[1]);
}

#[test]
fn errors_say_what_and_where() {
    let bench = Bench::new();
    let invalid = bench.wrong("SELECT item,\n  genra FROM labels");
    assert_eq!(invalid.parameter, "query");
    assert!(
        invalid.message.contains("genra") && invalid.message.contains("'labels.genre'"),
        "{}",
        invalid.message
    );
    assert!(invalid.message.contains("line 2, column 3 of the query"), "{}", invalid.message);
    for (query, expected) in [
        ("SELECT item FROM lables", "there is `labels`, `tags`"),
        ("SELEC item FROM tags", "line 1, column 1"),
        ("SELECT item FROM tags WHERE", "Expected"),
        (
            "SELECT a.item, b.item FROM tags a JOIN labels b ON a.item = b.item",
            "two columns of the result are named `item`",
        ),
        ("SELECT item FROM tags WHERE duration + genre", "genre"),
        ("SELECT uper(item) AS x FROM tags", "Did you mean 'upper'"),
        ("SELECT sum(item) AS x FROM tags", "'sum(Utf8)'"),
        ("SELECT 1; SELECT 2", "single"),
    ] {
        let invalid = bench.wrong(query);
        assert_eq!(invalid.parameter, "query", "{query}");
        assert!(invalid.message.contains(expected), "{query}: {}", invalid.message);
        assert!(!invalid.message.contains(['\n', '\t']), "{}", invalid.message);
        assert!(!invalid.message.contains("Internal"), "{}", invalid.message);
    }
}

#[test]
fn only_queries_that_repeat_are_allowed() {
    let bench = Bench::new();
    for query in [
        "CREATE TABLE x AS SELECT 1",
        "DROP TABLE tags",
        "INSERT INTO tags VALUES ('x', 1.0)",
        "COPY tags TO 'x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "EXPLAIN SELECT 1",
        "SHOW TABLES",
        "SELECT 1 AS a INTO x",
    ] {
        let message = bench.wrong(query).message;
        assert!(message.contains("only a query is allowed"), "{query}: {message}");
    }
    for query in [
        "SELECT uuid() AS id",
        "SELECT item FROM tags WHERE duration < (SELECT date_part('hour', now()))",
        "WITH t AS (SELECT current_date() AS d) SELECT d FROM t",
    ] {
        let message = bench.wrong(query).message;
        assert!(message.contains("gives something else each time"), "{query}: {message}");
    }
    assert!(bench.wrong("SELECT item, random() AS r FROM tags").message.contains("random"));
    assert!(bench.wrong("SELECT $1 AS x").message.contains("stands for no value"));
}

#[test]
fn inputs_are_tables() {
    let bench = Bench::new();
    let labels = bench.path("labels.csv").to_str().unwrap().to_owned();
    let unread = Sql { query: "SELECT 1 AS x".into(), tables: [("labels".into(), labels)].into() };
    let unread = unread.output(&Inputs(vec![])).unwrap_err();
    assert!(unread.parameter == "tables.labels" && unread.message.contains("not read"), "{unread}");
    let operator = bench.operator("SELECT * FROM labels");
    let with = |flow: &Flow, name: &str| {
        operator
            .output_named(&Inputs(vec![("from", vec![flow])]), &Names(vec![("from", vec![name])]))
            .unwrap_err()
    };
    assert!(with(&Flow::Items, "files").message.contains("put `op: metadata` between"));
    let table = Flow::Table(tags(&[]).schema());
    assert_eq!(with(&table, "labels").parameter, "tables.labels");
    std::fs::remove_file(bench.path("labels.csv")).unwrap();
    let missing = with(&table, "tags");
    assert_eq!(missing.parameter, "tables.labels");
    assert!(missing.message.contains("labels.csv"), "{}", missing.message);
    let blank = Sql { query: " \n".into(), tables: BTreeMap::new() };
    assert_eq!(blank.check().unwrap_err().parameter, "query");
    let nowhere = Sql { query: "SELECT 1 AS x".into(), tables: [("labels".into(), String::new())].into() };
    assert_eq!(nowhere.check().unwrap_err().parameter, "tables.labels");
}

#[test]
fn a_run_that_was_cancelled_says_so() {
    let bench = Bench::new();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let job = DatasetJob {
        stage: "rows".into(),
        operator: "sql".into(),
        parameters: serde_json::Value::Null,
        seed: 0,
        inputs: Vec::new(),
        output: bench.path("output"),
        state: None,
        threads: 1,
        shards: None,
    };
    std::fs::create_dir(&job.output).unwrap();
    let reporter: Reporter = Arc::new(|_| {});
    let result = bench.operator("SELECT * FROM labels").run(&job, &reporter, &cancel);
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
}
