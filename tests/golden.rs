//! Each operator's output on a fixed input, by digest: where it changes, the operator's version has to be raised.
//!
//! `GOLDEN=write cargo test --test golden` writes the file anew; what it then says is to be looked through.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{etude, finished, stdout, write_wav};
use serde_json::Value;

/// A pipeline's stages below a scan, for each operator; the last one's output is what is looked at.
const STAGES: &[(&str, &str)] = &[
    ("scan", "tags: {op: metadata}"),
    ("metadata", "tags: {op: metadata}"),
    (
        "sql",
        "tags: {op: metadata}\n  few: {op: sql, from: tags, query: \"SELECT item, frames * 2 AS twice FROM tags WHERE channels = 2\"}",
    ),
    ("decode", "audio: {op: decode}\n  clips: {op: segment, seconds: 1}\n  kept: {op: shards, codec: f32}"),
    (
        "resample",
        "audio: {op: decode}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  kept: {op: shards, codec: f32}",
    ),
    (
        "segment",
        "audio: {op: decode}\n  clips: {op: segment, seconds: 0.3, hop: 0.25, tail: pad}\n  kept: {op: shards, codec: i16}",
    ),
    (
        "filter",
        "audio: {op: decode}\n  clips: {op: segment, seconds: 0.5}\n  loud: {op: filter, rms_db: {min: -12}}\n  kept: {op: shards, codec: i16}",
    ),
    (
        "normalise",
        "audio: {op: decode}\n  clips: {op: segment, seconds: 0.5}\n  level: {op: normalise, lufs: -20}\n  kept: {op: shards, codec: f32}",
    ),
    (
        "crop",
        "audio: {op: decode}\n  clips: {op: segment, seconds: 1}\n  crops: {op: crop, seconds: 0.1, views: 3}\n  kept: {op: shards, codec: i16}",
    ),
    (
        "augment",
        "audio: {op: decode}\n  clips: {op: segment, seconds: 1}\n  other: {op: augment, chain: [{gain: {p: 1}}, {polarity: {p: 0.5}}, {noise: {p: 1, colour: pink}}, {low_pass: {p: 1}}, {one_of: {of: [{high_pass: {}}, {band_pass: {}}]}}, {delay: {p: 1}}, {apply: {of: [{reverse: {}}, {shift: {p: 1}}]}}, {time_mask: {p: 1}}, {clipping: {p: 1}}, {tanh_distortion: {p: 1}}]}\n  kept: {op: shards, codec: f32}",
    ),
    (
        "neighbours",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  near: {op: neighbours, seconds: 0.1, anchors: 2, positives: 1, negatives: 1, bands: [{positive: [0.1, 0.2], negative: [0.3, 0.4]}]}\n  kept: {op: shards, codec: f32}",
    ),
    (
        "mask",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  masked: {op: mask, pattern: {spans: {p: 0.001, length: 500}}, fill: {noise: {}}}\n  kept: {op: shards, codec: f32}",
    ),
    (
        "stft",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  x: {op: stft, n_fft: 256, hop: 128, values: complex}\n  kept: {op: shards}",
    ),
    (
        "mfcc",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  x: {op: mfcc}\n  kept: {op: shards}",
    ),
    (
        "chroma",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  x: {op: chroma}\n  kept: {op: shards}",
    ),
    (
        "cqt",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  x: {op: cqt, n_bins: 36, harmonics: [1, 2]}\n  kept: {op: shards}",
    ),
    (
        "compress",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  m: {op: stft}\n  x: {op: compress, function: log1p}\n  kept: {op: shards}",
    ),
    (
        "standardise",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  m: {op: mel}\n  x: {op: standardise, over: clip}\n  kept: {op: shards}",
    ),
    (
        "n_grams",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  m: {op: mel}\n  x: {op: n_grams, frames: 8, hop: 4}\n  kept: {op: shards}",
    ),
    (
        "spec_augment",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  m: {op: mel}\n  x: {op: spec_augment}\n  kept: {op: shards}",
    ),
    (
        "axis_shift",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  m: {op: mel}\n  x: {op: axis_shift, axis: pitch, by: [-4, 4], edge: crop}\n  kept: {op: shards}",
    ),
    (
        "patchify",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  m: {op: mel}\n  x: {op: patchify, frames: 4, bins: 16}\n  kept: {op: shards}",
    ),
    (
        "bert_mask",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  m: {op: mel}\n  x: {op: bert_mask}\n  kept: {op: shards}",
    ),
    (
        "drop_tokens",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  m: {op: mel}\n  x: {op: drop_tokens, ratio: 0.5}\n  kept: {op: shards}",
    ),
    (
        "random_projection",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  m: {op: mel}\n  x: {op: random_projection}\n  kept: {op: shards}",
    ),
    (
        "statistics",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  kept0: {op: shards}\n  m: {op: mel}\n  kept: {op: statistics}",
    ),
    (
        "k_means",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  kept0: {op: shards}\n  m: {op: mel}\n  kept: {op: k_means, clusters: 4}",
    ),
    (
        "assign",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  kept0: {op: shards}\n  m: {op: mel}\n  c: {op: k_means, clusters: 4}\n  x: {op: assign, from: m, centroids: c}\n  kept: {op: shards}",
    ),
    ("notes", "kept: {op: notes}"),
    ("split", "tags: {op: metadata}\n  kept: {op: split, parts: {train: 0.5, test: 0.5}}"),
    ("shards", "audio: {op: decode}\n  clips: {op: segment, seconds: 1}\n  kept: {op: shards, codec: flac}"),
    (
        "mel",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  mel: {op: mel}\n  kept: {op: pool}",
    ),
    (
        "pool",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 1}\n  mel: {op: mel}\n  kept: {op: pool, statistics: [mean, std, max]}",
    ),
    (
        "retrieve",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 0.2}\n  mel: {op: mel}\n  pooled: {op: pool}\n  near: {op: retrieve, from: [pooled]}",
    ),
    (
        "probe",
        "audio: {op: decode, channels: mono}\n  at16k: {op: resample, rate: 16000}\n  clips: {op: segment, seconds: 0.2}\n  mel: {op: mel}\n  pooled: {op: pool}\n  told: {op: probe, from: [pooled], labels: labels.csv, target: class, folds: 2}",
    ),
];

/// What libtorch computes, which is not the same on all machines, and what plays another's instruments. `tests/demo.rs`
/// and `operators/audio/tests/render.rs` have them.
const ELSEWHERE: &[&str] = &["train", "embed", "render"];

/// Whose FFTs depend on the processor's vector instructions: their digests are those of AVX.
const WITH_FFT: &[&str] = &[
    "resample",
    "augment",
    "mel",
    "pool",
    "retrieve",
    "probe",
    "neighbours",
    "mask",
    "stft",
    "mfcc",
    "chroma",
    "cqt",
    "compress",
    "standardise",
    "n_grams",
    "spec_augment",
    "axis_shift",
    "patchify",
    "bert_mask",
    "drop_tokens",
    "random_projection",
    "statistics",
    "k_means",
    "assign",
];

fn avx() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx") && std::arch::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Two recordings of which no computer's libm is asked.
fn music(folder: &Path) {
    let mut noise = common::noise();
    let saw = |n: u32| ((n * 300) % 20_000) as i16 - 10_000;
    write_wav(&folder.join("music/mono.wav"), 22_050, 1, (0..50_000).map(|n| saw(n) + noise()));
    write_wav(
        &folder.join("music/stereo.wav"),
        44_100,
        2,
        (0..120_000).map(|n| if n < 60_000 { saw(n) } else { saw(n) / 9 }),
    );
    // A note of a second and a half at 120 beats a minute.
    let midi = b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk\0\0\0\x0d\0\x90\x3c\x40\x82\x10\x80\x3c\0\0\xff\x2f\0";
    std::fs::create_dir_all(folder.join("midi")).unwrap();
    std::fs::write(folder.join("midi/one.mid"), midi).unwrap();
    std::fs::write(folder.join("labels.csv"), "item,class\nmono.wav,a\nstereo.wav,b\n").unwrap();
}

/// Version and digest of an operator's output.
fn digest(folder: &Path, operator: &str, stages: &str) -> Value {
    let scanned = if operator == "notes" { "midi, include: ['**/*.mid']" } else { "music" };
    let yaml = format!("name: {operator}\nstages:\n  files: {{op: scan, path: ./{scanned}}}\n  {stages}\n");
    std::fs::write(folder.join("p.yaml"), yaml).unwrap();
    finished(etude(folder).args(["run", "p.yaml"]));
    let stage = stages.rsplit('\n').next().unwrap().trim().split(':').next().unwrap();
    let snapshot = common::stored(&common::snapshot(folder, &common::record(folder), stage));
    serde_json::json!({"version": versions(folder)[operator], "digest": snapshot["digest"]})
}

/// The version of each operator, as the reference tells it.
fn versions(folder: &Path) -> BTreeMap<String, u64> {
    let text = stdout(&etude(folder).args(["ops", "--markdown"]).output().unwrap());
    let mut versions = BTreeMap::new();
    for part in text.split("\n## ").skip(1) {
        let name = part.lines().next().unwrap().trim().to_owned();
        let version = part.split("Version: ").nth(1).unwrap().split('.').next().unwrap();
        versions.insert(name, version.parse().unwrap());
    }
    versions
}

#[test]
fn an_output_that_changes_has_another_version() {
    let folder = tempfile::tempdir().unwrap();
    music(folder.path());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.json");
    let write = std::env::var_os("GOLDEN").is_some_and(|value| value == "write");
    let mut golden: BTreeMap<String, Value> = std::fs::read_to_string(&path)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let mut wrong = Vec::new();
    let mut left: Vec<String> = versions(folder.path()).into_keys().collect();
    left.retain(|name| !ELSEWHERE.contains(&name.as_str()));
    for (operator, stages) in STAGES {
        left.retain(|name| name != operator);
        if WITH_FFT.contains(operator) && !avx() {
            println!("{operator}: skipped, its digest is that of a processor with AVX and FMA");
            continue;
        }
        let found = digest(folder.path(), operator, stages);
        match golden.get(*operator) {
            _ if write => drop(golden.insert((*operator).to_owned(), found)),
            Some(known) if *known == found => {}
            Some(known) if known["version"] == found["version"] => {
                let version = &found["version"];
                wrong.push(format!(
                    "{operator} gives another output and is still version {version}: raise it"
                ));
            }
            _ => wrong.push(format!("{operator} has another version: GOLDEN=write cargo test --test golden")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(left.is_empty(), "no digest of {left:?}");
    if write {
        std::fs::write(&path, serde_json::to_string_pretty(&golden).unwrap() + "\n").unwrap();
    }
}
