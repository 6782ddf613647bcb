//! What bad input gets: file:line:column, the text marked, what was expected, the nearest name.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use common::{SHARDS, etude, stderr, stdout};

/// What a command says of a pipeline file. It ends with 1 and writes nothing.
fn refused(command: &str, yaml: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let output = etude(folder.path()).args([command, "p.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    assert!(!folder.path().join(".etude").exists(), "something was written");
    stderr(&output).replace(folder.path().to_str().unwrap(), "FOLDER")
}

/// Snapshots of all of them, and `run` says the same as `check`.
macro_rules! refused {
    ($($name:ident: $yaml:expr;)*) => {$(
        #[test]
        fn $name() {
            let yaml: String = $yaml.into();
            let said = refused("check", &yaml);
            assert_eq!(said, refused("run", &yaml));
            insta::assert_snapshot!(said);
        }
    )*};
}

fn shards(old: &str, new: &str) -> String {
    assert!(SHARDS.contains(old), "{old}");
    SHARDS.replace(old, new)
}

const TRAIN: &str = r#"
stages:
  files:  {op: scan, path: music}
  audio:  {op: decode, channels: mono}
  at16k:  {op: resample, rate: 16000}
  clips:  {op: segment, seconds: 10}
  shards: {op: shards}
  views:  {op: crop, seconds: 2.7, views: 2}
  model:
    op: train
    encoder: {cnn: {}}
    objective: {nt_xent: {temperature: 0.1}}
    epochs: 1
"#;

fn train(old: &str, new: &str) -> String {
    assert!(TRAIN.contains(old), "{old}");
    TRAIN.replace(old, new)
}

refused! {
    window_of_nothing: train("epochs: 1", "epochs: 1\n    window: 0");
    nothing_is_kept: shards("  shards: {op: shards}\n", "");
    too_many_values: train("{op: crop, seconds: 2.7, views: 2}", "{op: crop, seconds: 2.7, views: 2}\n  noisy: {op: augment, chain: [gain: {db: [1, 2, 3]}]}");
    clips_of_different_length: train("seconds: 10", "seconds: 10, tail: keep");
    no_stage_to_read: format!("{TRAIN}  v: {{op: embed, from: shards, model: model}}\n  nearest: {{op: retrieve, from: []}}\n");
    syntax: shards("{op: shards}", "{op: shards");
    empty_file: "";
    no_stages: "name: x\n";
    unknown_key: shards("vars:", "variables:");
    unknown_operator: shards("op: resample", "op: resmaple");
    operator_is_missing: shards("{op: shards}", "{codec: flac}");
    stage_is_no_mapping: shards("{op: shards}", "shards");
    stage_name: shards("  shards:", "  my shards:");
    unknown_parameter: shards("op: segment, seconds", "op: segment, secnds");
    parameter_is_missing: shards("op: resample, rate: \"${rate}\"", "op: resample");
    wrong_type: shards("rate: 16000", "rate: fast");
    wrong_type_list: shards("channels: mono", "channels: [mono]");
    wrong_choice: shards("channels: mono", "channels: stereo");
    fraction_for_an_integer: shards("rate: 16000", "rate: 16000.5");
    out_of_range: shards("rate: 16000", "rate: 10");
    negative: shards("seconds: 10", "seconds: -1");
    unknown_from: shards("{op: shards}", "{op: shards, from: clip}");
    from_is_a_list: shards("{op: shards}", "{op: shards, from: [clips, audio]}");
    cycle: shards("{op: decode, channels: mono}", "{op: decode, from: clips}");
    reads_itself: shards("{op: decode, channels: mono}", "{op: decode, from: audio}");
    duplicate_key: shards("{op: shards}", "{op: shards, codec: flac, codec: i16}");
    duplicate_stage: shards("  shards:", "  clips:");
    undefined_variable: shards("${music}", "${musik}");
    first_stage_reads_nothing: "stages:\n  audio: {op: decode}\n";
    source_with_input: shards("{op: scan,", "{op: scan, from: clips,");
    wrong_schema: shards("{op: segment, seconds: \"${seconds}\"}", "{op: segment, seconds: 1, from: files}");
    recordings_for_clips: shards("{op: shards}", "{op: shards, from: at16k}");
    glob: shards("path: \"${music}\"", "path: x, include: [\"a[\"]");
    tag: shards("{op: shards}", "!mine {op: shards}");
    two_documents: format!("{SHARDS}---\nstages: {{}}\n");
    several_at_once: shards("channels: mono", "channel: mono").replace("op: shards}", "op: shard}");
    nested_parameter: train("cnn: {}", "cnn: {mel: {n_ftt: 512}}");
    nested_range: train("temperature: 0.1", "temperature: 0");
    unknown_component: train("nt_xent", "nt_xnet");
    one_view: train(", views: 2", "");
    crop_longer_than_clips: train("seconds: 2.7", "seconds: 27");
    train_without_shards: train("  shards: {op: shards}\n", "");
    clips_shorter_than_a_frame: train("cnn: {}", "cnn: {mel: {n_fft: 65536}}");
    model_is_no_checkpoint: format!("{TRAIN}  vectors: {{op: embed, from: shards, model: clips}}\n");
    model_is_missing: format!("{TRAIN}  vectors: {{op: embed, from: shards}}\n");
    other_rate: format!("{TRAIN}  at8k: {{op: resample, from: shards, rate: 8000}}\n  v: {{op: embed, model: model}}\n");
    retrieve_from_clips: format!("{TRAIN}  nearest: {{op: retrieve, from: shards}}\n");
    augment_range: train("{op: crop, seconds: 2.7, views: 2}", "{op: crop, seconds: 2.7, views: 2}\n  noisy: {op: augment, chain: [gain: {}, noise: {snr_db: [40, 20]}]}");
}

/// What only a look at the folder tells is said by `run` and `plan`.
#[test]
fn folders() {
    let mut all = String::new();
    for path in ["nowhere", "empty", "p.yaml"] {
        let yaml = shards("music: ./music", &format!("music: ./{path}"));
        let said = refused("run", &yaml);
        assert_eq!(said, refused("plan", &yaml));
        all += &said;
    }
    insta::assert_snapshot!(all);
}

#[test]
fn command_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    let mut all = String::new();
    for arguments in [
        vec!["run", "nowhere.yaml"],
        vec!["run", "p.yaml", "--set", "rat=1"],
        vec!["run", "p.yaml", "--set", "rate"],
        vec!["run", "p.yaml", "--store", "ftp://bucket/x"],
        vec!["run", "p.yaml", "--store", "s3://"],
        vec!["run", "p.yaml", "--memory", "2 apples"],
        vec!["run", "p.yaml", "--max-rejects", "120%"],
        vec!["run", "p.yaml", "--threads", "0"],
    ] {
        let output = etude(folder.path()).args(&arguments).output().unwrap();
        assert!(!output.status.success());
        all += &format!("$ etude {}\n{}\n", arguments.join(" "), stderr(&output));
    }
    insta::assert_snapshot!(all);
}

/// Recordings that cannot be decoded: each is told with its class and place, and then their number.
#[test]
fn rejects() {
    let folder = tempfile::tempdir().unwrap();
    let music = folder.path().join("music");
    common::write_tone(&music.join("good.wav"), 440.0, 12);
    let good = std::fs::read(music.join("good.wav")).unwrap();
    std::fs::write(music.join("cut.wav"), &good[..good.len() / 2]).unwrap();
    std::fs::write(music.join("empty.flac"), "").unwrap();
    std::fs::write(music.join("text.mp3"), "no recording\n".repeat(100)).unwrap();
    let mut no_rate = good.clone();
    no_rate[24..28].fill(0);
    std::fs::write(music.join("no_rate.wav"), no_rate).unwrap();
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    let output = etude(folder.path()).args(["run", "p.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    let told: Vec<&str> =
        text.lines().filter(|line| line.contains(": rejected ") || line.starts_with("error")).collect();
    insta::assert_snapshot!(told.join("\n"));
}
