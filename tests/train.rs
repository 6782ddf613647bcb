//! Training through the program, on real music.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::{etude, events, finished, stderr};
use serde_json::Value;

/// A pipeline whose training is what is put in; `above` stands between the shards and it.
fn pipeline(folder: &Path, above: &str, train: &str) {
    let yaml = format!(
        r#"
seed: 7
stages:
  files:  {{op: scan, path: music}}
  audio:  {{op: decode, channels: mono}}
  at8k:   {{op: resample, rate: 8000}}
  clips:  {{op: segment, seconds: 2}}
  shards: {{op: shards}}
{above}
  model:
    op: train
{train}
"#
    );
    std::fs::write(folder.join("p.yaml"), yaml).unwrap();
}

const VIEWS: &str =
    "  views: {op: crop, seconds: 1, views: 2}\n  noisy: {op: augment, chain: [{gain: {}}, {noise: {}}]}";
const ENCODER: &str = "    encoder: {cnn: {mel: {n_fft: 256, hop: 128, n_mels: 32}, channels: [8, 16]}}";

fn run(folder: &Path, store: &str) -> Command {
    let mut command = etude(folder);
    command.args(["run", "p.yaml", "--store", store]);
    command
}

/// The files of the checkpoint, by name.
fn checkpoint(folder: &Path, store: &str) -> Vec<(String, Vec<u8>)> {
    let output = etude(folder).args(["path", "p.yaml", "model", "--store", store]).output().unwrap();
    let paths = common::stdout(&output);
    let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    paths.lines().map(|path| (name(path), std::fs::read(folder.join(path)).unwrap())).collect()
}

fn messages(told: &[Value]) -> Vec<String> {
    let texts = told.iter().filter(|event| event["event"] == "message" && event["stage"] == "model");
    texts.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
}

/// The number of steps after which a run went on.
fn resumed(told: &[Value]) -> Option<u64> {
    let text = messages(told).into_iter().find(|text| text.starts_with("goes on after step "))?;
    text.split(' ').nth(4).unwrap().parse().ok()
}

/// The states that are kept, by the number of their steps.
fn states(folder: &Path, store: &str) -> Vec<String> {
    let folders = std::fs::read_dir(folder.join(store).join("resume")).into_iter().flatten().flatten();
    let names = folders.flat_map(|entry| std::fs::read_dir(entry.path()).into_iter().flatten().flatten());
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().unwrap();
    names.map(name).filter(|name| name.parse::<u64>().is_ok()).collect()
}

#[test]
fn killed_and_resumed_it_equals_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    // Something of everything that has a state: a teacher, running statistics, a running mean a clip, Adam, a plateau,
    // dropped patches and dropout, several batches a step.
    let train = "    encoder: {vit: {mel: {n_fft: 256, hop: 128, n_mels: 32}, patches: [[8, 8]], dim: 32, depth: 2, heads: 2, \
                 head_dim: 16, mlp: 64, drop: 0.5, dropout: 0.1}}
    projector: {hidden: 32, outputs: 16, norm: batch}
    objective: {sum: {of: [{byol: {}}, {sogclr: {}}, {dino: {}}, {clip: {weight: 0.1}}]}}
    optimizer: {adam_w: {learning_rate: 0.01}}
    schedule: {plateau: {factor: 0.5, patience: 0, threshold: 0.05}}
    batch_mix: {p: 0.5}
    mixup: {p: 0.5}
    clip_norm: 1.0
    accumulate: 2
    batch: 16
    epochs: 12
    save: 1";
    pipeline(folder.path(), VIEWS, train);
    let whole = finished(&mut run(folder.path(), "whole"));
    let expected = checkpoint(folder.path(), "whole");
    let names: Vec<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    let files =
        ["initial.safetensors", "metrics.parquet", "model.json", "model.safetensors", "teacher.safetensors"];
    assert_eq!(names, files);

    let mut random = 88_172_645_463_325_252u64;
    let (mut kills, mut last, mut kept) = (0, 0, Vec::new());
    while kills < 12 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let said = std::fs::File::create(folder.path().join("said")).unwrap();
        let mut child =
            run(folder.path(), "killed").arg("--json").stderr(Stdio::null()).stdout(said).spawn().unwrap();
        // At any moment after it has come further than the one before.
        while states(folder.path(), "killed") == kept && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(random % 700));
        kept = states(folder.path(), "killed");
        child.kill().unwrap();
        let said = std::fs::read_to_string(folder.path().join("said")).unwrap();
        let lines: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        last = resumed(&lines).unwrap_or(0).max(last);
        match std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()) {
            Some(9) => kills += 1,
            _ => break,
        }
    }
    let told = events(&mut run(folder.path(), "killed"), true);
    let at_last = resumed(&told);
    last = at_last.unwrap_or(0).max(last);
    println!("{kills} kills, went on after step {last}");
    assert!(last > 0, "the training was over before it was killed, or was never resumed");
    assert!(checkpoint(folder.path(), "killed") == expected, "the checkpoint is another one");
    // What the data path did is counted once, whatever was done twice.
    let stages = told.last().unwrap()["stages"].as_object().unwrap();
    if at_last.is_some() {
        assert_eq!(stages["noisy"]["rows"], whole["noisy"]["rows"]);
    }
    let left = std::fs::read_dir(folder.path().join("killed/resume")).unwrap().count();
    assert_eq!(left, 0, "the state is still there");
}

#[test]
fn interrupted_it_keeps_its_last_step() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    let train = format!(
        "{ENCODER}\n    objective: {{nt_xent: {{}}}}\n    batch: 16\n    epochs: 60\n    save: 86400"
    );
    pipeline(folder.path(), VIEWS, &train);
    finished(&mut run(folder.path(), "whole"));
    let expected = checkpoint(folder.path(), "whole");
    let mut child = run(folder.path(), "stopped")
        .arg("--json")
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut told = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let begun = told.by_ref().any(|event| {
        event["stage"] == "model" && event["text"].as_str().is_some_and(|text| text.starts_with("epoch 2 of"))
    });
    assert!(begun);
    common::interrupt(&child);
    told.for_each(drop);
    assert!(!child.wait().unwrap().success());
    assert_eq!(states(folder.path(), "stopped").len(), 1);
    let told = events(&mut run(folder.path(), "stopped"), true);
    let went_on = resumed(&told);
    assert!(went_on.is_some_and(|step| step > 0), "{went_on:?}");
    assert!(checkpoint(folder.path(), "stopped") == expected, "the checkpoint is another one");
}

fn fails(folder: &Path) -> (Output, String) {
    let output = run(folder, "failed").output().unwrap();
    assert!(!output.status.success());
    let text = stderr(&output);
    (output, text)
}

#[test]
fn what_does_not_fit_is_told_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    let one_view = "  views: {op: crop, seconds: 1}";
    let short = "  views: {op: crop, seconds: 0.01, views: 2}";
    let with = |more: &str| format!("{ENCODER}\n    epochs: 1\n{more}");
    let wav2vec2 = "    encoder: {wav2vec2: {dim: 32, depth: 1, heads: 2, mlp: 64, channels: [16, 16], kernels: [10, 4], \
                    strides: [5, 4], positions: 8, position_groups: 2}}\n    epochs: 1\n    objective: {info_nce: {}}";
    let cases: &[(&str, String, &[&str])] = &[
        (one_view, with("    objective: {nt_xent: {}}"), &["views", "2 views", "not 1", "op: crop"]),
        (VIEWS, with("    objective: {info_nce: {}}"), &["encoder.cnn", "wav2vec2", "info_nce"]),
        (VIEWS, wav2vec2.into(), &["one view", "not 2"]),
        (short, with("    objective: {nt_xent: {}}"), &["n_fft", "256"]),
        (VIEWS, with("    objective: {nt_xent: {}}\n    batch: 5000"), &["model", "5000", "clips"]),
        (
            VIEWS,
            with("    objective: {nt_xent: {}}\n    predictor: {}"),
            &["predictor", "nt_xent needs none"],
        ),
        (VIEWS, with("    objective: {nt_xent: {}}\n    mask: {}"), &["mask", "nt_xent needs none"]),
        (VIEWS, with("    objective: {nt_xent: {}}\n    steps: 5"), &["epochs", "steps"]),
        (VIEWS, with("    objective: {sum: {of: [{sum: {of: []}}]}}"), &["objective.sum.of.0.sum"]),
        (VIEWS, with("    objective: {nt_xent: {}}\n    device: tpu"), &["tpu", "cuda:N"]),
        (
            VIEWS,
            "    encoder: {vit: {dim: 8192, depth: 64, heads: 64, head_dim: 128, mlp: 65536, mel: {n_fft: 256, hop: 128}}}\n    \
             objective: {nt_xent: {}}\n    epochs: 1\n    batch: 16"
                .into(),
            &["model", "MB", "smaller encoder"],
        ),
        (VIEWS, with("    objective: {nt_xent: {}}\n    device: cuda:99"), &["model", "cuda:99", "GPUs"]),
        (
            VIEWS,
            with("    objective: {nt_xent: {temperature: 0}}"),
            &["objective.nt_xent.temperature", "above 0"],
        ),
    ];
    for (above, train, words) in cases {
        pipeline(folder.path(), above, train);
        let (_, text) = fails(folder.path());
        for word in *words {
            assert!(text.contains(word), "{word:?} is not in:\n{text}\nof:\n{train}");
        }
    }
}

#[test]
fn a_number_that_is_not_finite_ends_it_with_what_to_look_at() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    let train = format!(
        "{ENCODER}\n    objective: {{vicreg: {{}}}}\n    optimizer: {{sgd: {{learning_rate: 100}}}}\n    schedule: \
         {{constant: {{}}}}\n    batch: 16\n    epochs: 50"
    );
    pipeline(folder.path(), VIEWS, &train);
    let (_, text) = fails(folder.path());
    for word in ["model", "at step", "its clips: ", "asterisk", "the last good state"] {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

#[test]
fn begins_with_other_weights_where_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    let train = |more: &str| {
        format!("{ENCODER}\n    objective: {{nt_xent: {{}}}}\n    batch: 16\n    epochs: 2\n{more}")
    };
    pipeline(folder.path(), VIEWS, &train(""));
    finished(&mut run(folder.path(), "one"));
    let file = |name: &str| {
        let all = checkpoint(folder.path(), "one");
        all.into_iter().find(|(known, _)| known == name).unwrap().1
    };
    let trained = file("model.safetensors");
    std::fs::write(folder.path().join("start.safetensors"), &trained).unwrap();
    pipeline(folder.path(), VIEWS, &train("    init_file: start.safetensors"));
    let told = events(&mut run(folder.path(), "one"), true);
    assert!(messages(&told).iter().any(|text| text.contains("start.safetensors")), "{:?}", messages(&told));
    assert!(file("initial.safetensors") == trained);
    // It is an input: another content is another training, another name of the same content is not.
    std::fs::rename(folder.path().join("start.safetensors"), folder.path().join("same.safetensors")).unwrap();
    pipeline(folder.path(), VIEWS, &train("    init_file: same.safetensors"));
    assert_eq!(finished(&mut run(folder.path(), "one"))["model"]["status"], "reused");
    // Another stage, whose checkpoint it goes on from: a corpus that grows is trained on further.
    let stages = format!(
        "{}\n  grown:\n    op: train\n    from: noisy\n    init_from: model\n{}",
        train(""),
        train("").trim_end()
    );
    pipeline(folder.path(), VIEWS, &stages);
    let told = events(&mut run(folder.path(), "one"), true);
    let of = |stage: &str| {
        told.iter()
            .filter(|event| event["stage"] == stage)
            .any(|event| event["text"].to_string().contains("model.safetensors"))
    };
    assert!(of("grown") && !of("model"));
    // A checkpoint of another architecture.
    let other = train("    init_file: same.safetensors").replace("channels: [8, 16]", "channels: [8, 24]");
    pipeline(folder.path(), VIEWS, &other);
    let output = run(folder.path(), "one").output().unwrap();
    let text = stderr(&output);
    assert!(text.contains("encoder.blocks.1.conv.weight is [16, 8, 3, 3]"), "{text}");
}

#[test]
fn where_it_is_trained_and_watched_is_no_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    let train = |more: &str| {
        format!("{ENCODER}\n    objective: {{nt_xent: {{}}}}\n    batch: 16\n    epochs: 2\n{more}")
    };
    pipeline(folder.path(), VIEWS, &train("    device: cpu\n    tensorboard: board\n    save: 5"));
    finished(&mut run(folder.path(), "one"));
    assert_eq!(std::fs::read_dir(folder.path().join("board")).unwrap().count(), 1);
    pipeline(folder.path(), VIEWS, &train(""));
    assert_eq!(finished(&mut run(folder.path(), "one"))["model"]["status"], "reused");
    finished(&mut run(folder.path(), "two"));
    assert!(checkpoint(folder.path(), "one") == checkpoint(folder.path(), "two"));
}

#[test]
fn a_collapse_is_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    // Nothing but that two views be alike: one vector for all does it.
    let train = |weights: &str| {
        format!(
            "{ENCODER}\n    objective: {{vicreg: {{{weights}}}}}\n    optimizer: {{adam_w: {{learning_rate: 0.02}}}}\n    \
             schedule: {{constant: {{}}}}\n    batch: 16\n    epochs: 40"
        )
    };
    pipeline(folder.path(), VIEWS, &train("variance: 0, covariance: 0"));
    let told = messages(&events(&mut run(folder.path(), "one"), true));
    assert!(told.iter().any(|text| text.contains("collapses")), "{told:?}");
    pipeline(folder.path(), VIEWS, &train(""));
    let told = messages(&events(&mut run(folder.path(), "one"), true));
    assert!(!told.iter().any(|text| text.contains("collapses")), "{told:?}");
}

/// The values of a column of the checkpoint's metrics.
fn metric(folder: &Path, store: &str, name: &str) -> Vec<f64> {
    use arrow::array::AsArray;
    let (_, bytes) =
        checkpoint(folder, store).into_iter().find(|(file, _)| file == "metrics.parquet").unwrap();
    let path = folder.join("metrics");
    std::fs::write(&path, bytes).unwrap();
    let file = std::fs::File::open(path).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches = reader.build().unwrap().map(Result::unwrap);
    let column = |batch: arrow::record_batch::RecordBatch| {
        let column = batch.column_by_name(name).unwrap().clone();
        column.as_primitive::<arrow::datatypes::Float64Type>().iter().flatten().collect::<Vec<f64>>()
    };
    batches.flat_map(column).collect()
}

#[test]
fn clips_of_a_recording_stay_together_where_they_are_to() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    let train = |unit: &str| {
        format!(
            "{ENCODER}\n    objective: {{multi_positive: {{}}}}\n    batch: 16\n    epochs: 4\n    unit: {unit}"
        )
    };
    pipeline(folder.path(), "  views: {op: crop, seconds: 1, views: 1}", &train("item"));
    finished(&mut run(folder.path(), "one"));
    let loss = metric(folder.path(), "one", "loss");
    assert!(loss[loss.len() - 4..].iter().sum::<f64>() < loss[..4].iter().sum::<f64>(), "{loss:?}");
    let positives = metric(folder.path(), "one", "with_positives");
    assert!(positives.iter().sum::<f64>() / positives.len() as f64 > 0.9, "{positives:?}");
    pipeline(folder.path(), "  views: {op: crop, seconds: 1, views: 1}", &train("clip"));
    let (_, text) = fails(folder.path());
    assert!(text.contains("unit: item"), "{text}");
}

#[test]
fn masked_frames_are_learnt() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    let with = |objective: &str| {
        format!(
            "    encoder: {{wav2vec2: {{dim: 32, depth: 1, heads: 2, mlp: 64, channels: [16, 16], kernels: [40, 8], strides: \
             [20, 8], positions: 8, position_groups: 2, dropout: 0, feature_gradient: 1}}}}\n    objective: {objective}\n    \
             mask: {{length: 4}}\n    optimizer: {{adam_w: {{learning_rate: 0.003}}}}\n    clip_norm: 5\n    precision: bf16\n    \
             batch: 16\n    epochs: 6"
        )
    };
    for objective in [
        "{sum: {of: [{info_nce: {negatives: 10}}, {diversity: {weight: 0.1}}]}}\n    quantizer: {entries: 16, dim: 16, projection: 16}",
        "{masked_cross_entropy: {size: 32, n_mels: 20}}",
        "{masked_mse: {n_mels: 20}}",
    ] {
        pipeline(folder.path(), "", &with(objective));
        finished(&mut run(folder.path(), "one"));
        let loss = metric(folder.path(), "one", "loss");
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&loss[..8]), mean(&loss[loss.len() - 8..]));
        assert!(last < first, "{objective}: {first} {last}");
    }
}

#[test]
fn views_that_shards_keep_train_as_those_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    let train =
        format!("{ENCODER}\n    objective: {{nt_xent: {{temperature: 0.1}}}}\n    batch: 16\n    epochs: 1");
    let kept = |name: &str| {
        let files = checkpoint(folder.path(), name);
        files.into_iter().find(|(file, _)| file == "model.safetensors").unwrap().1
    };
    let yaml = |folder: &Path| std::fs::read_to_string(folder.join("p.yaml")).unwrap();
    pipeline(folder.path(), VIEWS, &train);
    let online = yaml(folder.path()).replace("{op: shards}", "{op: shards, codec: f32}");
    std::fs::write(folder.path().join("p.yaml"), &online).unwrap();
    finished(&mut run(folder.path(), "online"));
    let made_anew = kept("online");
    let shards = "  shards: {op: shards, codec: f32}\n";
    let offline = online.replace(shards, "").replace("  model:", &format!("{shards}  model:"));
    assert_ne!(offline, online);
    std::fs::write(folder.path().join("p.yaml"), offline).unwrap();
    finished(&mut run(folder.path(), "offline"));
    assert!(made_anew == kept("offline"));
}

#[test]
fn masks_come_with_the_clips_where_they_are_made_there() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    let train = "    encoder: {wav2vec2: {dim: 32, depth: 1, heads: 2, mlp: 64, channels: [16, 16], kernels: [40, 8], strides: \
                 [20, 8], positions: 8, position_groups: 2, dropout: 0, feature_gradient: 1}}\n    objective: \
                 {masked_cross_entropy: {size: 32, n_mels: 20}}\n    optimizer: {adam_w: {learning_rate: 0.003}}\n    \
                 clip_norm: 5\n    batch: 16\n    epochs: 6";
    let blocks = "pattern: {blocks: {p: 0.5, seconds: 0.2}}";
    for views in [
        format!("  masked: {{op: mask, {blocks}, fill: learned}}"),
        format!(
            "  both: {{op: crop, views: 2}}\n  masked: {{op: mask, {blocks}, fill: {{noise: {{}}}}, views: [1]}}"
        ),
    ] {
        pipeline(folder.path(), &views, train);
        finished(&mut run(folder.path(), "one"));
        let loss = metric(folder.path(), "one", "loss");
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&loss[..8]), mean(&loss[loss.len() - 8..]));
        assert!(last < first, "{views}: {first} {last}");
    }
    let wrong = |views: &str, more: &str| {
        pipeline(folder.path(), views, &format!("{train}{more}"));
        fails(folder.path()).1
    };
    let filled = format!("  masked: {{op: mask, {blocks}}}");
    assert!(wrong(&filled, "").contains("fill: learned"));
    let apart =
        format!("  both: {{op: crop, seconds: 1, views: 2}}\n  masked: {{op: mask, {blocks}, views: [1]}}");
    assert!(wrong(&apart, "").contains("have to be of one place"));
    let learned = format!("  masked: {{op: mask, {blocks}, fill: learned}}");
    assert!(wrong(&learned, "\n    mask: {}").contains("`mask` is not used"));
}

#[test]
fn clips_of_a_batch_are_mixed() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    let loss = |more: &str, store: &str| {
        let train = format!(
            "{ENCODER}\n    objective: {{nt_xent: {{temperature: 0.1}}}}\n    batch: 16\n    epochs: 2{more}"
        );
        pipeline(folder.path(), VIEWS, &train);
        finished(&mut run(folder.path(), store));
        metric(folder.path(), store, "loss")
    };
    let plain = loss("", "one");
    let mixed = loss("\n    mixup: {}\n    batch_mix: {p: 1, seconds: [0.2, 0.5]}", "one");
    assert!(mixed.iter().all(|loss| loss.is_finite()) && mixed != plain);
    // What is drawn depends on seed, stage and step: the same again, in a store that has nothing of it.
    assert_eq!(mixed, loss("\n    mixup: {}\n    batch_mix: {p: 1, seconds: [0.2, 0.5]}", "two"));
}
