//! `etude inspect`: the page of a stage, from real music, opened in Chromium where there is one.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{etude, finished, some_music, stderr};
use serde_json::Value;

const YAML: &str = r#"
seed: 7
stages:
  files:  {op: scan, path: music}
  tags:   {op: metadata}
  said:   {op: sql, from: tags, query: "SELECT item, channels AS places FROM tags"}
  audio:  {op: decode, channels: mono}
  at16k:  {op: resample, rate: 16000}
  clips:  {op: segment, seconds: 5}
  crops:  {op: crop, seconds: 2, views: 2}
  louder: {op: augment, chain: [{gain: {p: 1}}], views: [1]}
  masked: {op: mask, pattern: {blocks: {p: 0.3}}, views: [1]}
  shards: {op: shards}
  bands:  {op: mel, n_mels: 40}
  pooled: {op: pool}
"#;

fn inspect(folder: &Path, more: &[&str]) -> Output {
    etude(folder).args(["inspect", "p.yaml"]).args(more).output().unwrap()
}

/// What is on a page, as Chromium shows it; none where there is no Chromium.
fn shown(page: &Path) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/inspect_page.py");
    let output = Command::new("python3").arg(script).arg(page).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let told = common::stdout(&output);
    if told.starts_with("skip") {
        eprintln!("{told}");
        return None;
    }
    let found: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(found["ready"], true, "{found}");
    assert_eq!(
        (found["errors"].clone(), found["requests"].clone()),
        (Value::Array(vec![]), Value::Array(vec![]))
    );
    Some(found)
}

fn page(folder: &Path, more: &[&str], name: &str) -> (PathBuf, String) {
    let output = inspect(folder, more);
    assert!(output.status.success(), "{}", stderr(&output));
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

#[test]
fn a_page_shows_what_a_stage_gives() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    std::fs::write(folder.path().join("p.yaml"), YAML).unwrap();
    let item = "asterisk/manolo_camp-morning_coffee.wav";
    finished(etude(folder.path()).args(["run", "p.yaml", "--until", "said"]));
    // Nothing of the shards is there: it is computed from the recording, and what is kept is the same.
    let (path, fresh) = page(folder.path(), &["masked", item, "--limit", "4"], "masked.html");
    assert!(fresh.contains("gain_db") && fresh.contains("computed from the recording"));
    if let Some(found) = shown(&path) {
        let cards = found["cards"].as_array().unwrap();
        assert_eq!(cards.len(), 4);
        for card in cards {
            assert_eq!(card["kind"], "audio");
            assert_eq!(card["masks"] == "", card["view"] == "0", "{card}");
        }
    }
    finished(etude(folder.path()).args(["run", "p.yaml"]));
    let (path, kept) = page(folder.path(), &["bands", item, "--limit", "2", "--output", "b.html"], "b.html");
    assert!(kept.contains("read from what `shards` keeps") && kept.contains("places"), "{kept}");
    if let Some(found) = shown(&path) {
        assert_eq!(found["cards"][1]["kind"], "features");
    }
    let (path, table) = page(folder.path(), &["tags", item], "tags.html");
    assert!(table.contains("sample") || table.contains("codec"), "{table}");
    if let Some(found) = shown(&path) {
        assert_eq!(
            found["rows"].as_array().map(Vec::len).or(found["rows"].as_u64().map(|n| n as usize)),
            Some(1)
        );
    }
    page(folder.path(), &["files"], "files.html");
    page(folder.path(), &["pooled", "--limit", "3"], "pooled.html");

    let wrong = |more: &[&str]| {
        let output = inspect(folder.path(), more);
        assert!(!output.status.success());
        stderr(&output)
    };
    assert!(wrong(&["masked", "asterisk/manolo_camp-morning_cofee.wav"]).contains("did you mean"));
    assert!(wrong(&["maskt"]).contains("masked"));
    assert!(wrong(&["masked", "--limit", "0"]).contains("--limit"));
}
