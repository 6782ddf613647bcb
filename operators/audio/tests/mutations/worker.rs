//! The process that decodes damaged files: what it may allocate is bounded, and it says what it does.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use etude_audio::OPERATORS;
use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Item, Link, Output, Step, Stop, Table};
use etude_pipeline::place::Place;
use etude_pipeline::run::{Chain, Instance, Trail};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::mutate::{KINDS, Random, mutate};

pub const TABLE: Table = Table::new(&[OPERATORS]);

/// What decoding a file of a few hundred kB may take of address space beyond what is there at the start.
const HEADROOM: u64 = 192 << 20;

/// What the worker is given by environment variables.
pub const FOLDER: &str = "ETUDE_TEST_FOLDER";
pub const ROUNDS: &str = "ETUDE_TEST_ROUNDS";
pub const SHARE: &str = "ETUDE_TEST_SHARE";
/// What its lines begin with, among those of the test harness.
pub const CASE: &str = "case: ";
pub const BAD: &str = "bad: ";
pub const TOLD: &str = "told: ";

/// What comes of a file.
#[derive(Debug, PartialEq)]
struct Outcome {
    step: Step,
    frames: u64,
    /// Of all samples.
    digest: [u8; 32],
    wrong: Option<&'static str>,
}

/// Counts what a decoder gives.
#[derive(Default)]
struct Sum {
    frames: u64,
    hasher: blake3::Hasher,
    open: bool,
    /// What is wrong with what came, whatever the file.
    wrong: Option<&'static str>,
}

impl Sum {
    fn expect(&mut self, holds: bool, otherwise: &'static str) {
        if !holds {
            self.wrong = Some(otherwise);
        }
    }
}

impl Output for Sum {
    fn begin(&mut self, _: &Header) -> Step {
        let closed = !std::mem::replace(&mut self.open, true);
        self.expect(closed, "a signal begins within another");
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        self.expect(self.open, "a block comes before its signal");
        self.expect(block.samples().iter().all(|sample| sample.is_finite()), "a sample is not finite");
        self.frames += block.frames() as u64;
        let bytes: Vec<u8> = block.samples().iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.hasher.update(&bytes);
        Ok(())
    }

    fn end(&mut self) -> Step {
        let open = std::mem::take(&mut self.open);
        self.expect(open, "a signal ends that has not begun");
        Ok(())
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}

/// The operator with both answers to damage.
struct Decoders {
    drop: Instance,
    keep: Instance,
}

impl Decoders {
    fn new() -> Self {
        let instance = |on_damage: &str| {
            let link = Link {
                stage: "decode".into(),
                operator: "decode".into(),
                version: TABLE.get("decode").unwrap().version,
                parameters: json!({"on_damage": on_damage}),
                sides: Vec::new(),
            };
            let chain = Chain::new(&TABLE, None, &[link], 0).unwrap();
            chain.instance(0, &CancellationToken::new()).unwrap()
        };
        Self { drop: instance("drop"), keep: instance("keep") }
    }

    /// Decodes a file twice; gives what is wrong with the outcomes, and in a word what they are.
    fn case(&mut self, path: &Path, key: &str) -> (Option<String>, &'static str) {
        let dropped = decode(&mut self.drop, path, key);
        let kept = decode(&mut self.keep, path, key);
        let wrong = fault(&dropped).or_else(|| fault(&kept)).or_else(|| {
            let same = dropped.step.is_err() || dropped == kept;
            (!same).then(|| {
                format!("it is not damaged for `drop` ({dropped:?}) but differs for `keep` ({kept:?})")
            })
        });
        let word = match (&dropped.step, &kept.step) {
            (Ok(()), _) => "decoded",
            (_, Ok(())) => "kept in part",
            (Err(Stop::Rejected { class: "panic", .. }), _)
            | (_, Err(Stop::Rejected { class: "panic", .. })) => "panicked",
            _ => "rejected",
        };
        (wrong, word)
    }
}

fn decode(instance: &mut Instance, path: &Path, key: &str) -> Outcome {
    let size = std::fs::metadata(path).unwrap().len();
    let place = Place::at(path);
    let item = Item { key: Arc::from(key), place, size, digest: "".into(), stamp: None, rows: None };
    let mut sum = Sum::default();
    let step = instance.run(&item, &mut sum, &mut Trail::new(1, None), false);
    let digest = *sum.hasher.finalize().as_bytes();
    Outcome { step, frames: sum.frames, digest, wrong: sum.wrong }
}

/// What is wrong with an outcome, whatever the file.
fn fault(outcome: &Outcome) -> Option<String> {
    if let Some(wrong) = outcome.wrong {
        return Some(wrong.into());
    }
    match &outcome.step {
        Ok(()) => (outcome.frames == 0).then(|| "it is no reject, but has no frame".into()),
        Err(Stop::Rejected { class, offset, message }) => {
            let told = !class.is_empty() && !offset.is_empty() && !message.is_empty();
            (!told).then(|| format!("the reject does not say all: {:?}", outcome.step))
        }
        // What a file holds never gets better by waiting.
        Err(stop) => Some(format!("it is not rejected but {stop:?}")),
    }
}

/// Bounds the address space, so that an allocation from a claimed length ends the process.
fn bound() {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        println!("left out: without /proc, what decoding allocates is not bounded");
        return;
    };
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let kibibytes: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
    let most = Some((kibibytes << 10) + HEADROOM);
    let limit = rustix::process::Rlimit { current: most, maximum: most };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).unwrap();
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Files below a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// What the worker does: all files of the folder as they are, or that many rounds of damage to each.
pub fn work() {
    let folder = PathBuf::from(variable(FOLDER).unwrap());
    let rounds: u64 = variable(ROUNDS).unwrap().parse().unwrap();
    let (part, parts) = variable(SHARE)
        .and_then(|share| {
            let (part, parts) = share.split_once('/')?;
            Some((part.parse::<usize>().ok()?, parts.parse::<usize>().ok()?))
        })
        .unwrap();
    let seeds: Vec<(String, PathBuf, Vec<u8>)> = files(&folder)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            let bytes = std::fs::read(&path).unwrap();
            (name, path, bytes)
        })
        .collect();
    let scratch = tempfile::tempdir().unwrap();
    let mut decoders = Decoders::new();
    let mut slowest = (Duration::ZERO, String::new());
    let mut case = |name: &str, path: &Path, key: &str| {
        say(CASE, name);
        let begin = Instant::now();
        let (wrong, word) = decoders.case(path, key);
        say(TOLD, word);
        if let Some(wrong) = wrong {
            say(BAD, &format!("{name}: {wrong}"));
        }
        if begin.elapsed() > slowest.0 {
            slowest = (begin.elapsed(), name.to_owned());
        }
    };
    bound();
    for (at, (name, path, bytes)) in seeds.iter().enumerate() {
        if rounds == 0 && at % parts == part {
            case(name, path, name);
        }
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        for (round, kind) in (0..rounds).flat_map(|round| KINDS.iter().map(move |kind| (round, kind))) {
            let seed = round * 1_000_003 + at as u64 * 1009 + *kind as u64;
            if seed as usize % parts != part {
                continue;
            }
            let mut random = Random::new(seed);
            let other = &seeds[random.below(seeds.len())].2;
            let (damaged, extension) = mutate(*kind, bytes, extension, other, &mut random);
            let path = scratch.path().join("damaged");
            std::fs::write(&path, damaged).unwrap();
            case(&format!("{name} {kind:?}, seed {seed}"), &path, &format!("damaged.{extension}"));
        }
    }
    println!("the slowest: {:.1?} for {}", slowest.0, slowest.1);
}

fn say(what: &str, text: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "\n{what}{}", text.replace('\n', " ")).unwrap();
    output.flush().unwrap();
}
