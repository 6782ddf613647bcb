//! What is known of recordings as tables: headers, labels, and which recordings are taken.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use common::{etude, finished, music, some_music, stderr, stdout, write_tone};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

const LABELLED: &str = r#"
vars: {labels: labels.csv}
stages:
  files:  {op: scan, path: music}
  tags:   {op: metadata}
  chosen:
    op: sql
    query: |
      SELECT t.item, l.genre, t.duration AS length
      FROM tags t JOIN labels l ON t.item = l.item
      WHERE t.duration > 4
    tables: {labels: "${labels}"}
  audio:  {op: decode, channels: mono}
  at16k:  {op: resample, rate: 16000}
  clips:  {op: segment, seconds: 2}
  shards: {op: shards}
"#;

const WAV: &str = "asterisk/manolo_camp-morning_coffee.wav";
const MP3: &str = "asc/machine_wars.mp3";
const OGG: &str = "fretsonfire/Feelings/guitar.ogg";

fn write_labels(path: &Path, labels: &[(&str, &str)]) {
    let lines: String = labels.iter().map(|(item, genre)| format!("{item},{genre}\n")).collect();
    std::fs::write(path, format!("item,genre\n{lines}")).unwrap();
}

/// Three recordings with labels, one that is too short, one without a label.
fn labelled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let music = some_music(folder.path());
    write_tone(&music.join("short.wav"), 440.0, 3);
    write_tone(&music.join("unknown.wav"), 440.0, 5);
    let labels = [(WAV, "easy"), (MP3, "game"), (OGG, "rock"), ("short.wav", "tone"), ("gone.wav", "none")];
    write_labels(&folder.path().join("labels.csv"), &labels);
    std::fs::write(folder.path().join("p.yaml"), LABELLED).unwrap();
    folder
}

fn run(folder: &Path, set: &[&str]) -> BTreeMap<String, Value> {
    let mut command = etude(folder);
    command.args(["run", "p.yaml", "--max-rejects", "50%"]);
    for setting in set {
        command.args(["--set", setting]);
    }
    finished(&mut command)
}

/// The rows that a stage keeps.
fn kept(folder: &Path, stage: &str) -> Vec<RecordBatch> {
    let paths = stdout(&etude(folder).args(["path", "p.yaml", stage]).output().unwrap());
    let read = |path: &str| {
        let file = std::fs::File::open(path).unwrap();
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap)
    };
    assert!(!paths.is_empty(), "{stage} has no output");
    paths.lines().flat_map(read).collect()
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a dyn Array {
    batch.column_by_name(name).unwrap()
}

/// For every clip in the shards: its genre, its recording's length, and its bytes.
fn clips(folder: &Path) -> BTreeMap<(String, i64), (String, f64, Vec<u8>)> {
    let mut clips = BTreeMap::new();
    for batch in kept(folder, "shards") {
        let (items, genres) =
            (column(&batch, "item").as_string::<i32>(), column(&batch, "genre").as_string::<i32>());
        let starts = column(&batch, "start").as_primitive::<Int64Type>();
        let lengths = column(&batch, "length").as_primitive::<Float64Type>();
        let bytes = column(&batch, "audio").as_struct().column_by_name("bytes").unwrap().as_binary::<i32>();
        for row in 0..batch.num_rows() {
            let clip = (genres.value(row).to_owned(), lengths.value(row), bytes.value(row).to_vec());
            clips.insert((items.value(row).to_owned(), starts.value(row)), clip);
        }
    }
    clips
}

fn genres(folder: &Path) -> BTreeMap<String, String> {
    clips(folder).into_iter().map(|((item, _), (genre, ..))| (item, genre)).collect()
}

fn own(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(item, genre)| ((*item).to_owned(), (*genre).to_owned())).collect()
}

#[test]
fn labels_choose_recordings_and_go_with_them_into_the_shards() {
    let folder = labelled();
    let stages = run(folder.path(), &[]);
    assert_eq!(genres(folder.path()), own(&[(WAV, "easy"), (MP3, "game"), (OGG, "rock")]));
    assert_eq!((&stages["tags"]["rows"], &stages["chosen"]["rows"]), (&5.into(), &3.into()));
    assert_eq!(stages["shards"]["items"], 3);
    // Each carries its length, and has as many whole clips as fit in it.
    let clips = clips(folder.path());
    for item in [WAV, MP3, OGG] {
        let clips: Vec<_> = clips.iter().filter(|((of, _), _)| of == item).collect();
        let (_, length, _) = clips[0].1;
        assert!(clips.iter().all(|(_, clip)| clip.1 == *length));
        assert!(
            (clips.len() as f64 - (length / 2.0).floor()).abs() <= 1.0,
            "{item}: {length} s, {}",
            clips.len()
        );
    }
    assert!(run(folder.path(), &[]).values().all(|stage| stage["status"] == "reused"));
}

#[test]
fn a_label_that_changes_changes_its_recording_alone() {
    let folder = labelled();
    let labels = folder.path().join("labels.csv");
    run(folder.path(), &[]);
    let before = clips(folder.path());

    // The same labels elsewhere are the same data.
    std::fs::copy(&labels, folder.path().join("other.csv")).unwrap();
    let stages = run(folder.path(), &["labels=other.csv"]);
    assert!(stages.values().all(|stage| stage["status"] == "reused"), "{:?}", common::statuses(&stages));

    // A label of a recording that is not taken: the table is the same again, and so is all below.
    write_labels(&labels, &[(OGG, "rock"), (WAV, "easy"), (MP3, "game"), ("short.wav", "noise")]);
    let stages = run(folder.path(), &[]);
    let statuses =
        ["tags", "chosen", "shards"].map(|stage| stages[stage]["status"].as_str().unwrap().to_owned());
    assert_eq!(statuses, ["reused", "computed", "reused"]);

    write_labels(&labels, &[(WAV, "easy"), (MP3, "game"), (OGG, "indie"), ("short.wav", "noise")]);
    let stages = run(folder.path(), &[]);
    assert_eq!(stages["tags"]["status"], "reused");
    assert_ne!(stages["shards"]["status"], "reused");
    let after = clips(folder.path());
    assert_eq!(before.len(), after.len());
    for ((clip, (old, _, old_bytes)), (new, _, new_bytes)) in before.iter().zip(after.values()) {
        assert_eq!(old_bytes, new_bytes, "{clip:?}");
        assert_eq!(new, if clip.0 == OGG { "indie" } else { old }, "{clip:?}");
    }

    // A recording less.
    write_labels(&labels, &[(WAV, "easy"), (OGG, "indie")]);
    run(folder.path(), &[]);
    assert_eq!(genres(folder.path()), own(&[(WAV, "easy"), (OGG, "indie")]));
}

#[test]
fn tables_of_any_kind_are_joined() {
    let folder = labelled();
    let labels = folder.path().join("labels.csv");
    let lines = [(WAV, "easy"), (OGG, "rock")]
        .map(|(item, genre)| format!("{{\"item\": \"{item}\", \"genre\": \"{genre}\"}}\n"));
    std::fs::write(&labels, lines.concat()).unwrap();
    run(folder.path(), &[]);
    assert_eq!(genres(folder.path()), own(&[(WAV, "easy"), (OGG, "rock")]));
    // The same table, however it is written, is the same data: as TSV, and as Parquet, which a result is.
    std::fs::write(&labels, format!("genre\titem\nrock\t{OGG}\neasy\t{WAV}\n")).unwrap();
    let stages = run(folder.path(), &[]);
    assert_eq!(
        (&stages["chosen"]["status"], &stages["shards"]["status"]),
        (&"computed".into(), &"reused".into())
    );
    let result = stdout(&etude(folder.path()).args(["path", "p.yaml", "chosen"]).output().unwrap());
    std::fs::copy(result.trim(), &labels).unwrap();
    let stages = run(folder.path(), &[]);
    assert_eq!(
        (&stages["chosen"]["status"], &stages["shards"]["status"]),
        (&"computed".into(), &"reused".into())
    );
}

#[test]
fn what_cannot_be_read_is_rejected_by_metadata() {
    let folder = labelled();
    std::fs::write(folder.path().join("music/text.wav"), "not a recording at all\n".repeat(500)).unwrap();
    std::fs::write(folder.path().join("music/empty.mp3"), "").unwrap();
    let stages = run(folder.path(), &[]);
    assert_eq!((&stages["tags"]["items_in"], &stages["tags"]["rejected"]), (&7.into(), &2.into()));
    assert_eq!((&stages["tags"]["rows"], &stages["shards"]["items"]), (&5.into(), &3.into()));
}

#[test]
fn a_query_that_is_wrong_is_marked_in_the_file() {
    let folder = labelled();
    let query = "SELECT item, genra FROM tags JOIN labels USING (item)";
    let stages =
        ["  files:  {op: scan, path: music}", "  tags:   {op: metadata}", "  chosen:", "    op: sql"];
    let yaml = |query: &str| {
        format!("stages:\n{}\n    query: {query}\n    tables: {{labels: labels.csv}}\n", stages.join("\n"))
    };
    let refused = |query: &str| {
        std::fs::write(folder.path().join("p.yaml"), yaml(query)).unwrap();
        let output = etude(folder.path()).args(["check", "p.yaml"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
        assert!(!folder.path().join(".etude").exists(), "something was written");
        stderr(&output)
    };
    let said = refused(query);
    assert!(said.contains("--> p.yaml:6:12") && said.contains("query: SELECT"), "{said}");
    assert!(said.contains("No field named genra. Did you mean 'tags.genre'?"), "{said}");
    assert!(said.contains("line 1, column 14 of the query"), "{said}");
    assert!(refused("SELECT item FORM tags").contains("p.yaml:6:12"));
    assert!(refused("DELETE FROM tags").contains("only a query is allowed"));
    assert!(refused("SELECT item, now() AS time FROM tags").contains("gives something else each time"));
    std::fs::remove_file(folder.path().join("labels.csv")).unwrap();
    let said = refused(query);
    assert!(said.contains("--> p.yaml:7:22") && said.contains("labels.csv"), "{said}");
}

#[test]
fn headers_say_what_ffprobe_says() {
    if Command::new("ffprobe").arg("-version").output().is_err() {
        eprintln!("ffprobe is not installed: nothing is compared");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!("stages:\n  files: {{op: scan, path: {:?}}}\n  tags: {{op: metadata}}\n", music());
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    run(folder.path(), &[]);
    let (mut compared, mut lengths) = (0, 0);
    for batch in kept(folder.path(), "tags") {
        let (items, titles) =
            (column(&batch, "item").as_string::<i32>(), column(&batch, "title").as_string::<i32>());
        let rates = column(&batch, "rate").as_primitive::<Int32Type>();
        let channels = column(&batch, "channels").as_primitive::<Int32Type>();
        let durations = column(&batch, "duration").as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let item = items.value(row);
            let probe =
                ["-v", "error", "-select_streams", "a:0", "-show_format", "-show_streams", "-of", "json"];
            let output = Command::new("ffprobe").args(probe).arg(music().join(item)).output().unwrap();
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            let stream = &found["streams"][0];
            let text = |value: &Value| value.as_str().map(str::to_owned);
            assert_eq!(text(&stream["sample_rate"]), Some(rates.value(row).to_string()), "{item}");
            assert_eq!(stream["channels"], channels.value(row), "{item}");
            if durations.is_valid(row) {
                let expected: f64 = text(&found["format"]["duration"]).unwrap().parse().unwrap();
                let difference = (durations.value(row) - expected).abs();
                assert!(
                    difference < 0.1 + expected / 100.0,
                    "{item}: {} s, not {expected} s",
                    durations.value(row)
                );
                lengths += 1;
            }
            let tags = [&found["format"]["tags"], &stream["tags"]];
            let title = tags
                .iter()
                .flat_map(|tags| ["title", "TITLE"].map(|name| text(&tags[name])))
                .flatten()
                .next();
            if let Some(title) = title.filter(|title| title.is_ascii()) {
                // Of several values ours is the first.
                let title = title.split(';').next().unwrap().trim();
                assert_eq!(titles.is_valid(row).then(|| titles.value(row)), Some(title), "{item}");
            }
            compared += 1;
        }
    }
    assert!(compared >= 10 && lengths * 10 >= compared * 9, "{compared} recordings, {lengths} lengths");
}

const DIVIDED: &str = r#"
stages:
  files:  {op: scan, path: music}
  tags:   {op: metadata}
  songs:  {op: sql, query: "SELECT item, l.artist, l.genre FROM tags JOIN l USING (item)", tables: {l: labels.csv}}
  parts:  {op: split, group: artist, stratify: genre, parts: {train: 0.75, test: 0.25}}
  audio:  {op: decode}
  clips:  {op: segment, seconds: 0.5}
  shards: {op: shards}
  chosen: {op: sql, from: parts, query: SELECT item FROM parts WHERE split = 'train'}
  some:   {op: decode, from: chosen}
  cut:    {op: segment, seconds: 0.5}
  train:  {op: shards}
"#;

#[test]
fn recordings_are_divided_by_artist_and_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Sixteen artists with three songs each; all but four are of one genre.
    let mut labels = "item,artist,genre\n".to_owned();
    for song in 0..48 {
        write_tone(&folder.join(format!("music/{song}.wav")), 200.0 + 10.0 * f64::from(song), 1);
        labels += &format!("{song}.wav,a{},g{}\n", song % 16, u32::from(song % 16 < 4));
    }
    std::fs::write(folder.join("labels.csv"), labels).unwrap();
    std::fs::write(folder.join("p.yaml"), DIVIDED).unwrap();
    run(folder, &[]);
    let (mut parts, mut clips) = (BTreeMap::new(), BTreeMap::<String, usize>::new());
    let mut artists = BTreeMap::new();
    for batch in kept(folder, "shards") {
        let text = |name: &str| column(&batch, name).as_string::<i32>().clone();
        let (items, splits, singers, genres) = (text("item"), text("split"), text("artist"), text("genre"));
        for row in 0..batch.num_rows() {
            let split = splits.value(row).to_owned();
            *clips.entry(items.value(row).to_owned()).or_default() += 1;
            parts.insert(items.value(row).to_owned(), (split.clone(), genres.value(row).to_owned()));
            // All songs of an artist lie in one part.
            let part = artists.entry(singers.value(row).to_owned()).or_insert_with(|| split.clone());
            assert_eq!(*part, split);
        }
    }
    assert!(clips.len() == 48 && clips.values().all(|clips| *clips == 2), "{clips:?}");
    // A quarter of each genre.
    for (genre, expected) in [("g0", 9), ("g1", 3)] {
        let test = parts.values().filter(|(split, of)| split == "test" && of == genre).count();
        assert_eq!(test, expected, "{genre}");
    }
    // What is chosen of a part is that part.
    let items = |batch: RecordBatch| -> Vec<String> {
        let items = column(&batch, "item").as_string::<i32>().clone();
        items.iter().flatten().map(str::to_owned).collect()
    };
    let taken: std::collections::BTreeSet<String> =
        kept(folder, "train").into_iter().flat_map(items).collect();
    let expected = parts.iter().filter(|(_, (split, _))| split == "train").map(|(item, _)| item.clone());
    assert!(taken.into_iter().eq(expected));
}
