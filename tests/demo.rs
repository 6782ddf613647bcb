//! The main job, on the real recordings.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::path::Path;

use common::{digests, etude, events, finished, stdout};
use serde_json::Value;

fn demo(folder: &Path, settings: &[String]) -> std::process::Command {
    let mut command = etude(folder);
    command.arg("run").arg(format!("{}/pipelines/demo.yaml", env!("CARGO_MANIFEST_DIR")));
    for setting in settings {
        command.args(["--set", setting]);
    }
    command
}

fn share(rows: &Value, vectors: &str) -> f64 {
    let row = rows.as_array().unwrap().iter().find(|row| row["vectors"] == vectors).unwrap();
    row["same_recording"].as_f64().unwrap()
}

#[test]
fn trains_an_encoder_that_beats_itself_untrained() {
    let folder = tempfile::tempdir().unwrap();
    let music = format!("music={}", common::music().display());
    for seed in 1..=3 {
        let settings = [music.clone(), format!("seed={seed}")];
        let told = events(&mut demo(folder.path(), &settings), true);
        let result = told.iter().find(|event| event["event"] == "result").unwrap();
        let (trained, untrained) = (share(&result["rows"], "trained"), share(&result["rows"], "untrained"));
        let log_mel = share(&result["rows"], "log_mel");
        println!("seed {seed}: trained {trained:.3}, untrained {untrained:.3}, log-mel {log_mel:.3}");
        assert!(trained > untrained, "seed {seed}: trained {trained}, untrained {untrained}");
        let last = told.last().unwrap();
        assert_eq!(last["event"], "finished");
        assert_eq!(last["stages"]["files"]["items"], 16);
        // The shards know nothing of the seed.
        let expected = if seed == 1 { "computed" } else { "reused" };
        assert_eq!(last["stages"]["shards"]["status"], expected);
        assert_eq!(last["stages"]["model"]["status"], "computed");
        let again = finished(&mut demo(folder.path(), &settings));
        assert!(again.values().all(|stage| stage["status"] == "reused"), "{:?}", common::statuses(&again));
    }
}

/// A small training, quick enough to be done twice.
const SMALL: &str = r#"
vars: {epochs: 3}
seed: 7
stages:
  files:  {op: scan, path: music}
  audio:  {op: decode, channels: mono}
  at8k:   {op: resample, rate: 8000}
  clips:  {op: segment, seconds: 3}
  shards: {op: shards}
  views:  {op: crop, seconds: 1, views: 2}
  noisy:  {op: augment, chain: [{gain: {}}, {noise: {}}]}
  model:
    op: train
    encoder: {cnn: {mel: {n_fft: 256, hop: 128, n_mels: 32}, channels: [8, 16]}}
    projector: {hidden: 16, outputs: 8}
    objective: {nt_xent: {temperature: 0.1}}
    batch: 16
    epochs: "${epochs}"
  vectors: {op: embed, from: shards, model: model}
  nearest: {op: retrieve, exclude: 3}
"#;

#[test]
fn trains_to_the_same_weights_from_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    std::fs::write(folder.path().join("p.yaml"), SMALL).unwrap();
    let run = |store: &str, settings: &[&str]| {
        let mut command = etude(folder.path());
        command.args(["run", "p.yaml", "--store", store]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        finished(&mut command)
    };
    let stages = run("one", &[]);
    run("two", &[]);
    let (one, two) = (digests(&folder.path().join("one/data")), digests(&folder.path().join("two/data")));
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    assert!(one == two, "weights, metrics or vectors differ");

    // A stage below the shards tells what it did as well.
    let rows = stages["shards"]["rows"].as_u64().unwrap();
    let seen = rows / 16 * 16 * 3;
    assert_eq!(stages["views"]["rows"].as_u64().unwrap(), seen * 2);
    assert_eq!(stages["noisy"]["rows"].as_u64().unwrap(), seen * 2);
    assert_eq!(stages["vectors"]["rows"].as_u64().unwrap(), rows);

    let paths =
        stdout(&etude(folder.path()).args(["path", "p.yaml", "model", "--store", "one"]).output().unwrap());
    let names: Vec<&str> = paths.lines().map(|path| path.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["initial.safetensors", "metrics.parquet", "model.json", "model.safetensors"]);

    // How clips are spread over shards does not matter.
    let yaml = SMALL.replace("{op: shards}", "{op: shards, megabytes: 1}");
    std::fs::write(folder.path().join("p.yaml"), &yaml).unwrap();
    run("spread", &[]);
    let models = |store: &str| -> Vec<Vec<u8>> {
        let all = digests(&folder.path().join(store).join("data"));
        all.into_iter().filter(|(name, _)| name.ends_with(".safetensors")).map(|(_, bytes)| bytes).collect()
    };
    assert!(models("spread") == models("one"), "weights differ");
    std::fs::write(folder.path().join("p.yaml"), SMALL).unwrap();

    // A file of a checkpoint that is lost is made again.
    std::fs::remove_file(paths.lines().last().unwrap()).unwrap();
    assert_eq!(run("one", &[])["model"]["status"], "computed");
    assert!(digests(&folder.path().join("one/data")) == one);
    assert!(run("one", &[]).values().all(|stage| stage["status"] == "reused"));

    // A table of results names the stages as they are called now.
    std::fs::write(folder.path().join("p.yaml"), SMALL.replace("  vectors:", "  renamed:")).unwrap();
    let output = etude(folder.path()).args(["run", "p.yaml", "--store", "one"]).output().unwrap();
    assert!(stdout(&output).contains("renamed"), "{}", stdout(&output));
    std::fs::write(folder.path().join("p.yaml"), SMALL).unwrap();

    // Another number of epochs is another training, of the same shards.
    let longer = run("one", &["epochs=4"]);
    assert_eq!(
        (&longer["shards"]["status"], &longer["model"]["status"]),
        (&"reused".into(), &"computed".into())
    );
}
