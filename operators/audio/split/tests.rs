use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Mutex;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::harness::{operator, wrong};

/// An item's row: its name, group, and stratum.
type Row = (String, Option<String>, Option<i64>);

fn batch(rows: &[Row]) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("item", DataType::Utf8, false),
        Field::new("artist", DataType::Utf8, true),
        Field::new("genre", DataType::Int64, true),
    ]);
    let columns: [ArrayRef; 3] = [
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(item, ..)| item))),
        Arc::new(StringArray::from_iter(rows.iter().map(|(_, artist, _)| artist.as_deref()))),
        Arc::new(Int64Array::from_iter(rows.iter().map(|(.., genre)| *genre))),
    ];
    RecordBatch::try_new(Arc::new(schema), columns.to_vec()).unwrap()
}

/// Runs it on a table of two files; the table that it leaves, and what it says.
fn run_as(stage: &str, seed: u64, parameters: Value, rows: &[Row]) -> Result<(RecordBatch, String), Error> {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = rows.split_at(rows.len() / 3);
    let files: Vec<PathBuf> = [first, second]
        .iter()
        .enumerate()
        .map(|(index, rows)| {
            let (path, batch) = (folder.path().join(format!("{index}.parquet")), batch(rows));
            let mut writer =
                ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
            path
        })
        .collect();
    let job = DatasetJob {
        stage: stage.into(),
        operator: "split".into(),
        parameters: Value::Null,
        seed,
        inputs: vec![("from".into(), vec![DatasetInput::Table { stage: "rows".into(), files }])],
        output: folder.path().to_owned(),
        state: None,
        threads: 2,
        shards: None,
    };
    let split: Split = operator(parameters);
    assert_eq!(wrong(&split), None);
    let said = Arc::new(Mutex::new(String::new()));
    let messages = said.clone();
    let reporter: Reporter = Arc::new(move |event| {
        if let Event::Message { text, .. } = event {
            *messages.lock().unwrap() = text;
        }
    });
    split.run(&job, &reporter, &CancellationToken::new())?;
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(folder.path().join("table.parquet")).unwrap())
            .unwrap();
    let schema = reader.schema().clone();
    let flow = Flow::Table(batch(&[]).schema());
    let Flow::Table(planned) = split.output(&Inputs(vec![("from", vec![&flow])])).unwrap() else {
        panic!("a table")
    };
    assert_eq!(schema.fields(), planned.fields(), "the schema is what was planned");
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let said = said.lock().unwrap().clone();
    Ok((arrow::compute::concat_batches(&schema, &batches).unwrap(), said))
}

/// The part of each row.
fn parts(parameters: Value, rows: &[Row]) -> Vec<String> {
    let (table, _) = run_as("split", 1, parameters, rows).unwrap();
    assert_eq!(table.project(&[0, 1, 2]).unwrap(), batch(rows), "the rows are as they were");
    table.column(3).as_string::<i32>().iter().map(|part| part.unwrap().to_owned()).collect()
}

fn rows(count: usize, of: impl Fn(usize) -> (Option<usize>, Option<i64>)) -> Vec<Row> {
    let row = |at: usize| {
        let (artist, genre) = of(at);
        (format!("{at:05}.wav"), artist.map(|artist| format!("artist {artist}")), genre)
    };
    (0..count).map(row).collect()
}

fn three() -> Value {
    json!({"train": 0.8, "valid": 0.1, "test": 0.1})
}

fn count(parts: &[String], rows: &[Row], name: &str, which: impl Fn(&Row) -> bool) -> usize {
    rows.iter().zip(parts).filter(|(row, part)| *part == name && which(row)).count()
}

#[test]
fn shares_are_exact_where_no_group_hinders() {
    let rows = rows(1000, |_| (None, None));
    let parts = parts(json!({"parts": three()}), &rows);
    for (name, expected) in [("train", 800), ("valid", 100), ("test", 100)] {
        assert_eq!(count(&parts, &rows, name, |_| true), expected);
    }
}

#[test]
fn shares_hold_within_strata() {
    // Seven genres of very different frequency, and null.
    let genre = |at: usize| Some((at % 64).leading_zeros() as i64).filter(|genre| *genre != 60);
    let rows = rows(5000, |at| (None, genre(at)));
    let parts = parts(json!({"parts": three(), "stratify": "genre"}), &rows);
    for genre in [None, Some(58), Some(59), Some(61), Some(62), Some(63), Some(64)] {
        let all = rows.iter().filter(|row| row.2 == genre).count() as f64;
        for (name, share) in [("train", 0.8), ("valid", 0.1), ("test", 0.1)] {
            let found = count(&parts, &rows, name, |row| row.2 == genre) as f64;
            assert!((found - share * all).abs() <= 2.0, "{genre:?} {name}: {found} of {all}");
        }
    }
    assert_eq!(count(&parts, &rows, "test", |_| true), 500);
}

#[test]
fn strata_that_are_too_small_are_taken_together() {
    // 250 genres of four items each: none of them has an item for each part, all together have.
    let rows = rows(1000, |at| (None, Some(at as i64 / 4)));
    let parts = parts(json!({"parts": three(), "stratify": "genre"}), &rows);
    assert_eq!(count(&parts, &rows, "test", |_| true), 100);
}

#[test]
fn a_null_group_is_a_group_for_each_item() {
    // Half of the items have an artist, whom they share.
    let rows = rows(200, |at| ((at % 2 == 0).then_some(1), None));
    let parts = parts(json!({"parts": {"a": 0.6, "b": 0.4}, "group": "artist"}), &rows);
    let of_artist: BTreeSet<&String> =
        rows.iter().zip(&parts).filter(|(row, _)| row.1.is_some()).map(|(_, part)| part).collect();
    assert_eq!(of_artist.len(), 1);
    assert_eq!(count(&parts, &rows, "a", |_| true), 120);
}

#[test]
fn seed_stage_and_names_decide() {
    let rows = rows(300, |_| (None, None));
    let parts = |stage: &str, seed: u64, parameters: Value| {
        let (table, _) = run_as(stage, seed, parameters, &rows).unwrap();
        table.column(3).as_string::<i32>().iter().map(|part| part.unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = parts("split", 1, json!({"parts": three()}));
    assert_eq!(first, parts("split", 1, json!({"parts": three()})));
    assert_ne!(first, parts("split", 2, json!({"parts": three()})));
    assert_ne!(first, parts("other", 1, json!({"parts": three()})));
    assert_ne!(first, parts("split", 1, json!({"parts": {"train": 0.7, "valid": 0.2, "test": 0.1}})));
}

#[test]
fn an_item_of_several_rows_counts_once() {
    let mut rows = rows(100, |at| (Some(at), Some(at as i64 % 2)));
    let again = rows.clone();
    rows.extend(again.iter().take(50).cloned());
    let parts = parts(json!({"parts": {"a": 0.5, "b": 0.5}, "group": "artist", "stratify": "genre"}), &rows);
    assert_eq!(parts[..50], parts[100..]);
    assert_eq!(count(&parts[..100], &rows[..100], "a", |_| true), 50);
    rows[100].2 = None;
    let said = run_as("split", 1, json!({"parts": {"a": 1}, "stratify": "genre"}), &rows).unwrap_err();
    assert_eq!(said.to_string(), "`genre` of `00000.wav` is `0` in one row and null in another");
}

#[test]
fn few_of_the_others_move_when_items_are_added() {
    let moved = |parameters: Value, of: fn(usize) -> (Option<usize>, Option<i64>)| {
        let (before, after) = (rows(4000, of), rows(4010, of));
        let (before, after) = (parts(parameters.clone(), &before), parts(parameters, &after));
        before.iter().zip(&after).filter(|(before, after)| before != after).count()
    };
    let plain = moved(json!({"parts": three()}), |_| (None, None));
    assert!(plain <= 10, "{plain}");
    let strata =
        moved(json!({"parts": three(), "stratify": "genre"}), |at| (None, Some((at % 97 % 7) as i64)));
    assert!(strata <= 100, "{strata}");
    let groups = moved(json!({"parts": three(), "group": "artist"}), |at| (Some(at * at % 701), None));
    assert!(groups <= 400, "{groups}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn no_group_is_divided_and_the_order_of_rows_is_nothing(
        of in prop::collection::vec((prop::option::of(0usize..30), prop::option::of(0i64..4)), 40..200),
        shift in 0usize..200,
        stratify in any::<bool>(),
    ) {
        let mut rows = rows(of.len(), |at| of[at]);
        let mut parameters = json!({"parts": three(), "group": "artist"});
        if stratify {
            parameters["stratify"] = json!("genre");
        }
        let first = parts(parameters.clone(), &rows);
        let mut part_of = BTreeMap::new();
        for ((_, artist, _), part) in rows.iter().zip(&first).filter(|((_, artist, _), _)| artist.is_some()) {
            prop_assert_eq!(part_of.entry(artist.clone()).or_insert(part.clone()), part);
        }
        let by_item: BTreeMap<String, String> = rows.iter().map(|row| row.0.clone()).zip(first).collect();
        let shift = shift % rows.len();
        rows.rotate_left(shift);
        rows.reverse();
        for ((item, ..), part) in rows.iter().zip(parts(parameters, &rows)) {
            prop_assert_eq!(&by_item[item], &part);
        }
    }

    #[test]
    fn no_group_could_move_for_the_better(
        sizes in prop::collection::vec(1u64..60, 5..80),
        share in 0.05f64..0.9,
    ) {
        let shares = [share, (1.0 - share) * 0.7, (1.0 - share) * 0.3];
        let groups: Vec<Group> = sizes
            .iter()
            .enumerate()
            .map(|(at, size)| {
                let mut random = Random::keyed(&[&at.to_le_bytes()]);
                let reluctance = shares.iter().map(|share| reluctance(random.uniform(), *share)).collect();
                Group { strata: vec![(0, *size)], reluctance }
            })
            .collect();
        let parts = assign(&groups, &shares);
        let all: u64 = sizes.iter().sum();
        let cost = |parts: &[usize]| -> f64 {
            let of = |part: usize| sizes.iter().zip(parts).filter(move |(_, at)| **at == part).map(|(size, _)| *size);
            let cost = |(part, share): (usize, &f64)| {
                (of(part).sum::<u64>() as f64 / all as f64 - share).powi(2) / share
            };
            shares.iter().enumerate().map(cost).sum()
        };
        let found = cost(&parts);
        for at in 0..groups.len() {
            for part in 0..shares.len() {
                let mut moved = parts.clone();
                moved[at] = part;
                prop_assert!(cost(&moved) > found - 1e-8);
            }
        }
    }
}

/// As even as scikit-learn's `StratifiedGroupKFold`, by `golden/split.py`: as means over ten seeds.
#[test]
fn parts_are_as_even_as_those_of_others() {
    let golden: Value = serde_json::from_str(include_str!("golden/split.json")).unwrap();
    let folds = golden["folds"].as_u64().unwrap() as usize;
    let shares = vec![1.0 / folds as f64; folds];
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let counts: Vec<Vec<u64>> = serde_json::from_value(case["groups"].clone()).unwrap();
        let (mut sizes, mut strata) = (0.0, 0.0);
        for seed in 0..10u64 {
            let group = |(at, counts): (usize, &Vec<u64>)| {
                let mut random = Random::keyed(&[&seed.to_le_bytes(), &at.to_le_bytes()]);
                let strata = counts.iter().copied().enumerate().filter(|(_, items)| *items > 0);
                let reluctance = shares.iter().map(|share| reluctance(random.uniform(), *share)).collect();
                Group { strata: strata.collect(), reluctance }
            };
            let groups: Vec<Group> = counts.iter().enumerate().map(group).collect();
            let parts = assign(&groups, &shares);
            let shares_of = |items: &dyn Fn(usize) -> u64| -> Vec<f64> {
                let all: u64 = (0..counts.len()).map(items).sum();
                let of =
                    |part: usize| (0..counts.len()).filter(|at| parts[*at] == part).map(items).sum::<u64>();
                (0..folds).map(|part| of(part) as f64 / all as f64).collect()
            };
            let mean = 1.0 / folds as f64;
            let all = shares_of(&|at| counts[at].iter().sum());
            sizes += all.iter().map(|share| (share - mean).abs()).fold(0.0, f64::max) / 10.0;
            let deviation = |stratum: usize| {
                let squares =
                    shares_of(&|at| counts[at][stratum]).into_iter().map(|share| (share - mean).powi(2));
                (squares.sum::<f64>() / folds as f64).sqrt()
            };
            let classes = counts[0].len();
            strata += (0..classes).map(deviation).sum::<f64>() / classes as f64 / 10.0;
        }
        // Up to what was rounded away.
        let (name, theirs) = (&case["name"], |of: &str| case[of].as_f64().unwrap() + 1e-6);
        assert!(sizes <= theirs("sizes"), "{name}: sizes {sizes}, scikit-learn's {}", theirs("sizes"));
        assert!(strata <= theirs("strata"), "{name}: strata {strata}, scikit-learn's {}", theirs("strata"));
    }
}

#[test]
fn it_tells_what_the_shares_are() {
    let rows = rows(10, |at| ((at < 9).then_some(1), None));
    let (_, said) =
        run_as("split", 1, json!({"parts": {"a": 0.5, "b": 0.5}, "group": "artist"}), &rows).unwrap();
    assert!(
        ["a 9 items (90.00 %), b 1 items (10.00 %)", "a 1 items (10.00 %), b 9 items (90.00 %)"]
            .contains(&said.as_str()),
        "{said}"
    );
    let said = run_as("split", 1, json!({"parts": three(), "group": "artist"}), &rows).unwrap_err();
    assert_eq!(said.to_string(), "stage `split`: there are 2 groups, fewer than `parts`, 3");
}

#[test]
fn what_is_out_of_range_is_named() {
    for (parameters, expected) in [
        (json!({"parts": three()}), None),
        (json!({"parts": {"all": 1}}), None),
        (json!({"parts": {"a": 0.3333333, "b": 0.3333333, "c": 0.3333333}}), None),
        (json!({"parts": {}}), Some("parts")),
        (json!({"parts": {"": 1}}), Some("parts")),
        (json!({"parts": {"a": 0.5, "b": 0.499}}), Some("parts")),
        (json!({"parts": {"a": 1, "b": 0}}), Some("parts.b")),
        (json!({"parts": {"a": -0.5, "b": 1.5}}), Some("parts.a")),
        (json!({"parts": three(), "group": ""}), Some("group")),
        (json!({"parts": three(), "stratify": "split"}), Some("stratify")),
        (json!({"parts": three(), "stratify": "item"}), Some("stratify")),
        (json!({"parts": three(), "group": "a", "stratify": "a"}), Some("stratify")),
    ] {
        assert_eq!(wrong(&operator::<Split>(parameters.clone())).as_deref(), expected, "{parameters}");
    }
    assert!(serde_json::from_value::<Split>(json!({"parts": three(), "seed": 1})).is_err());
}

#[test]
fn columns_are_looked_for_before_anything_runs() {
    let output = |parameters: Value, fields: &[(&str, DataType)]| {
        let fields: Vec<Field> =
            fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect();
        let flow = Flow::Table(Arc::new(Schema::new(fields)));
        let split: Split = operator(parameters);
        split.output(&Inputs(vec![("from", vec![&flow])]))
    };
    let (text, list) = (DataType::Utf8, DataType::new_list(DataType::Utf8, true));
    let columns = [("item", text.clone()), ("artist", text.clone()), ("tags", list)];
    let wrong = |parameters: Value| {
        let invalid = output(parameters, &columns).unwrap_err();
        (invalid.parameter, invalid.message)
    };
    let given = |parameter: &str, column: &str| json!({"parts": {"all": 1}, parameter: column});
    let said = |parameter: &str, message: &str| (parameter.to_owned(), message.to_owned());
    assert_eq!(
        wrong(given("group", "artits")),
        said("group", "there is no column `artits` in the table; did you mean `artist`?")
    );
    assert_eq!(
        wrong(given("stratify", "mood")),
        said("stratify", "there is no column `mood` in the table; it has item, artist, tags")
    );
    assert_eq!(wrong(given("group", "tags")), said("group", "column `tags` has more than one value a row"));
    let again = output(given("group", "item"), &[("item", text.clone()), ("split", text.clone())]);
    assert_eq!(again.unwrap_err().message, "the table has a column `split` already");
    let none = output(given("group", "a"), &[("name", text)]).unwrap_err();
    assert_eq!(none.message, "expects a table with a column `item` of names");
    assert!(output(given("group", "item"), &columns).is_ok());
}
