//! What the end-to-end tests share: the program, real music, files made on the spot.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod s3;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The program under test. It runs in `folder`, with its store in `folder/.etude`.
pub fn etude(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etude"));
    command.current_dir(folder).env("NO_COLOR", "1").env_remove("ETUDE_TRAINER");
    command
}

/// The recordings that `make music` has fetched.
pub fn music() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("music");
    assert!(folder.is_dir(), "the end-to-end tests run on real music: `make music` fetches it");
    folder
}

/// A folder with a copy of a few of them, small ones of each format.
pub fn some_music(folder: &Path) -> PathBuf {
    let target = folder.join("music");
    for name in
        ["asterisk/manolo_camp-morning_coffee.wav", "asc/machine_wars.mp3", "fretsonfire/Feelings/guitar.ogg"]
    {
        let path = target.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(music().join(name), path).unwrap();
    }
    target
}

/// Writes a 16-bit WAV file.
pub fn write_wav(path: &Path, rate: u32, channels: u16, samples: impl Iterator<Item = i16>) {
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend(1u16.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(channels) * 2).to_le_bytes());
    bytes.extend((channels * 2).to_le_bytes());
    bytes.extend(16u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A tone of that many seconds at 8 kHz.
pub fn write_tone(path: &Path, hz: f64, seconds: u32) {
    let sample = |i: u32| ((std::f64::consts::TAU * hz * f64::from(i) / 8000.0).sin() * 12_000.0) as i16;
    write_wav(path, 8000, 1, (0..8000 * seconds).map(sample));
}

/// A pipeline up to the shards, over `music`.
pub const SHARDS: &str = r#"
name: shards
vars: {music: ./music, rate: 16000, seconds: 10}
stages:
  files:  {op: scan, path: "${music}"}
  audio:  {op: decode, channels: mono}
  at16k:  {op: resample, rate: "${rate}"}
  clips:  {op: segment, seconds: "${seconds}"}
  shards: {op: shards}
"#;

/// Runs and gives the JSON events; the exit has to be as said.
pub fn events(command: &mut Command, success: bool) -> Vec<Value> {
    let output = command.arg("--json").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), success, "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs to the end and gives the summary by stage.
pub fn finished(command: &mut Command) -> BTreeMap<String, Value> {
    let events = events(command, true);
    let last = events.last().unwrap();
    assert_eq!(last["event"], "finished");
    last["stages"].as_object().unwrap().clone().into_iter().collect()
}

/// The status of every stage, in the order of their names.
pub fn statuses(stages: &BTreeMap<String, Value>) -> Vec<(String, String)> {
    stages.iter().map(|(name, stage)| (name.clone(), stage["status"].as_str().unwrap().to_owned())).collect()
}

/// The record of the last run.
pub fn record(folder: &Path) -> Value {
    let runs = std::fs::read_dir(folder.join(".etude/runs")).unwrap();
    stored(&runs.map(|entry| entry.unwrap().path()).max().unwrap())
}

/// The snapshot of a stage, as a run's record names it.
pub fn snapshot(folder: &Path, record: &Value, stage: &str) -> PathBuf {
    let stage = &record["stages"][stage];
    let name = |what: &str| stage[what].as_str().unwrap();
    folder.join(".etude/snapshots").join(name("fingerprint")).join(name("inputs"))
}

/// A text of the store, whose first line is its digest.
pub fn stored(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(text.split_once('\n').unwrap().1).unwrap()
}

/// The SoundFont that `make test` fetches; none, and said, where it is not there.
pub fn font() -> Option<PathBuf> {
    let font = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("soundfont").join("TimGM6mb.sf2");
    let there = font.is_file();
    assert!(
        there || std::env::var_os("ETUDE_TESTS_SKIP_NOTHING").is_none(),
        "{} is not there",
        font.display()
    );
    if !there {
        println!("skipped: {} is not there (`make test` fetches it)", font.display());
    }
    there.then_some(font)
}

/// Noise of which no computer's libm is asked.
pub fn noise() -> impl FnMut() -> i16 {
    let mut state = 12345u32;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16 / 8
    }
}

/// All files below a folder with their content's digest, by relative path.
pub fn digests(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn visit(root: &Path, folder: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(root, &path, all);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                all.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    let mut all = BTreeMap::new();
    if folder.is_dir() {
        visit(folder, folder, &mut all);
    }
    all
}

/// What went to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What went to standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Sends an interrupt.
pub fn interrupt(child: &std::process::Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}
