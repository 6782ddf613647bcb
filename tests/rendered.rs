//! `pipelines/rendered.yaml` makes a labelled corpus of MIDI files.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use common::{etude, finished, stderr, stdout};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

#[test]
fn midi_files_become_clips_that_say_what_they_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(font) = common::font() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = Command::new("python3")
        .arg(root.join("scripts/make-midi.py"))
        .args(["midi", "6"])
        .current_dir(folder)
        .output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    let pipeline = root.join("pipelines/rendered.yaml");
    let with = |name: &str| {
        let mut command = etude(folder);
        command.arg(name).arg(&pipeline);
        command
    };
    let font = format!("soundfont={}", font.display());
    finished(with("run").args(["--set", "midi=midi", "--set", &font]));

    // What the script says that it has written.
    let labels = std::fs::read_to_string(folder.join("midi/labels.csv")).unwrap();
    let mut lines = labels.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = |name: &str| names.iter().position(|own| *own == name).unwrap();
    let mut expected = BTreeMap::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let (program, tempo) =
            (fields[at("program")].parse::<i64>().unwrap(), fields[at("tempo")].parse::<f64>().unwrap());
        expected.insert(fields[at("item")].to_owned(), (program, tempo.round() as i64));
    }
    assert_eq!(expected.len(), 6);

    let paths =
        stdout(&with("path").arg("shards").args(["--set", "midi=midi", "--set", &font]).output().unwrap());
    let (mut found, mut clips) = (BTreeMap::new(), 0);
    for path in paths.lines() {
        let file = std::fs::File::open(folder.join(path)).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let whole = |name: &str| {
                let column = arrow::compute::cast(
                    batch.column_by_name(name).unwrap(),
                    &arrow::datatypes::DataType::Int64,
                );
                column.unwrap().as_primitive::<Int64Type>().clone()
            };
            let items = batch.column_by_name("item").unwrap().as_string::<i32>();
            let tempos = batch.column_by_name("tempo").unwrap().as_primitive::<Float64Type>();
            let rates = batch.column_by_name("rate").unwrap().as_primitive::<Int32Type>();
            let (programs, notes) = (whole("program"), whole("notes"));
            for row in 0..batch.num_rows() {
                assert!(rates.value(row) == 22_050 && notes.value(row) > 8);
                let told = (programs.value(row), tempos.value(row).round() as i64);
                found.insert(items.value(row).to_owned(), told);
                clips += 1;
            }
        }
    }
    assert_eq!(found, expected);
    // Eight bars of four beats, in clips of four seconds.
    assert!(clips > 12, "{clips}");
}
