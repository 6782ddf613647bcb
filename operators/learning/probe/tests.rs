use std::sync::Mutex;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use etude_audio::vectors;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::labels::Label;
use super::logistic::{Example, Model};
use super::samples::{Sample, Vectors};
use etude_pipeline::flow::Header;

use super::*;

/// A case of `golden/probe.json`: its numbers, and the data of the formulas there.
struct Case(Value);

impl Case {
    fn all() -> Vec<Self> {
        let golden: Value = serde_json::from_str(include_str!("golden/probe.json")).unwrap();
        golden["cases"].as_array().unwrap().iter().cloned().map(Self).collect()
    }

    fn whole(&self, name: &str) -> usize {
        self.0[name].as_u64().unwrap() as usize
    }

    fn number(&self, name: &str) -> f64 {
        self.0[name].as_f64().unwrap()
    }

    fn class(&self, item: usize) -> usize {
        (item * item + item / 3) % self.whole("classes")
    }

    fn group(&self, item: usize) -> usize {
        (5 * item + item / 7) % self.whole("groups")
    }

    fn clip(&self, item: usize, clip: usize) -> Vec<f32> {
        let u = |n: usize| 2.0 * ((12.9898 * n as f64 + 1.0).sin() * 43758.5453).abs().fract() - 1.0;
        let (width, class, offset) = (self.whole("width"), self.class(item), self.number("offset"));
        let value = |j: usize| {
            let own = u((item * self.whole("clips") + clip) * width + j);
            let shift = offset * u(100_000 + class * width + j);
            (3.0 * j as f64 + (j as f64 + 1.0) * (own + shift)) as f32
        };
        (0..width).map(value).collect()
    }

    fn labels(&self) -> Vec<Label> {
        let label = |item| Label { class: self.class(item), group: self.group(item) };
        (0..self.whole("items")).map(label).collect()
    }

    fn folds(&self) -> Vec<usize> {
        self.0["fold"].as_array().unwrap().iter().map(|fold| fold.as_u64().unwrap() as usize).collect()
    }

    /// The files of a table with all clips, the last items first.
    fn write(&self, folder: &Path) -> Vec<PathBuf> {
        let clips = self.whole("clips");
        let rows = |items: std::ops::Range<usize>| -> Vec<(usize, usize)> {
            items.flat_map(|item| (0..clips).map(move |clip| (item, clip))).collect()
        };
        let (items, half) = (self.whole("items"), self.whole("items") / 2);
        let mut files = Vec::new();
        for (index, rows) in [rows(half..items), rows(0..half)].iter().enumerate() {
            let names: Vec<String> = rows.iter().map(|(item, _)| name(*item)).collect();
            let header = |(name, (_, clip)): (&String, &(usize, usize))| {
                Header::audio(name.as_str().into(), *clip as u64 * 100, 100, 1, None)
            };
            let headers: Vec<Header> = names.iter().zip(rows).map(header).collect();
            let headers: Vec<&Header> = headers.iter().collect();
            let values = rows.iter().flat_map(|(item, clip)| self.clip(*item, *clip)).collect();
            let width = self.whole("width");
            let batch = vectors::batch(&vectors::schema(width, &[]), &headers, values, width).unwrap();
            files.push(folder.join(format!("{index}.parquet")));
            let file = File::create(&files[index]).unwrap();
            let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
        files
    }

    fn samples(&self, unit: Unit) -> Samples {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..self.whole("items")).map(name).collect();
        let known = self.folds().into_iter().enumerate();
        let known = known.map(|(item, fold)| Known { class: self.class(item), fold });
        let known = names.iter().map(String::as_str).zip(known).collect();
        Samples::read("vectors", &self.write(folder.path()), &known, unit).unwrap()
    }
}

/// Names whose order is that of the numbers.
fn name(item: usize) -> String {
    format!("{item:03}.wav")
}

fn near(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-4, "{what}: {found}, expected {expected}");
}

#[test]
fn folds_are_those_of_scikit_learn() {
    for case in Case::all() {
        assert_eq!(folds::unshuffled(&case.labels(), case.whole("folds")), case.folds());
    }
}

#[test]
fn coefficients_and_probabilities_are_those_of_scikit_learn() {
    for case in Case::all() {
        let samples = case.samples(Unit::Item);
        let items = samples.items.iter().enumerate();
        let examples: Vec<Example> =
            items.map(|(row, sample)| Example { row, class: sample.known.class }).collect();
        let decay = case.number("weight_decay");
        let model = Model::fit(&samples.vectors, &examples, decay, &CancellationToken::new()).unwrap();
        assert!(model.converged);
        let classes = model.classes.len();
        let coefficients = case.0["coefficients"].as_array().unwrap();
        for (class, expected) in coefficients.iter().enumerate() {
            // Of two classes scikit-learn has the difference.
            let found: Vec<f64> = if classes == 2 {
                let both = model.coefficients(1).iter().zip(model.coefficients(0));
                both.map(|(one, other)| one - other).collect()
            } else {
                model.coefficients(class).to_vec()
            };
            let (intercept, weights) = found.split_last().unwrap();
            near(*intercept, &case.0["intercepts"][class], "intercept");
            assert_eq!(weights.len(), expected.as_array().unwrap().len());
            for (index, weight) in weights.iter().enumerate() {
                near(*weight, &expected[index], "coefficient");
            }
        }
        for (row, expected) in case.0["probabilities"].as_array().unwrap().iter().enumerate() {
            let mut found = vec![0.0; classes];
            model.add_probabilities(samples.vectors.row(row), &mut found);
            found.iter().enumerate().for_each(|(class, share)| near(*share, &expected[class], "probability"));
        }
    }
}

#[test]
fn scores_are_those_of_scikit_learn_for_any_number_of_threads() {
    for case in Case::all() {
        for (unit, name) in [(Unit::Item, "item"), (Unit::Clip, "clip")] {
            let samples = case.samples(unit);
            let (folds, decay) = (case.whole("folds"), case.number("weight_decay"));
            let validate = |threads| {
                let cancel = CancellationToken::new();
                validate::validate(&samples, folds, decay, threads, &cancel).unwrap().unwrap()
            };
            let validated = validate(1);
            assert!([0, 2, 9].iter().all(|threads| validate(*threads) == validated));
            assert_eq!(validated.unfinished, 0);
            let scores = Scores::of(&validated.outcomes);
            assert_eq!((scores.items, scores.classes), (case.whole("items"), case.whole("classes")));
            let expected = &case.0["scores"][name];
            near(scores.accuracy, &expected["accuracy"], name);
            near(scores.balanced_accuracy, &expected["balanced_accuracy"], name);
            near(scores.macro_f1, &expected["macro_f1"], name);
            near(scores.majority, &expected["majority"], name);
            near(scores.deviation, &expected["deviation"], name);
        }
    }
}

#[test]
fn every_item_is_tested_once() {
    for case in Case::all() {
        let samples = case.samples(Unit::Clip);
        let cancel = CancellationToken::new();
        let validated = validate::validate(&samples, case.whole("folds"), 1.0, 2, &cancel).unwrap().unwrap();
        let mut found: Vec<(usize, usize)> =
            validated.outcomes.iter().map(|outcome| (outcome.fold, outcome.class)).collect();
        let mut expected: Vec<(usize, usize)> =
            samples.items.iter().map(|sample| (sample.known.fold, sample.known.class)).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}

#[test]
fn clips_are_joined_by_item() {
    let case = &Case::all()[0];
    let (items, clips) = (case.samples(Unit::Item), case.samples(Unit::Clip));
    assert_eq!((items.vectors.len(), clips.vectors.len()), (60, 180));
    for (item, Sample { rows, .. }) in clips.items.iter().enumerate() {
        assert_eq!((rows.clone(), items.items[item].rows.clone()), (item * 3..item * 3 + 3, item..item + 1));
        for (j, mean) in items.vectors.row(item).iter().enumerate() {
            let sum: f32 = rows.clone().map(|row| clips.vectors.row(row)[j]).sum();
            assert!((mean - sum / 3.0).abs() < 1e-5);
        }
    }
}

#[test]
fn one_class_and_one_fold_teach_nothing() {
    let vectors = || Vectors::new(1, vec![0.0, 1.0]);
    let validate = |known: [(usize, usize); 2]| {
        let items = known.iter().enumerate();
        let items = items.map(|(row, (class, fold))| Sample {
            known: Known { class: *class, fold: *fold },
            rows: row..row + 1,
        });
        let samples = Samples { vectors: vectors(), items: items.collect() };
        validate::validate(&samples, 3, 1.0, 1, &CancellationToken::new()).unwrap()
    };
    assert!(validate([(0, 0), (0, 1)]).is_none());
    assert!(validate([(0, 1), (1, 1)]).is_none());
    // A fold without items is none, and a class that was not learnt is not told.
    let outcomes = validate([(0, 0), (1, 2)]).unwrap().outcomes;
    assert_eq!(outcomes.iter().map(|outcome| outcome.predicted).collect::<Vec<_>>(), [1, 0]);
}

fn operator(parameters: Value) -> Probe {
    serde_json::from_value(parameters).unwrap()
}

#[test]
fn what_is_out_of_range_is_named() {
    let check = |name: &str, value: Value| {
        let mut parameters = json!({"labels": "nowhere.csv", "target": "genre"});
        parameters[name] = value;
        operator(parameters).check().map_err(|invalid| invalid.parameter)
    };
    for (name, right, wrong) in [
        ("labels", vec![json!("labels.csv")], vec![json!("")]),
        ("item", vec![json!("path")], vec![json!(""), json!("genre")]),
        ("target", vec![json!("mood")], vec![json!(""), json!("item")]),
        ("group", vec![json!(null), json!("artist"), json!("item")], vec![json!(""), json!("genre")]),
        ("folds", vec![json!(2), json!(20)], vec![json!(0), json!(1), json!(21)]),
        ("weight_decay", vec![json!(1e-9), json!(1e6)], vec![json!(0), json!(-1), json!(1.1e6)]),
    ] {
        right.into_iter().for_each(|value| assert_eq!(check(name, value), Ok(())));
        // That two columns are the same is said of the later one.
        let named = |value: &Value| if *value == "genre" && name == "item" { "target" } else { name };
        wrong.into_iter().for_each(|value| assert_eq!(check(name, value.clone()), Err(named(&value).into())));
    }
    let unknown = json!({"labels": "a.csv", "target": "genre", "fold": 3});
    assert!(serde_json::from_value::<Probe>(unknown).is_err());
}

#[test]
fn labels_that_cannot_be_used_are_found_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.csv");
    std::fs::write(&path, "item,mood\na,calm\n").unwrap();
    let invalid = operator(json!({"labels": path, "target": "genre"})).check().unwrap_err();
    assert_eq!(invalid.parameter, "target");
    assert_eq!(operator(json!({"labels": path, "target": "mood"})).check(), Ok(()));
}

#[test]
fn takes_tables_of_vectors_alone() {
    let probe = operator(json!({"labels": "a.csv", "target": "genre"}));
    let (right, wrong) = (Flow::Table(vectors::schema(3, &[])), Flow::Table(schema()));
    assert_eq!(probe.output(&Inputs(vec![("from", vec![&right, &right])])), Ok(Flow::Table(schema())));
    let said = probe.output(&Inputs(vec![("from", vec![&right, &wrong])])).unwrap_err();
    assert!(
        said.message.starts_with("expects tables of vectors, such as embed or pool give, not a table of "),
        "{said}"
    );
}

/// A run of the operator over a case's vectors: the table of scores, and what was said.
fn run(case: &Case, labels: &str, more: &Value) -> Result<(RecordBatch, Vec<String>), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.csv");
    std::fs::write(&path, labels).unwrap();
    let mut parameters = json!({"labels": path, "target": "class"});
    more.as_object().unwrap().iter().for_each(|(name, value)| parameters[name] = value.clone());
    let files = case.write(folder.path());
    let table = |stage: &str| DatasetInput::Table { stage: stage.into(), files: files.clone() };
    let output = folder.path().join("output");
    std::fs::create_dir(&output).unwrap();
    let job = DatasetJob {
        stage: "scores".into(),
        operator: "probe".into(),
        parameters: Value::Null,
        seed: 7,
        inputs: vec![("from".into(), vec![table("one"), table("two")])],
        output: output.clone(),
        state: None,
        threads: 2,
        shards: None,
    };
    let said = Arc::new(Mutex::new(Vec::new()));
    let messages = said.clone();
    let reporter: Reporter = Arc::new(move |event| {
        if let Event::Message { text, .. } = event {
            messages.lock().unwrap().push(text);
        }
    });
    let ran = operator(parameters).run(&job, &reporter, &CancellationToken::new());
    ran.map_err(|error| error.to_string())?;
    let file = File::open(output.join("scores.parquet")).unwrap();
    let batch =
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().next().unwrap().unwrap();
    let said = said.lock().unwrap().clone();
    Ok((batch, said))
}

/// The labels of a case's items as CSV.
fn csv(case: &Case, items: std::ops::Range<usize>, prefix: &str) -> String {
    let row = |item| format!("{prefix}{},{},{}\n", name(item), case.class(item), case.group(item));
    "item,class,group\n".to_owned() + &items.map(row).collect::<String>()
}

#[test]
fn a_row_of_scores_for_each_table() {
    let case = &Case::all()[0];
    let (rows, said) = run(case, &csv(case, 0..60, ""), &json!({"group": "group", "folds": 3})).unwrap();
    assert_eq!(said, [""; 0]);
    assert_eq!(rows.schema(), schema());
    let stages: Vec<_> = rows.column(0).as_string::<i32>().iter().flatten().collect();
    assert_eq!(stages, ["one", "two"]);
    assert_eq!(rows.column(1).as_primitive::<Int64Type>().values().to_vec(), [4, 4]);
    assert_eq!(rows.column(2).as_primitive::<Int64Type>().values().to_vec(), [60, 60]);
    for column in 3..8 {
        let scores = rows.column(column).as_primitive::<Float64Type>().values().to_vec();
        assert_eq!(scores[0], scores[1]);
        assert!((0.0..=1.0).contains(&scores[0]));
    }
}

#[test]
fn what_has_no_label_or_no_item_is_left_out_and_told() {
    let case = &Case::all()[0];
    let labels = csv(case, 5..65, "");
    let (rows, said) = run(case, &labels, &json!({})).unwrap();
    assert_eq!(rows.column(2).as_primitive::<Int64Type>().value(0), 55);
    let expected = "items without a label: 5 (the first is `000.wav`); \
                    labels without an item: 5 (the first is `060.wav`)";
    assert_eq!(said, [format!("`one`: {expected}"), format!("`two`: {expected}")]);
}

#[test]
fn labels_that_do_not_match_are_an_error() {
    let case = &Case::all()[0];
    assert_eq!(
        run(case, &csv(case, 0..60, "music/"), &json!({})).unwrap_err(),
        "stage `scores`: no item of `one` has a label: its items are named like `000.wav`, \
         those of `labels` like `music/000.wav`"
    );
    let said = run(case, &csv(case, 0..60, ""), &json!({"target": "genre"})).unwrap_err();
    assert!(
        said.starts_with("stage `scores`: `target` names `genre`, which is no column of `labels`"),
        "{said}"
    );
    let said = run(case, &csv(case, 0..60, ""), &json!({"group": "group", "folds": 18})).unwrap_err();
    assert_eq!(said, "stage `scores`: there are 17 groups with a label, fewer than `folds`, 18");
}

#[test]
fn it_ends_when_cancelled() {
    let samples = Case::all()[0].samples(Unit::Item);
    let cancel = CancellationToken::new();
    cancel.cancel();
    assert!(matches!(validate::validate(&samples, 3, 1.0, 2, &cancel), Err(Error::Cancelled)));
}
