//! Views from YAML: kept or made anew, with any number of threads, whatever was there before, they are the same.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use common::{etude, finished, some_music, stderr, stdout, write_tone};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// What makes views of clips, everything that is drawn in it.
const VIEWS: &str = r#"
  crops:  {op: crop, seconds: 2, views: 2, placement: {adjacent: {distance: [0, 1]}}}
  noisy:
    op: augment
    chain:
      - gain: {p: 0.5}
      - noise: {p: 0.5}
      - pitch_shift: {p: 0.3}
      - reverb: {p: 0.3}
  masked: {op: mask, pattern: {blocks: {}}, fill: {noise: {}}, views: [1]}
"#;

const ABOVE: &str = r#"
seed: 7
vars: {music: ./music}
stages:
  files:  {op: scan, path: "${music}"}
  audio:  {op: decode, channels: mono}
  at16k:  {op: resample, rate: 16000}
  clips:  {op: segment, seconds: 5}
"#;

fn write(folder: &Path, name: &str, yaml: &str) {
    std::fs::write(folder.join(name), yaml).unwrap();
}

/// The rows of all Parquet files of a stage.
fn rows(folder: &Path, pipeline: &str, stage: &str, store: &str) -> Vec<RecordBatch> {
    let output = etude(folder).args(["path", pipeline, stage, "--store", store]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let paths: Vec<PathBuf> = stdout(&output).lines().map(|line| folder.join(line)).collect();
    assert!(!paths.is_empty());
    let mut batches = Vec::new();
    for path in paths {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        batches.extend(reader.build().unwrap().map(Result::unwrap));
    }
    batches
}

/// What is kept of each view: by item, start and view all other columns as text, the audio's bytes among them.
fn views(folder: &Path, pipeline: &str, store: &str) -> BTreeMap<(String, i64, i32), String> {
    let mut views = BTreeMap::new();
    for batch in rows(folder, pipeline, "shards", store) {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let text = |row: usize| {
            let show = |column| arrow::util::display::array_value_to_string(column, row).unwrap();
            batch.columns().iter().map(|column| show(column.as_ref())).collect::<Vec<_>>().join("|")
        };
        for row in 0..batch.num_rows() {
            let key = (
                column("item").as_string::<i32>().value(row).to_owned(),
                column("start").as_primitive::<Int64Type>().value(row),
                column("view").as_primitive::<Int32Type>().value(row),
            );
            let before = views.insert(key, blake3(&text(row)));
            assert!(before.is_none(), "two rows are the same view");
        }
    }
    views
}

fn blake3(text: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

/// The same of features.
const OF_FEATURES: &str = r#"
  bands:  {op: mel, n_mels: 16}
  near:   {op: neighbours, seconds: 0.5, anchors: 2, positives: 1, negatives: 1, bands: [{positive: [0, 0.5], negative: [0.5, 1]}]}
  hidden: {op: spec_augment}
  moved:  {op: axis_shift, axis: pitch, by: [-2, 2]}
  fewer:  {op: drop_tokens, ratio: 0.5}
"#;

#[test]
fn threads_blocks_and_what_is_cached_do_not_matter() {
    for made in [VIEWS, OF_FEATURES] {
        do_not_matter(made);
    }
}

fn do_not_matter(made: &str) {
    let folder = tempfile::tempdir().unwrap();
    let music = some_music(folder.path());
    let yaml = ABOVE.to_owned() + made + "  shards: {op: shards, codec: f32, megabytes: 1}\n";
    write(folder.path(), "p.yaml", &yaml);
    let run = |store: &str, more: &[&str]| {
        finished(etude(folder.path()).args(["run", "p.yaml", "--store", store]).args(more))
    };
    run("one", &["--threads", "1"]);
    let one = views(folder.path(), "p.yaml", "one");
    assert!(one.len() > 20, "{}", one.len());
    run("eight", &["--threads", "8", "--block", "1000"]);
    assert_eq!(one, views(folder.path(), "p.yaml", "eight"));
    // Grown by a recording, which was away at first.
    let (wav, away) = (music.join("asterisk/manolo_camp-morning_coffee.wav"), folder.path().join("away.wav"));
    std::fs::rename(&wav, &away).unwrap();
    run("grown", &[]);
    assert!(views(folder.path(), "p.yaml", "grown").len() < one.len());
    std::fs::rename(&away, &wav).unwrap();
    run("grown", &[]);
    assert_eq!(one, views(folder.path(), "p.yaml", "grown"));
    // Another seed gives other views of the same clips.
    write(folder.path(), "p.yaml", &yaml.replace("seed: 7", "seed: 8"));
    run("seed", &[]);
    assert_ne!(one, views(folder.path(), "p.yaml", "seed"));
}

/// The vectors of a table by item, start and place among those of the same start.
fn vectors(folder: &Path, pipeline: &str) -> Vec<(String, i64, Vec<f32>)> {
    let mut all = Vec::new();
    for batch in rows(folder, pipeline, "pooled", ".etude") {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let lists = column("vector").as_fixed_size_list();
        for row in 0..batch.num_rows() {
            let values = lists.value(row);
            let values = values.as_primitive::<arrow::datatypes::Float32Type>().values().to_vec();
            let item = column("item").as_string::<i32>().value(row).to_owned();
            all.push((item, column("start").as_primitive::<Int64Type>().value(row), values));
        }
    }
    all.sort_by(|a, b| (&a.0, a.1, a.2.len()).cmp(&(&b.0, b.1, b.2.len())));
    all
}

#[test]
fn above_the_shards_or_below_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    let shards = "  shards: {op: shards, codec: f32}\n";
    let features = "  spectrum: {op: mel, n_fft: 512, hop: 256, n_mels: 20}\n";
    let pooled = "  pooled: {op: pool, statistics: [mean, std, max]}\n";
    let kept_features = "  features: {op: shards}\n";
    write(folder.path(), "online.yaml", &[ABOVE, shards, VIEWS, features, pooled].concat());
    write(folder.path(), "offline.yaml", &[ABOVE, VIEWS, shards, features, pooled].concat());
    write(folder.path(), "features.yaml", &[ABOVE, VIEWS, features, kept_features, pooled].concat());
    for pipeline in ["online.yaml", "offline.yaml", "features.yaml"] {
        finished(etude(folder.path()).args(["run", pipeline]));
    }
    let online = vectors(folder.path(), "online.yaml");
    assert!(online.len() > 20, "{}", online.len());
    assert_eq!(online, vectors(folder.path(), "offline.yaml"));
    assert_eq!(online, vectors(folder.path(), "features.yaml"));
}

#[test]
fn what_was_drawn_is_kept_in_columns() {
    let folder = tempfile::tempdir().unwrap();
    write_tone(&folder.path().join("music/a.wav"), 440.0, 40);
    let yaml = r#"
stages:
  files:  {op: scan, path: music}
  audio:  {op: decode, channels: mono}
  clips:  {op: segment, seconds: 2}
  copies: {op: crop, views: 2}
  louder: {op: augment, views: [1], chain: [{gain: {p: 1, db: [3, 6]}}, {polarity: {p: 0.5}}, {gain: {p: 1, db: [-9, -6]}}]}
  masked: {op: mask, pattern: {spans: {p: 0.0001, length: 400}}, views: [1]}
  shards: {op: shards, codec: f32}
"#;
    write(folder.path(), "p.yaml", yaml);
    finished(etude(folder.path()).args(["run", "p.yaml"]));
    let (mut rows_seen, mut turned) = (0, 0);
    for batch in rows(folder.path(), "p.yaml", "shards", ".etude") {
        let views = batch.column_by_name("view").unwrap().as_primitive::<Int32Type>();
        let drawn = batch.column_by_name("drawn").unwrap().as_struct();
        assert_eq!(drawn.column_names(), ["gain_db", "polarity_applied", "gain_db_2"]);
        let numbers = |name: &str| drawn.column_by_name(name).unwrap().as_primitive::<Float64Type>();
        let masks = batch.column_by_name("mask").unwrap().as_list::<i32>();
        let audio = batch.column_by_name("audio").unwrap().as_struct();
        let bytes = audio.column_by_name("bytes").unwrap().as_binary::<i32>();
        for row in 0..batch.num_rows() {
            rows_seen += 1;
            let changed = views.value(row) == 1;
            assert_eq!(numbers("gain_db").is_valid(row), changed);
            assert_eq!(masks.value(row).is_empty(), !changed);
            if !changed {
                continue;
            }
            let (first, second) = (numbers("gain_db").value(row), numbers("gain_db_2").value(row));
            assert!((3.0..=6.0).contains(&first) && (-9.0..=-6.0).contains(&second));
            turned += usize::from(numbers("polarity_applied").is_valid(row));
            // The columns say what became of it.
            let spans = masks.value(row);
            let edges = spans.as_fixed_size_list().values().as_primitive::<Int64Type>().values().to_vec();
            let inside = |at: usize| edges.chunks(2).any(|span| (span[0]..span[1]).contains(&(at as i64)));
            let samples = f32s(bytes.value(row));
            let plain = f32s(bytes.value(row - 1));
            let sign = if numbers("polarity_applied").is_valid(row) { -1.0 } else { 1.0 };
            let factor = sign * 10f64.powf((first + second) / 20.0);
            for (at, (sample, plain)) in samples.iter().zip(&plain).enumerate() {
                let wanted = if inside(at) { 0.0 } else { factor * f64::from(*plain) };
                assert!((f64::from(*sample) - wanted).abs() < 1e-6, "{at}: {sample} {wanted}");
            }
        }
    }
    assert_eq!(rows_seen, 40);
    assert!((3..18).contains(&turned), "{turned} of 20 turned");
}

/// The samples of a WAV file of 32-bit floats.
fn f32s(bytes: &[u8]) -> Vec<f32> {
    let data = bytes.windows(4).position(|window| window == b"data").unwrap() + 8;
    bytes[data..].chunks_exact(4).map(|sample| f32::from_le_bytes(sample.try_into().unwrap())).collect()
}

#[test]
fn what_is_read_besides_counts() {
    let folder = tempfile::tempdir().unwrap();
    write_tone(&folder.path().join("music/a.wav"), 440.0, 6);
    write_tone(&folder.path().join("noise/b.wav"), 1000.0, 3);
    let yaml = r#"
stages:
  street: {op: scan, path: noise}
  sound:  {op: decode, channels: mono}
  pieces: {op: segment, seconds: 1}
  noises: {op: shards}
  files:  {op: scan, path: music}
  audio:  {op: decode, channels: mono}
  clips:  {op: segment, seconds: 2}
  noisy:  {op: augment, background: noises, chain: [{background: {p: 1, snr_db: [0, 0]}}]}
  shards: {op: shards, codec: f32}
  kept:   {op: shards, from: clips, codec: f32}
  below:  {op: augment, background: noises, chain: [{background: {p: 1, snr_db: [0, 0]}}]}
  pooled: {op: pool, statistics: [std]}
"#;
    write(folder.path(), "p.yaml", yaml);
    let run = || finished(etude(folder.path()).args(["run", "p.yaml"]));
    run();
    // As much noise as tone: the deviation is √2 times as high.
    let vectors = vectors_of(&rows(folder.path(), "p.yaml", "pooled", ".etude"));
    let tone = 12_000.0 / 32_768.0 / 2f32.sqrt();
    let once = |vector: &Vec<f32>| (vector[0] / tone - 2f32.sqrt()).abs() < 0.01;
    assert!(vectors.len() == 3 && vectors.iter().all(once), "{vectors:?} {tone}");
    let stages = run();
    assert!(stages.values().all(|stage| stage["status"] == "reused"), "{stages:?}");
    // Another noise: what reads it is computed anew, the recordings of the noise that stay are not.
    write_tone(&folder.path().join("noise/c.wav"), 2000.0, 3);
    let why = stdout(&etude(folder.path()).args(["why", "p.yaml", "pooled"]).output().unwrap());
    assert!(why.contains("noises"), "{why}");
    let stages = run();
    assert_eq!(stages["noises"]["status"], "partial");
    assert_eq!(stages["shards"]["status"], "computed");
    assert_eq!(stages["pooled"]["status"], "computed");
    assert_eq!(stages["kept"]["status"], "reused");

    // Which of two stages is read where counts, though both are read.
    let two = r#"
vars: {one: noises, two: others}
stages:
  street: {op: scan, path: noise}
  sound:  {op: decode, channels: mono}
  pieces: {op: segment, seconds: 1}
  noises: {op: shards}
  high:   {op: normalise, from: pieces, peak_db: -20}
  others: {op: shards}
  files:  {op: scan, path: music}
  audio:  {op: decode, channels: mono}
  clips:  {op: segment, seconds: 2}
  first:  {op: augment, background: "${one}", chain: [{background: {p: 1}}]}
  then:   {op: augment, impulses: "${two}", chain: [{impulse: {p: 1}}]}
  shards: {op: shards, codec: f32}
"#;
    write(folder.path(), "two.yaml", two);
    finished(etude(folder.path()).args(["run", "two.yaml"]));
    let swapped = finished(etude(folder.path()).args([
        "run",
        "two.yaml",
        "--set",
        "one=others",
        "--set",
        "two=noises",
    ]));
    assert_eq!(
        (&swapped["noises"]["status"], &swapped["others"]["status"]),
        (&"reused".into(), &"reused".into())
    );
    assert_eq!(swapped["shards"]["status"], "computed");

    // A stage that is not kept cannot be read besides.
    write(folder.path(), "wrong.yaml", &yaml.replace("background: noises", "background: pieces"));
    let output = etude(folder.path()).args(["check", "wrong.yaml"]).output().unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("put `op: shards` above it"), "{}", stderr(&output));
}

fn vectors_of(batches: &[RecordBatch]) -> Vec<Vec<f32>> {
    let of = |batch: &RecordBatch| {
        let lists = batch.column_by_name("vector").unwrap().as_fixed_size_list().clone();
        (0..batch.num_rows())
            .map(|row| lists.value(row).as_primitive::<arrow::datatypes::Float32Type>().values().to_vec())
            .collect::<Vec<_>>()
    };
    batches.iter().flat_map(of).collect()
}

#[test]
fn statistics_of_a_corpus_make_features_even() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    let yaml = ABOVE.to_owned()
        + r#"
  shards: {op: shards}
  raw:    {op: mel, n_fft: 512, hop: 256, n_mels: 20}
  stats:  {op: statistics}
  bands:  {op: mel, from: shards, n_fft: 512, hop: 256, n_mels: 20}
  even:   {op: standardise, over: corpus, statistics: stats}
  pooled: {op: pool, statistics: [mean, std]}
"#;
    write(folder.path(), "p.yaml", &yaml);
    finished(etude(folder.path()).args(["run", "p.yaml"]));
    // All clips have as many frames: over all of them each band has mean 0 and deviation 1.
    let vectors = vectors_of(&rows(folder.path(), "p.yaml", "pooled", ".etude"));
    let clips = vectors.len() as f64;
    for band in 0..20 {
        let mean = vectors.iter().map(|vector| f64::from(vector[band])).sum::<f64>() / clips;
        let square =
            |vector: &Vec<f32>| f64::from(vector[band]).powi(2) + f64::from(vector[20 + band]).powi(2);
        let squares = vectors.iter().map(square).sum::<f64>() / clips;
        assert!(mean.abs() < 1e-4 && (squares - 1.0).abs() < 1e-3, "{band}: {mean} {squares}");
    }
}

#[test]
fn what_would_part_views_or_leave_a_mask_behind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let told = |below: &str| {
        let yaml = ABOVE.to_owned() + VIEWS + below + "  shards: {op: shards}\n";
        write(folder.path(), "p.yaml", &yaml);
        let output = etude(folder.path()).args(["check", "p.yaml"]).output().unwrap();
        assert!(!output.status.success(), "{below}");
        stderr(&output)
    };
    assert!(told("  more: {op: segment, seconds: 1}\n").contains("above `op: crop`"));
    assert!(told("  loud: {op: filter, rms_db: {min: -20}}\n").contains("above `op: crop`"));
    for below in ["resample, rate: 8000", "augment, chain: [{reverse: {}}]", "normalise, peak_db: -3"] {
        assert!(told(&format!("  x: {{op: {below}}}\n")).contains("above what masks them"));
    }
    // A column of a table is not to be taken for one of the shards' own.
    let yaml = r#"
stages:
  files:  {op: scan, path: music}
  tags:   {op: metadata}
  said:   {op: sql, from: tags, query: "SELECT item, 1 AS mask FROM tags"}
  audio:  {op: decode, channels: mono}
  clips:  {op: segment, seconds: 2}
  shards: {op: shards}
"#;
    std::fs::create_dir_all(folder.path().join("music")).unwrap();
    write_tone(&folder.path().join("music/a.wav"), 440.0, 3);
    write(folder.path(), "p.yaml", yaml);
    let output = etude(folder.path()).args(["check", "p.yaml"]).output().unwrap();
    assert!(stderr(&output).contains("column `mask`"), "{}", stderr(&output));
}
