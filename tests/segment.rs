//! Cutting by a table, filtering and normalising from YAML: what is kept, and what is said of the rest.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::path::Path;

use common::{etude, finished, stderr, write_wav};

/// Alternating samples at that magnitude, at 8 kHz.
fn square(path: &Path, magnitudes: &[(i16, usize)]) {
    let samples = magnitudes.iter().flat_map(|(magnitude, frames)| {
        (0..*frames).map(move |frame| if frame % 2 == 0 { *magnitude } else { -*magnitude })
    });
    write_wav(path, 8000, 1, samples);
}

const YAML: &str = r#"
stages:
  files:  {op: scan, path: music}
  audio:  {op: decode}
  long:   {op: filter, duration: {min: 1}, clipping: {max: 0.5}}
  even:   {op: normalise, rms_db: -12, of: recording}
  beats:  {op: segment, windows: beats.csv, frames: 2000, tail: pad, silence: {keep_ratio: 0.2}}
  loud:   {op: filter, rms_db: {min: -20}}
  shards: {op: shards, codec: f32}
"#;

#[test]
fn windows_filter_and_normalise() {
    let folder = tempfile::tempdir().unwrap();
    let music = folder.path().join("music");
    // Half of it is loud, then it is soft, then silent.
    square(&music.join("a.wav"), &[(8000, 16_000), (800, 8_000), (0, 8_000)]);
    square(&music.join("short.wav"), &[(8000, 7_999)]);
    square(&music.join("clipped.wav"), &[(32_767, 16_000)]);
    square(&music.join("unnamed.wav"), &[(8000, 16_000)]);
    let beats = folder.path().join("beats.csv");
    let centres =
        ["a.wav,2.5", "a.wav,0.1", "a.wav,1", "a.wav,3.5", "a.wav,99", "short.wav,1", "clipped.wav,1"];
    let rows = format!("item,centre\n{}\n", centres.join("\n"));
    std::fs::write(&beats, &rows).unwrap();
    std::fs::write(folder.path().join("p.yaml"), YAML).unwrap();

    let run = || finished(etude(folder.path()).args(["run", "p.yaml", "--max-rejects", "0"]));
    let stages = run();
    let number = |stage: &str, name: &str| stages[stage][name].as_u64().unwrap_or_default();
    let counter = |stage: &str, name: &str| stages[stage]["counters"][name].as_u64().unwrap_or_default();
    assert_eq!((number("long", "items_in"), number("long", "filtered")), (4, 2));
    assert_eq!((number("beats", "filtered"), number("beats", "rejected")), (1, 0));
    // One is soft, one silent, one is outside; two remain.
    assert_eq!((counter("beats", "silent_clips"), counter("beats", "windows_outside")), (1, 1));
    assert_eq!((counter("loud", "rms_too_low"), number("shards", "rows")), (1, 2));

    // The table's content counts, its place does not.
    assert_eq!(run()["shards"]["status"], "reused");
    std::fs::write(&beats, rows.replace("a.wav,99", "a.wav,1.5")).unwrap();
    let stages = run();
    assert_eq!(stages["shards"]["status"], "computed");
    assert_eq!(stages["shards"]["rows"], 3);
}

#[test]
fn a_recording_that_loses_all_its_clips_is_filtered_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    square(&folder.path().join("music/loud.wav"), &[(8000, 16_000)]);
    square(&folder.path().join("music/soft.wav"), &[(80, 16_000)]);
    let yaml = r#"
stages:
  files:  {op: scan, path: music}
  audio:  {op: decode}
  clips:  {op: segment, seconds: 1}
  loud:   {op: filter, rms_db: {min: -20}}
  shards: {op: shards}
"#;
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    let stages = finished(etude(folder.path()).args(["run", "p.yaml"]));
    assert_eq!((&stages["loud"]["items_in"], &stages["loud"]["filtered"]), (&2.into(), &1.into()));
    assert_eq!((&stages["shards"]["items"], &stages["shards"]["rows"]), (&1.into(), &2.into()));
    assert_eq!(stages["loud"]["counters"]["rms_too_low"], 2);
    let snapshots = common::digests(&folder.path().join(".etude/snapshots"));
    let said = "nothing of it is left: 2 rms_too_low";
    assert!(snapshots.values().any(|text| String::from_utf8_lossy(text).contains(said)));
}

#[test]
fn a_table_that_cannot_be_used_is_told_with_its_row() {
    let folder = tempfile::tempdir().unwrap();
    square(&folder.path().join("music/a.wav"), &[(8000, 16_000)]);
    std::fs::write(folder.path().join("p.yaml"), YAML).unwrap();
    std::fs::write(folder.path().join("beats.csv"), "item,centre\na.wav,1\na.wav,one\n").unwrap();
    let said = || {
        let output = etude(folder.path()).args(["run", "p.yaml"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    let error = said();
    assert!(error.contains("p.yaml:7:34"), "{error}");
    assert!(error.contains("row 2 has `centre` `one`, expected a number of seconds"), "{error}");
    std::fs::remove_file(folder.path().join("beats.csv")).unwrap();
    let error = said();
    assert!(error.contains("p.yaml:7:34") && error.contains("No such file"), "{error}");
}
