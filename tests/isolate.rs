//! Decoding in a helper process: the same shards, and a decoder that dies costs one recording.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{digests, etude, events, some_music, write_tone};
use serde_json::Value;

/// The recordings beside the one that is to be lost.
const TONES: [&str; 4] = ["a.wav", "b.wav", "c.wav", "d.wav"];

fn pipeline(folder: &Path, decode: &str) {
    let text = format!(
        "name: shards\nstages:\n  files:  {{op: scan, path: ./music}}\n  audio:  {{op: decode, {decode}}}\n  \
         clips:  {{op: segment, seconds: 1}}\n  shards: {{op: shards}}\n"
    );
    std::fs::write(folder.join("p.yaml"), text).unwrap();
}

fn run(folder: &Path, decode: &str) -> Command {
    pipeline(folder, decode);
    let mut command = etude(folder);
    command.env_remove("ETUDE_DECODER").args(["run", "p.yaml", "--threads", "2"]);
    command
}

#[test]
fn the_shards_are_the_same() {
    let shards = |decode: &str| {
        let folder = tempfile::tempdir().unwrap();
        some_music(folder.path());
        // More recordings than helpers, so that each serves several.
        TONES.iter().for_each(|name| write_tone(&folder.path().join("music").join(name), 300.0, 3));
        std::fs::write(folder.path().join("music/page.mp3"), "<!DOCTYPE html><html></html>").unwrap();
        events(run(folder.path(), decode).args(["--max-rejects", "1"]), true);
        let files = digests(&folder.path().join(".etude/data"));
        assert!(!files.is_empty());
        // The names of folders stand for parameters, the content must not depend on them.
        let mut contents: Vec<Vec<u8>> = files.into_values().collect();
        contents.sort();
        contents
    };
    assert!(shards("isolate: false") == shards("isolate: true"), "the shards differ");
}

/// Runs with a recording that does something to its decoder; gives the last event and the rejects.
fn with_victim(hook: &str, decode: &str) -> (Value, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let music = folder.path().join("music");
    TONES.iter().for_each(|name| write_tone(&music.join(name), 300.0, 5));
    write_tone(&music.join("bb-victim.wav"), 500.0, 5);
    let mut command = run(folder.path(), decode);
    let told = events(command.args(["--max-rejects", "1"]).env("ETUDE_TEST_ABORT", hook), true);
    let rejected = told.iter().filter(|event| event["event"] == "rejected").cloned().collect();
    (told.last().unwrap().clone(), rejected)
}

/// All but the victim are there, and the reject says why.
fn lost_one(hook: &str, decode: &str, class: &str, words: &[&str]) {
    let (last, rejected) = with_victim(hook, decode);
    assert_eq!(last["event"], "finished");
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    let reject = &rejected[0];
    let text = |name: &str| reject[name].as_str().unwrap();
    assert_eq!((text("item"), text("class"), text("stage")), ("bb-victim.wav", class, "audio"));
    // It died behind its first block, which is taken back.
    assert!(text("offset").starts_with("2.048 s"), "{reject}");
    assert!(words.iter().all(|word| text("message").contains(word)), "{reject}");
    assert_eq!(
        (&last["stages"]["audio"]["items"], &last["stages"]["audio"]["rejected"]),
        (&4.into(), &1.into())
    );
    assert_eq!(
        (&last["stages"]["shards"]["items"], &last["stages"]["shards"]["rows"]),
        (&4.into(), &20.into())
    );
}

#[test]
#[cfg(unix)]
fn an_abort_costs_one_recording() {
    lost_one("victim", "isolate: true", "crash", &["signal 6 (SIGABRT)"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_runaway_allocation_costs_one_recording() {
    lost_one("alloc:victim", "isolate: true", "crash", &["signal 6 (SIGABRT)", "memory allocation of"]);
}

#[test]
fn a_decoder_that_hangs_costs_one_recording() {
    lost_one(
        "hang:victim",
        "isolate: true, limits: {seconds: 2}",
        "limit",
        &["seconds", "`limits.seconds` allows 2"],
    );
}

#[test]
fn without_the_program_nothing_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    write_tone(&folder.path().join("music/a.wav"), 300.0, 2);
    let output =
        run(folder.path(), "isolate: true").env("ETUDE_DECODER", "no-such-program").output().unwrap();
    assert!(!output.status.success());
    let errors = common::stderr(&output);
    assert!(errors.contains("no-such-program"), "{errors}");
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_the_helpers_too() {
    let folder = tempfile::tempdir().unwrap();
    write_tone(&folder.path().join("music/a-victim.wav"), 300.0, 5);
    let mut command = run(folder.path(), "isolate: true");
    let mut child = command.env("ETUDE_TEST_ABORT", "hang:victim").spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let begin = Instant::now();
    common::interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}
