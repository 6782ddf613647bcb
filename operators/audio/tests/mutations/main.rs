//! Damaged and odd files: no panic reaches anyone, nothing aborts, hangs or allocates what a header
//! claims, and every reject says what is wrong and where.
//!
//! They are decoded in processes of their own with little memory to have: this one watches them.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod mutate;
mod seeds;
mod worker;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The least number of damaged files.
const CASES: u64 = 2000;

/// No file of this size may take longer, with either answer to damage.
const PATIENCE: Duration = Duration::from_secs(20);

/// Workers at a time.
const WORKERS: usize = 2;

/// Not a test: what the others start.
#[test]
#[ignore = "it is started by the other tests"]
fn worker() {
    if std::env::var_os(worker::FOLDER).is_some() {
        worker::work();
    }
}

/// What the workers said: how many files came to what, and what was wrong.
#[derive(Default)]
struct Report {
    told: BTreeMap<String, u64>,
    wrong: Vec<String>,
}

/// Runs the workers over a folder; 0 rounds take the files as they are.
fn run(folder: &Path, rounds: u64) -> Report {
    let mut report = Report::default();
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..WORKERS).map(|part| scope.spawn(move || watch(folder, rounds, part))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for part in parts {
        part.told.into_iter().for_each(|(word, number)| *report.told.entry(word).or_default() += number);
        report.wrong.extend(part.wrong);
    }
    println!("{:?}", report.told);
    report
}

/// Starts a worker and listens to it. The file at which it dies or falls silent is named.
fn watch(folder: &Path, rounds: u64, part: usize) -> Report {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker", "--ignored", "--nocapture"])
        .env(worker::FOLDER, folder)
        .env(worker::ROUNDS, rounds.to_string())
        .env(worker::SHARE, format!("{part}/{WORKERS}"))
        // Each thread's arena would take address space that is not used.
        .env("MALLOC_ARENA_MAX", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let (sender, lines) = channel();
    let reader = std::thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
    });
    let (mut report, mut last) = (Report::default(), "nothing yet".to_owned());
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                if let Some(case) = line.strip_prefix(worker::CASE) {
                    last = case.to_owned();
                } else if let Some(word) = line.strip_prefix(worker::TOLD) {
                    *report.told.entry(word.to_owned()).or_default() += 1;
                } else if let Some(wrong) = line.strip_prefix(worker::BAD) {
                    report.wrong.push(wrong.to_owned());
                } else if line.starts_with("the slowest") || line.starts_with("left out") {
                    println!("{line}");
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                report.wrong.push(format!("{last}: it hangs, {PATIENCE:?} and more"));
                child.kill().unwrap();
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = child.wait().unwrap();
    reader.join().unwrap();
    if !status.success() && report.wrong.is_empty() {
        report.wrong.push(format!("{last}: the worker died of it, {status}"));
    }
    report
}

#[test]
fn damaged_files_cost_themselves_only() {
    let folder = tempfile::tempdir().unwrap();
    seeds::make(folder.path());
    let seeds = worker::files(folder.path()).len() as u64;
    let whole = run(folder.path(), 0);
    assert_eq!(whole.wrong, Vec::<String>::new());
    assert_eq!(whole.told, BTreeMap::from([("decoded".to_owned(), seeds)]), "what is not damaged is decoded");

    seeds::music(folder.path());
    let seeds = worker::files(folder.path()).len() as u64;
    let rounds = CASES.div_ceil(seeds * mutate::KINDS.len() as u64).max(4);
    let damaged = run(folder.path(), rounds);
    assert_eq!(damaged.wrong, Vec::<String>::new());
    let number = |word: &str| damaged.told.get(word).copied().unwrap_or(0);
    assert_eq!(damaged.told.values().sum::<u64>(), rounds * seeds * mutate::KINDS.len() as u64);
    assert!(damaged.told.values().sum::<u64>() >= CASES);
    // The damage is real, and `keep` keeps something.
    assert!(number("rejected") > CASES / 10 && number("kept in part") > CASES / 20, "{:?}", damaged.told);
}

#[test]
fn odd_files_cost_themselves_only() {
    let folder = std::env::var_os("ETUDE_ODD").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("odd"));
    if !folder.is_dir() {
        println!("skipped: the odd files are not in {} (`make odd` fetches them)", folder.display());
        return;
    }
    let report = run(&folder, 0);
    assert_eq!(report.wrong, Vec::<String>::new());
    let number = |word: &str| report.told.get(word).copied().unwrap_or(0);
    assert!(number("decoded") >= 40 && number("rejected") >= 40, "{:?}", report.told);
}
