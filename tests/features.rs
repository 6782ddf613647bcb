//! Features and tokens as what encoders are trained on, through the program, on real music.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Float64Type;
use common::{etude, finished, some_music, stderr, stdout};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const ABOVE: &str = r#"
seed: 7
stages:
  files:  {op: scan, path: music}
  audio:  {op: decode, channels: mono}
  at8k:   {op: resample, rate: 8000}
  clips:  {op: segment, seconds: 2}
"#;
const SHARDS: &str = "  kept: {op: shards, codec: f32}\n";
const MEL: &str = "  bands: {op: mel, n_fft: 256, hop: 128, n_mels: 32, standardise: clip}\n";

fn run(folder: &Path, parts: &[&str]) {
    std::fs::write(folder.join("p.yaml"), ABOVE.to_owned() + &parts.concat()).unwrap();
    finished(etude(folder).args(["run", "p.yaml"]));
}

fn refused(folder: &Path, parts: &[&str]) -> String {
    std::fs::write(folder.join("p.yaml"), ABOVE.to_owned() + &parts.concat()).unwrap();
    let output = etude(folder).args(["check", "p.yaml"]).output().unwrap();
    assert!(!output.status.success(), "{parts:?}");
    stderr(&output)
}

/// A file that a stage has left.
fn file(folder: &Path, stage: &str, name: &str) -> PathBuf {
    let paths = stdout(&etude(folder).args(["path", "p.yaml", stage]).output().unwrap());
    folder.join(paths.lines().find(|path| path.ends_with(name)).unwrap())
}

fn column(path: &Path, name: &str) -> Vec<ArrayRef> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(|batch| batch.unwrap().column_by_name(name).unwrap().clone()).collect()
}

/// The loss of each step.
fn losses(folder: &Path) -> Vec<f64> {
    let parts = column(&file(folder, "model", "metrics.parquet"), "loss");
    parts.iter().flat_map(|part| part.as_primitive::<Float64Type>().values().to_vec()).collect()
}

fn falls(folder: &Path) {
    let loss = losses(folder);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (first, last) = (mean(&loss[..8]), mean(&loss[loss.len() - 8..]));
    assert!(last < 0.9 * first, "{first} {last}");
}

#[test]
fn kept_or_made_anew_the_weights_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    let views = "  crops: {op: crop, seconds: 1, views: 2}\n";
    let hidden = "  hidden: {op: spec_augment, time_width: [0, 8], frequency_width: [0, 6], views: [1]}\n";
    let train = "  model: {op: train, encoder: {cnn: {channels: [8, 16]}}, objective: {nt_xent: {}}, mixup: {}, batch: 16, \
                 epochs: 1}\n";
    let weights = |parts: &[&str]| {
        run(folder.path(), parts);
        std::fs::read(file(folder.path(), "model", "model.safetensors")).unwrap()
    };
    let online = weights(&[SHARDS, views, MEL, hidden, train]);
    assert!(weights(&[views, MEL, hidden, SHARDS, train]) == online);
    assert!(weights(&[views, MEL, SHARDS, hidden, train]) == online);
    // The bands count: without the masks over them they are others.
    assert!(weights(&[SHARDS, views, MEL, train]) != online);
    // Masks and what is not to be seen are kept with the clips.
    let tokens = "  tokens: {op: patchify, bins: 8, frames: 8}\n";
    let masked =
        "  both: {op: crop, views: 2}\n  masked: {op: bert_mask, p: 0.3, fill: learned, views: [1]}\n";
    let bert = "  model: {op: train, encoder: {transformer: {dim: 32, depth: 1, heads: 2, head_dim: 16, mlp: 64}}, objective: \
                {masked_mse: {}}, batch: 16, epochs: 1}\n";
    let online = weights(&[SHARDS, MEL, tokens, masked, bert]);
    assert!(weights(&[MEL, tokens, masked, SHARDS, bert]) == online);
    let filled = masked.replace("learned", "zero");
    assert!(weights(&[SHARDS, MEL, tokens, &filled, bert]) != online);
    // Planes are the channels of the image: real and imaginary parts.
    let stft = "  bands: {op: stft, n_fft: 256, hop: 128, values: complex}\n";
    run(folder.path(), &[SHARDS, views, stft, train, "  vectors: {op: embed, from: bands, model: model}\n"]);
    assert!(losses(folder.path()).iter().all(|loss| loss.is_finite()));
}

#[test]
fn masked_tokens_are_predicted() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    let transformer = "encoder: {transformer: {dim: 32, depth: 1, heads: 2, head_dim: 16, mlp: 64}}";
    let rest = "optimizer: {adam_w: {learning_rate: 0.003}}, clip_norm: 5, batch: 16, epochs: 8";
    let tokens = "  tokens: {op: patchify, bins: 8, frames: 8}\n";
    let embed = "  vectors: {op: embed, from: tokens, model: model}\n";
    // BERT's masks, of which the first view tells what was there.
    let masked = "  both: {op: crop, views: 2}\n  masked: {op: bert_mask, p: 0.3, views: [1]}\n";
    let train = format!("  model: {{op: train, {transformer}, objective: {{masked_mse: {{}}}}, {rest}}}\n");
    run(folder.path(), &[SHARDS, MEL, tokens, masked, &train, embed]);
    falls(folder.path());
    let learned = masked.replace("p: 0.3", "p: 0.3, fill: learned");
    run(folder.path(), &[SHARDS, MEL, tokens, &learned, &train, embed]);
    falls(folder.path());
    // The transformer's own vector for what it does not see; codes of the tokens are predicted.
    let marked = "  masked: {op: mask, pattern: {spans: {p: 0.1, length: 3}}, fill: learned}\n";
    let train = format!(
        "  model: {{op: train, {transformer}, objective: {{masked_cross_entropy: {{size: 32}}}}, {rest}}}\n"
    );
    run(folder.path(), &[SHARDS, MEL, tokens, marked, &train, embed]);
    falls(folder.path());
    // Frames of features are tokens too, and masks can be drawn by the training.
    let train = format!(
        "  model: {{op: train, {transformer}, objective: {{masked_mse: {{}}}}, mask: {{length: 4}}, {rest}}}\n"
    );
    run(folder.path(), &[SHARDS, MEL, &train]);
    falls(folder.path());
}

#[test]
fn some_tokens_are_enough() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    // Myna's: two views of one clip, of each of which most tokens are left out; vectors of the whole.
    let above = "  both: {op: crop, views: 2}\n  tokens: {op: patchify, bins: 8, frames: 8}\n";
    let drop = "  some: {op: drop_tokens, ratio: 0.75}\n";
    let train = "  model: {op: train, encoder: {transformer: {dim: 32, depth: 1, heads: 2, head_dim: 16, mlp: 64}}, objective: \
                 {nt_xent: {temperature: 0.1}}, optimizer: {adam_w: {learning_rate: 0.003}}, batch: 16, epochs: 8}\n";
    let whole =
        "  all: {op: patchify, from: bands, bins: 8, frames: 8}\n  vectors: {op: embed, model: model}\n";
    let some = "  fewer: {op: embed, from: some, model: model}\n";
    run(folder.path(), &[SHARDS, MEL, above, drop, train, whole, some]);
    falls(folder.path());
    let count = |stage: &str| {
        let parts = column(&file(folder.path(), stage, ".parquet"), "view");
        parts.iter().map(|part| part.len()).sum::<usize>()
    };
    assert_eq!(count("fewer"), 2 * count("vectors"));
}

/// Clusters of cepstra, and the code that each frame has of them.
const CODES: &str = "  cepstra: {op: mfcc, from: kept, mel: {n_fft: 256, hop: 80, n_mels: 24}, n_mfcc: 13}
  clusters: {op: k_means, clusters: 8, steps: 30, batch_size: 256}
  units: {op: assign, from: cepstra, centroids: clusters}
";
const HUBERT: &str = "encoder: {wav2vec2: {dim: 32, depth: 1, heads: 2, mlp: 64, channels: [16, 16], kernels: [40, 8], strides: [20, 4], \
                      positions: 16, position_groups: 2}}, mask: {p: 0.08, length: 8}, batch: 16, \
                      optimizer: {adam_w: {learning_rate: 0.003}}";

#[test]
fn codes_of_another_stage_are_predicted() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    let share = |folder: &Path| {
        let parts = column(&file(folder, "model", "metrics.parquet"), "accuracy");
        let all: Vec<f64> =
            parts.iter().flat_map(|part| part.as_primitive::<Float64Type>().values().to_vec()).collect();
        all[all.len() - 8..].iter().sum::<f64>() / 8.0
    };
    let train = |objective: &str, more: &str| {
        format!(
            "  model: {{op: train, from: kept, targets: units, objective: {objective}, {HUBERT}, {more}}}\n"
        )
    };
    run(folder.path(), &[SHARDS, CODES, &train("{masked_codes: {codes: 8}}", "epochs: 8")]);
    falls(folder.path());
    assert!(share(folder.path()) > 0.4, "{}", share(folder.path()));
    let weights = || std::fs::read(file(folder.path(), "model", "model.safetensors")).unwrap();
    // A view of a part of the clip has the codes of that part; other codes give other weights.
    let part = "  parts: {op: crop, from: kept, seconds: 1}\n";
    let of_parts = train("{masked_codes: {codes: 8}}", "epochs: 2").replace("from: kept", "from: parts");
    run(folder.path(), &[SHARDS, CODES, part, &of_parts]);
    let once = weights();
    // Kept or made anew they are the same.
    let kept = "  kept_units: {op: shards, from: units}\n";
    let of_kept = of_parts.replace("targets: units", "targets: kept_units");
    run(folder.path(), &[SHARDS, CODES, kept, part, &of_kept]);
    assert!(weights() == once);
    // One view is enough where a mask is filled, also beside a penalty that predicts nothing.
    let masked = "  masked: {op: mask, from: parts, pattern: {spans: {p: 0.0005, length: 500}}}\n";
    let of_masked =
        of_parts.replace("from: parts", "from: masked").replace("mask: {p: 0.08, length: 8}, ", "");
    run(folder.path(), &[SHARDS, CODES, part, masked, &of_masked]);
    assert!(weights() != once);
    let others = CODES.replace("clusters: 8", "clusters: 7");
    run(folder.path(), &[SHARDS, &others, part, &of_parts]);
    assert!(weights() != once);
    // Codes of several quantisers, of features that the encoder sees as well; summed with another objective.
    let random = "  units: {op: random_projection, from: bands, codebooks: 2, entries: 16, stack: 2}\n";
    let sum = "{sum: {of: [{masked_codes: {codes: 16}}, {masked_mse: {}}]}}";
    let transformer = "  model: {op: train, from: bands, targets: units, encoder: {transformer: {dim: 32, depth: 1, heads: 2, \
                       head_dim: 16, mlp: 64}}, mask: {length: 4}, batch: 16, epochs: 8, optimizer: {adam_w: {learning_rate: \
                       0.003}}, objective: ";
    run(folder.path(), &[SHARDS, MEL, random, transformer, sum, "}\n"]);
    falls(folder.path());
    // Features are predicted as they are, beside codes or alone: MERT's constant-Q transform.
    let cqt = "  tones: {op: cqt, from: kept, hop: 160, f_min: 110, n_bins: 48}\n  pitch: {op: standardise, over: clip}\n";
    let both = "{sum: {of: [{masked_codes: {codes: 8}}, {masked_features: {}}]}}";
    let alone = train("{masked_features: {}}", "epochs: 8").replace("targets: units", "features: pitch");
    run(folder.path(), &[SHARDS, cqt, &alone]);
    falls(folder.path());
    let both = train(both, "epochs: 8").replace("targets: units", "targets: units, features: pitch");
    run(folder.path(), &[SHARDS, CODES, cqt, &both]);
    falls(folder.path());
    // What is found out at the run.
    let fails = |parts: &[&str], words: &str| {
        std::fs::write(folder.path().join("p.yaml"), ABOVE.to_owned() + &parts.concat()).unwrap();
        let output = etude(folder.path()).args(["run", "p.yaml"]).output().unwrap();
        assert!(!output.status.success() && stderr(&output).contains(words), "{}", stderr(&output));
    };
    fails(
        &[SHARDS, CODES, &train("{masked_codes: {codes: 3}}", "epochs: 1")],
        "and `codes` of the objective says that there are 3, from 0 on",
    );
    // Codes that were kept of clips that are turned round anew, and those of another stage that turns them.
    let turned = |name: &str| format!("  {name}: {{op: augment, from: kept, chain: [{{reverse: {{}}}}]}}\n");
    let codes_of = |stage: &str| CODES.replace("from: kept", &format!("from: {stage}"));
    let of_turned = |targets: &str| {
        let train = train("{masked_codes: {codes: 8}}", "epochs: 1").replace("from: kept", "from: moved");
        train.replace("targets: units", &format!("targets: {targets}"))
    };
    fails(
        &[SHARDS, &turned("moved"), &codes_of("moved"), kept, &of_turned("kept_units")],
        "so that they part",
    );
    fails(
        &[SHARDS, &turned("moved"), &turned("other"), &codes_of("other"), &of_turned("units")],
        "so that they part",
    );
    let elsewhere = "  longer: {op: segment, from: at8k, seconds: 3}\n  others: {op: shards, from: longer}\n";
    let apart = train("{masked_codes: {codes: 8}}", "epochs: 1").replace("from: kept", "from: others");
    fails(&[SHARDS, CODES, elsewhere, &apart], "have to be of the same clips");
}

#[test]
fn codes_that_are_no_targets_are_told() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    let told = |parts: &[&str], words: &str| {
        let text = refused(folder.path(), parts);
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    };
    let train = |targets: &str, objective: &str| {
        format!("  model: {{op: train, from: kept, {targets} objective: {objective}, {HUBERT}, epochs: 1}}\n")
    };
    let codes = "{masked_codes: {codes: 8}}";
    told(
        &[SHARDS, CODES, &train("", codes)],
        "masked_codes predicts `targets` of another stage: name it, `targets: STAGE`",
    );
    told(&[SHARDS, CODES, &train("targets: units,", "{masked_mse: {}}")], "`targets` is not used");
    told(&[SHARDS, CODES, &train("targets: clusters,", codes)], "`targets` expects what frames have, not a");
    told(&[SHARDS, CODES, &train("targets: kept,", codes)], "`targets` expects features");
    let moved = "  moved: {op: augment, from: kept, chain: [{reverse: {}}]}\n";
    let of_moved = train("targets: units,", codes).replace("from: kept", "from: moved");
    told(&[SHARDS, CODES, moved, &of_moved], "`reverse_applied` moves sound within one of them");
    let units = CODES.replace("from: cepstra", "from: others").replace("  units:", &format!("{moved}  others: {{op: mfcc, from: moved, mel: {{n_fft: 256, hop: 80, n_mels: 24}}, n_mfcc: 13}}\n  units:"));
    told(
        &[SHARDS, &units, &train("targets: units,", codes)],
        "`reverse_applied` moves sound within one of them",
    );
    let several = "{sum: {of: [{masked_codes: {codes: 8}}, {masked_codes: {codes: 9}}]}}";
    told(&[SHARDS, CODES, &train("targets: units,", several)], "several numbers of `codes`");
    told(&[SHARDS, CODES, &train("targets: units, mixup: {},", codes)], "`mixup` would mix clips");
    let patches = "  tokens: {op: patchify, from: bands, bins: 8, frames: 8}\n  model: {op: train, from: tokens, targets: units, \
                   encoder: transformer, objective: {masked_codes: {codes: 8}}, batch: 16, epochs: 1}\n";
    told(
        &[SHARDS, CODES, MEL.replace("{op: mel,", "{op: mel, from: kept,").as_str(), patches],
        "follows the time, and the clips are tokens",
    );
    told(
        &[SHARDS, CODES, &train("targets: units,", "{masked_codes: {codes: 1}}")],
        "must be from 2 to 65536",
    );
}

#[test]
fn every_epoch_draws_anew() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    run(folder.path(), &[SHARDS]);
    let paths = stdout(&etude(folder.path()).args(["path", "p.yaml", "kept"]).output().unwrap());
    let rows =
        |path: &str| column(&folder.path().join(path), "start").iter().map(|part| part.len()).sum::<usize>();
    let clips: usize = paths.lines().filter(|path| path.ends_with(".parquet")).map(rows).sum();
    // All clips in one batch, and steps of nothing: the loss of an epoch tells its views alone.
    let train = format!(
        "  model: {{op: train, encoder: {{cnn: {{channels: [8, 16]}}}}, objective: {{nt_xent: {{}}}}, batch: {clips}, epochs: 3, \
         optimizer: {{adam_w: {{learning_rate: 1e-12}}}}, schedule: {{constant: {{}}}}}}\n"
    );
    let between = |views: &str| {
        run(folder.path(), &[SHARDS, views, MEL, &train]);
        let losses = losses(folder.path());
        assert_eq!(losses.len(), 3);
        [(losses[0] - losses[1]).abs(), (losses[1] - losses[2]).abs()]
    };
    let same = between("  both: {op: crop, views: 2}\n");
    assert!(same.iter().all(|difference| *difference < 1e-4), "{same:?}");
    for views in [
        "  both: {op: crop, seconds: 1, views: 2}\n",
        "  copies: {op: crop, views: 2}\n  both: {op: augment, chain: [{noise: {p: 1, snr_db: [0, 10]}}]}\n",
    ] {
        let drawn = between(views);
        // By chance two epochs may come to nearly the same.
        assert!(drawn.iter().any(|difference| *difference > 1e-3), "{drawn:?}");
    }
}

#[test]
fn what_does_not_go_together_is_told() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    let train = |encoder: &str, more: &str| {
        format!("  model: {{op: train, encoder: {encoder}, batch: 16, epochs: 1, {more}}}\n")
    };
    let views = "  crops: {op: crop, seconds: 1, views: 2}\n";
    let nt_xent = "objective: {nt_xent: {}}";
    let told = |parts: &[&str], words: &str| {
        let text = refused(folder.path(), parts);
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    };
    let features = "features of 32 values every 128 samples of 8000 Hz";
    told(
        &[SHARDS, views, MEL, &train("{cnn: {mel: {}}}", nt_xent)],
        &format!("`mel` is not used: the clips are {features} already"),
    );
    for encoder in ["sample_cnn", "wav2vec2"] {
        told(&[SHARDS, views, MEL, &train(encoder, nt_xent)], &format!("expects audio, not {features}"));
    }
    told(&[SHARDS, views, &train("transformer", nt_xent)], "expects features or tokens");
    let tokens = "  tokens: {op: patchify, bins: 8, frames: 8}\n";
    told(
        &[SHARDS, views, MEL, tokens, &train("cnn", nt_xent)],
        "the encoder `transformer` takes what `op: patchify` gives",
    );
    let drop = "  some: {op: drop_tokens, ratio: 0.5}\n";
    told(
        &[SHARDS, views, MEL, drop, &train("resnet18", nt_xent)],
        "the encoder `transformer` takes what `op: drop_tokens` gives",
    );
    told(
        &[SHARDS, MEL, drop, &train("transformer", "objective: {masked_mse: {}}")],
        "`op: drop_tokens` keeps none of them",
    );
    let both = "  both: {op: crop, views: 2}\n";
    told(&[SHARDS, MEL, drop, both, &train("transformer", nt_xent)], "`op: drop_tokens` has left some out");
    let shift = "  moved: {op: axis_shift, axis: time, by: [-8, 8]}\n";
    let pair =
        "  both: {op: crop, views: 2}\n  hidden: {op: mask, pattern: {spans: {length: 2}}, views: [1]}\n";
    told(&[SHARDS, MEL, pair, shift, &train("transformer", "objective: {masked_mse: {}}")], "not masked yet");
    let blind = "  blind: {op: spec_augment}\n";
    told(&[SHARDS, MEL, pair, blind, &train("transformer", "objective: {masked_mse: {}}")], "not masked yet");
    told(&[SHARDS, MEL, tokens, blind, &train("transformer", nt_xent)], "follow each other in time");
    let short = "  short: {op: crop, seconds: 0.02, views: 2}\n";
    for encoder in ["cnn", "transformer"] {
        told(&[SHARDS, short, MEL, &train(encoder, nt_xent)], "too short for a frame");
    }
    told(
        &[SHARDS, views, MEL, drop, &train("transformer", &format!("{nt_xent}, mixup: {{}}"))],
        "would mix tokens of different places",
    );
    told(&[SHARDS, views, MEL, &train("cnn", &format!("{nt_xent}, batch_mix: {{}}"))], "`mixup` takes those");
    told(
        &[SHARDS, MEL, &train("transformer", "objective: {masked_mse: {n_mels: 20}}")],
        "`n_mels` of masked_mse is not used",
    );
    told(
        &[SHARDS, views, MEL, &train("{vit: {patches: [[64, 4]]}}", nt_xent)],
        "32 bins and 61 frames hold no patch of 64 by 4",
    );
    let other = "  more: {op: mel, from: kept, n_fft: 256, hop: 64, n_mels: 32}\n  vectors: {op: embed, model: model}\n";
    told(
        &[SHARDS, views, MEL, &train("cnn", nt_xent), other],
        &format!(
            "the model was trained on {features}, the clips are features of 32 values every 64 samples of 8000 Hz"
        ),
    );
    let marked = "  hidden: {op: mask, from: bands, pattern: {spans: {length: 2}}, fill: learned}\n  v: {op: embed, model: model}\n";
    told(&[SHARDS, views, MEL, &train("cnn", nt_xent), marked], "would be seen");
}
