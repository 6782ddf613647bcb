//! Real kills of the real program, at any moment.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{SHARDS, digests, etude, finished, some_music};

/// Kills between two runs that are let go on to their end.
const ROUND: u32 = 10;

fn kills() -> u32 {
    std::env::var("ETUDE_SOAK_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(50)
}

fn run(folder: &Path, round: u32, store: &str) -> Command {
    let mut command = etude(folder);
    // Another length of clips each round: everything below is to be done again.
    let seconds = format!("seconds={}", 3.0 + f64::from(round) / 10.0);
    command.args(["run", "p.yaml", "--set", &seconds, "--store", store]).stderr(Stdio::null());
    command
}

#[test]
fn killed_at_any_moment_it_ends_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    let yaml = SHARDS.replace("{op: shards}", "{op: shards, megabytes: 1}")
        + "  mel: {op: mel, n_mels: 16}\n  pooled: {op: pool}\n";
    // Views that are drawn are among what has to be the same.
    let views = "  crops: {op: crop, seconds: 2, views: 2}\n  noisy: {op: augment, chain: [{gain: {}}, {noise: {}}]}\n  \
                 masked: {op: mask, pattern: {spans: {p: 0.0001, length: 800}}}\n  shards:";
    let yaml = yaml.replace("  shards:", views);
    // And those of features.
    let yaml = yaml
        + "  bands: {op: mel, from: clips, n_mels: 16}\n  near: {op: neighbours, seconds: 0.5, anchors: 2, positives: 1, \
           negatives: 1, bands: [{positive: [0, 0.5], negative: [0.5, 1]}]}\n  hidden: {op: spec_augment}\n  \
           moved: {op: axis_shift, axis: pitch, by: [-2, 2]}\n  fewer: {op: drop_tokens, ratio: 0.5}\n  \
           drawn: {op: shards, megabytes: 1}\n  chosen: {op: bert_mask, from: moved}\n  sums: {op: pool}\n";
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    let mut random = 88_172_645_463_325_252u64;
    let (mut killed, mut rounds) = (0, 0);
    let mut whole = Duration::from_millis(800);
    while killed < kills() {
        let mut in_this_round = 0;
        for _ in 0..ROUND {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let wait = whole.mul_f64((random % 1000) as f64 / 1000.0);
            let mut child = run(folder.path(), rounds, "killed").spawn().unwrap();
            std::thread::sleep(wait);
            child.kill().unwrap();
            let ended = child.wait().unwrap();
            // One that has ended before was not killed.
            match std::os::unix::process::ExitStatusExt::signal(&ended) {
                Some(9) => in_this_round += 1,
                _ => {
                    assert!(ended.success(), "{ended}");
                    break;
                }
            }
        }
        killed += in_this_round;
        finished(&mut run(folder.path(), rounds, "killed"));
        let clean = format!("clean-{rounds}");
        let begin = std::time::Instant::now();
        finished(&mut run(folder.path(), rounds, &clean));
        whole = begin.elapsed();
        let ours = digests(&folder.path().join("killed/data"));
        for (name, bytes) in digests(&folder.path().join(&clean).join("data")) {
            assert!(ours.get(&name) == Some(&bytes), "round {rounds}, after {in_this_round} kills: {name}");
        }
        std::fs::remove_dir_all(folder.path().join(&clean)).unwrap();
        rounds += 1;
        assert!(rounds < 10 * kills(), "nothing is ever killed");
    }
    println!("{killed} kills in {rounds} rounds");
    let verified = etude(folder.path()).args(["verify", "--store", "killed"]).output().unwrap();
    assert!(verified.status.success(), "{}", common::stdout(&verified));
    let gc =
        etude(folder.path()).args(["gc", "--apply", "--keep", "1", "--store", "killed"]).output().unwrap();
    assert!(gc.status.success());
    let stages = finished(&mut run(folder.path(), rounds - 1, "killed"));
    assert!(stages.values().all(|stage| stage["status"] == "reused"), "{stages:?}");
}
