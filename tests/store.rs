//! What a user sees of the store: plan, why, status, log, gc, verify, retry, force; and what goes wrong with disks.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{SHARDS, digests, etude, finished, some_music, stderr, stdout, write_tone};
use serde_json::Value;

/// A pipeline with two kept stages over three tones, a megabyte a shard.
fn tones(folder: &Path) {
    for (name, hz) in [("a", 220.0), ("b", 330.0), ("sub/c", 440.0)] {
        write_tone(&folder.join(format!("music/{name}.wav")), hz, 25);
    }
    let yaml = SHARDS.to_owned() + "  mel: {op: mel, n_mels: 16}\n  pooled: {op: pool}\n";
    std::fs::write(folder.join("p.yaml"), yaml).unwrap();
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = etude(folder);
    command.args(arguments);
    command
}

fn text(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder, arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

fn run(folder: &Path) -> std::collections::BTreeMap<String, Value> {
    finished(&mut command(folder, &["run", "p.yaml"]))
}

fn plan(folder: &Path) -> Value {
    let text = text(folder, &["plan", "p.yaml", "--json"]);
    assert_eq!(text.lines().count(), 1);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn one_item_that_changes_is_the_only_one_computed() {
    let folder = tempfile::tempdir().unwrap();
    tones(folder.path());
    assert_eq!(run(folder.path())["shards"]["computed"], 3);
    write_tone(&folder.path().join("music/b.wav"), 333.0, 25);
    write_tone(&folder.path().join("music/d.wav"), 550.0, 25);
    std::fs::remove_file(folder.path().join("music/a.wav")).unwrap();

    let planned = plan(folder.path());
    let shards = &planned["stages"]["shards"];
    assert_eq!(shards["action"], "partial");
    assert_eq!(shards["items"], serde_json::json!({"reused": 1, "new": 1, "changed": 1, "removed": 1}));
    assert!(shards["estimate"]["seconds"].as_f64().unwrap() > 0.0);
    // What stands below cannot know more than that.
    assert_eq!(planned["stages"]["pooled"]["items"]["reused"], 1);
    let plan = command(folder.path(), &["plan", "p.yaml", "--detailed-exitcode"]).output().unwrap();
    assert_eq!(plan.status.code(), Some(2));

    let why = text(folder.path(), &["why", "p.yaml", "shards"]);
    assert!(why.contains("shards: item d.wav is new (blake3 "), "{why}");
    assert!(why.contains("shards: item a.wav was removed"), "{why}");
    let changed = why.lines().find(|line| line.starts_with("shards: item b.wav changed (blake3 ")).unwrap();
    assert!(changed.contains(" → "), "{why}");
    let one = text(folder.path(), &["why", "p.yaml", "shards", "sub/c.wav"]);
    assert!(one.contains("item sub/c.wav is reused"), "{one}");
    let typo = command(folder.path(), &["why", "p.yaml", "shards", "sub/d.wav"]).output().unwrap();
    assert!(stderr(&typo).contains("did you mean `sub/c.wav`?"), "{}", stderr(&typo));

    let stages = run(folder.path());
    for stage in ["shards", "pooled"] {
        assert_eq!((&stages[stage]["computed"], &stages[stage]["items"]), (&2.into(), &3.into()), "{stage}");
        assert_eq!(stages[stage]["status"], "partial");
    }
    let plan = command(folder.path(), &["plan", "p.yaml", "--detailed-exitcode"]).output().unwrap();
    assert_eq!(plan.status.code(), Some(0));
    for wrong in [["plan", "none.yaml"], ["plan", "--none"]] {
        let plan = command(folder.path(), &wrong).arg("--detailed-exitcode").output().unwrap();
        assert_eq!(plan.status.code(), Some(1), "{wrong:?}");
    }
    // The very bytes of a clean run.
    finished(&mut command(folder.path(), &["run", "p.yaml", "--store", "clean"]));
    let ours = digests(&folder.path().join(".etude/data"));
    for (name, bytes) in digests(&folder.path().join("clean/data")) {
        assert!(ours.get(&name) == Some(&bytes), "{name}");
    }
    assert!(text(folder.path(), &["why", "p.yaml", "shards"]).contains("nothing to do"));
}

#[test]
fn what_does_not_matter_reruns_nothing() {
    let folder = tempfile::tempdir().unwrap();
    tones(folder.path());
    run(folder.path());
    let reused = |arguments: &[&str]| {
        let stages = finished(&mut command(folder.path(), arguments));
        assert!(stages.values().all(|stage| stage["status"] == "reused"), "{arguments:?}: {stages:?}");
    };
    for threads in ["1", "2", "8"] {
        reused(&["run", "p.yaml", "--threads", threads, "--memory", "700MiB", "--max-rejects", "1"]);
    }
    std::fs::rename(folder.path().join("music"), folder.path().join("elsewhere")).unwrap();
    reused(&["run", "p.yaml", "--set", "music=./elsewhere"]);
    let touched = std::fs::File::options().write(true).open(folder.path().join("elsewhere/a.wav")).unwrap();
    touched.set_modified(std::time::SystemTime::now()).unwrap();
    reused(&["run", "p.yaml", "--set", "music=./elsewhere"]);
    // The same bytes whatever the number of threads.
    let all: Vec<_> = ["1", "2", "8"]
        .iter()
        .map(|threads| {
            let store = format!("threads-{threads}");
            let arguments =
                ["run", "p.yaml", "--set", "music=./elsewhere", "--threads", threads, "--store", &store];
            finished(&mut command(folder.path(), &arguments));
            digests(&folder.path().join(store).join("data"))
        })
        .collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn variables_of_the_environment_and_what_is_included() {
    let folder = tempfile::tempdir().unwrap();
    tones(folder.path());
    std::fs::create_dir(folder.path().join("parts")).unwrap();
    std::fs::write(
        folder.path().join("parts/audio.yaml"),
        "vars: {music: ./nowhere, rate: 8000}\nruntime: {threads: 1, memory: 600MiB, max_rejects: 5%}\nstages:\n  \
         files: {op: scan, path: \"${music}\"}\n  audio: {op: decode, channels: mono}\n",
    )
    .unwrap();
    let yaml = "include: parts/audio.yaml\nname: shards\nvars: {music: ./music}\nstages:\n  \
                clips: {op: segment, seconds: \"${env:ETUDE_TEST_SECONDS:-10}\"}\n  shards: {op: shards}\n";
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    let with = |seconds: &str, arguments: &[&str]| {
        let mut command = command(folder.path(), arguments);
        command.env("ETUDE_TEST_SECONDS", seconds);
        command
    };
    assert_eq!(run(folder.path())["shards"]["rows"], 6);
    assert_eq!(finished(&mut with("10", &["run", "p.yaml"]))["shards"]["status"], "reused");
    let why = stdout(&with("5", &["why", "p.yaml", "shards"]).output().unwrap());
    assert_eq!(why, "shards: clips.seconds 10.0 → 5.0\n");
    assert_eq!(finished(&mut with("5", &["run", "p.yaml"]))["shards"]["rows"], 15);
    // What is runtime is no part of any fingerprint.
    let part = std::fs::read_to_string(folder.path().join("parts/audio.yaml")).unwrap();
    std::fs::write(folder.path().join("parts/audio.yaml"), part.replace("threads: 1", "threads: 3")).unwrap();
    assert_eq!(run(folder.path())["shards"]["status"], "reused");

    let fails = |file: &str, content: &str, expected: &[&str]| {
        std::fs::write(folder.path().join(file), content).unwrap();
        let output = command(folder.path(), &["check", "p.yaml"]).output().unwrap();
        let errors = stderr(&output);
        assert!(!output.status.success());
        expected.iter().for_each(|text| assert!(errors.contains(text), "{errors}"));
    };
    // Errors point into the file that they are in.
    fails(
        "parts/audio.yaml",
        &part.replace("decode,", "decod,"),
        &["parts/audio.yaml:5:", "did you mean `decode`"],
    );
    fails(
        "parts/audio.yaml",
        &part.replace("600MiB", "2 apples"),
        &["parts/audio.yaml:2:", "expected a size"],
    );
    fails(
        "parts/audio.yaml",
        &part.replace("threads: 1", "threads: 0"),
        &["parts/audio.yaml:2:", "`threads` must be from 1"],
    );
    fails(
        "parts/audio.yaml",
        &format!("include: ../p.yaml\n{part}"),
        &["parts/audio.yaml:1:10", "includes itself"],
    );
    fails(
        "parts/audio.yaml",
        &format!("{part}  clips: {{op: pool}}\n"),
        &["p.yaml:5:", "stage `clips` stands in"],
    );
    std::fs::write(folder.path().join("parts/audio.yaml"), &part).unwrap();
    let unset = yaml.replace("ETUDE_TEST_SECONDS:-10", "ETUDE_NOT_SET");
    fails("p.yaml", &unset, &["p.yaml:5:", "the environment has no variable ETUDE_NOT_SET"]);
    fails("p.yaml", &yaml.replace("parts/audio", "parts/none"), &["p.yaml:1:10", "parts/none.yaml"]);
}

#[test]
fn until_force_and_retry() {
    let folder = tempfile::tempdir().unwrap();
    tones(folder.path());
    std::fs::write(folder.path().join("music/bad.mp3"), [0u8; 3000]).unwrap();
    let with =
        |arguments: &[&str]| finished(command(folder.path(), arguments).args(["--max-rejects", "50%"]));
    let until = with(&["run", "p.yaml", "--until", "shards"]);
    assert!(until.contains_key("shards") && !until.contains_key("pooled"));
    let planned = text(folder.path(), &["plan", "p.yaml", "--until", "shards"]);
    assert!(!planned.contains("pooled"), "{planned}");
    with(&["run", "p.yaml"]);
    let before = digests(&folder.path().join(".etude/data"));
    let forced = with(&["run", "p.yaml", "--force", "shards"]);
    assert_eq!((&forced["shards"]["computed"], &forced["pooled"]["status"]), (&4.into(), &"reused".into()));
    assert!(before == digests(&folder.path().join(".etude/data")));
    let retried = with(&["retry", "p.yaml"]);
    assert_eq!((&retried["shards"]["computed"], &retried["audio"]["rejected"]), (&1.into(), &1.into()));
    assert_eq!(retried["pooled"]["status"], "reused");
    // A stage that keeps nothing is part of one that does; a scan is not computed at all.
    let forced = with(&["run", "p.yaml", "--force", "clips"]);
    assert_eq!((&forced["shards"]["computed"], &forced["pooled"]["status"]), (&4.into(), &"reused".into()));
    let scan = command(folder.path(), &["run", "p.yaml", "--force", "files"]).output().unwrap();
    assert!(stderr(&scan).contains("nothing of it to be computed again"), "{}", stderr(&scan));
    let typo = command(folder.path(), &["run", "p.yaml", "--force", "shard"]).output().unwrap();
    assert!(stderr(&typo).contains("did you mean `shards`"), "{}", stderr(&typo));
    // A reject is not tried again by itself.
    assert_eq!(with(&["run", "p.yaml"])["shards"]["status"], "reused");
}

#[test]
fn log_and_status_tell_what_was_and_what_is() {
    let folder = tempfile::tempdir().unwrap();
    tones(folder.path());
    let status = text(folder.path(), &["status", "p.yaml"]);
    assert!(status.starts_with("shards  missing"), "{status}");
    run(folder.path());
    finished(&mut command(folder.path(), &["run", "p.yaml", "--set", "rate=8000"]));
    let log = text(folder.path(), &["log"]);
    assert_eq!(log.lines().count(), 2);
    assert!(log.starts_with('2') && log.contains("computed pooled, shards"), "{log}");
    let line: Value =
        serde_json::from_str(text(folder.path(), &["log", "-n", "1", "--json"]).trim()).unwrap();
    assert_eq!(
        (&line["run"], &line["pipeline"], &line["rejected"]),
        (&2.into(), &"shards".into(), &0.into())
    );
    let status = text(folder.path(), &["status", "p.yaml"]);
    assert!(status.contains("shards  current  3 items"), "{status}");
    let status = text(folder.path(), &["status", "p.yaml", "--set", "seconds=4"]);
    assert!(status.contains("stale") && status.contains("clips.seconds 10.0 → 4.0"), "{status}");
}

#[test]
fn garbage_is_told_and_removed_and_the_rest_is_not() {
    let folder = tempfile::tempdir().unwrap();
    tones(folder.path());
    let rate = |rate: u32| {
        finished(&mut command(folder.path(), &["run", "p.yaml", "--set", &format!("rate={rate}")]));
    };
    [16000, 8000, 11025].into_iter().for_each(rate);
    let before = digests(&folder.path().join(".etude"));
    assert!(text(folder.path(), &["gc"]).contains("nothing to remove"));
    let told = text(folder.path(), &["gc", "--keep", "2"]);
    assert!(told.contains("can be removed: `etude gc --apply`"), "{told}");
    assert!(before == digests(&folder.path().join(".etude")), "a dry run removes nothing");
    let lines = text(folder.path(), &["gc", "--keep", "2", "--json"]);
    let bytes: u64 = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["bytes"].as_u64().unwrap())
        .sum();
    assert!(text(folder.path(), &["gc", "--keep", "2", "--apply"]).contains("removed"));
    let after = digests(&folder.path().join(".etude"));
    let size = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
        files.values().map(Vec::len).sum::<usize>() as u64
    };
    assert_eq!(size(&before) - size(&after), bytes);
    for (rate, status) in [("8000", "reused"), ("11025", "reused"), ("16000", "computed")] {
        let stages =
            finished(&mut command(folder.path(), &["run", "p.yaml", "--set", &format!("rate={rate}")]));
        assert_eq!(stages["shards"]["status"], status, "{rate}");
    }
    let verified = text(folder.path(), &["verify"]);
    assert!(verified.contains("0 damaged"), "{verified}");
    // Runs that end early do not push out what an earlier one came to.
    for _ in 0..3 {
        finished(&mut command(folder.path(), &["run", "p.yaml", "--until", "shards"]));
    }
    text(folder.path(), &["gc", "--keep", "1", "--apply"]);
    let stages = finished(&mut command(folder.path(), &["run", "p.yaml", "--set", "rate=16000"]));
    assert_eq!(stages["pooled"]["status"], "reused");
    // What a killed run has forced is gone from no store: its shards are kept without their snapshot.
    std::fs::remove_file(common::snapshot(folder.path(), &common::record(folder.path()), "shards")).unwrap();
    text(folder.path(), &["gc", "--keep", "1", "--apply"]);
    assert_eq!(run(folder.path())["shards"]["computed"], 0);
}

#[test]
fn a_flipped_bit_is_found_and_never_read() {
    let folder = tempfile::tempdir().unwrap();
    tones(folder.path());
    run(folder.path());
    let before = digests(&folder.path().join(".etude/data"));
    let path = text(folder.path(), &["path", "p.yaml", "shards"]);
    let shard = Path::new(path.trim());
    let mut bytes = std::fs::read(shard).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(shard, bytes).unwrap();
    // A stage that would read it says so.
    let output = command(folder.path(), &["run", "p.yaml", "--force", "pooled"]).output().unwrap();
    assert!(stderr(&output).contains("is damaged"), "{}", stderr(&output));
    let output = command(folder.path(), &["verify", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(found["damaged"].as_array().unwrap().len(), 1);
    assert!(path.contains(found["damaged"][0]["path"].as_str().unwrap()));
    let repaired = command(folder.path(), &["verify", "p.yaml", "--repair"]).output().unwrap();
    assert!(repaired.status.success(), "{}", stderr(&repaired));
    assert!(before == digests(&folder.path().join(".etude/data")));
    // Nor are rows copied from a shard that is not what it was.
    let mut bytes = std::fs::read(shard).unwrap();
    bytes[middle] ^= 4;
    std::fs::write(shard, bytes).unwrap();
    write_tone(&folder.path().join("music/d.wav"), 550.0, 25);
    run(folder.path());
    finished(&mut command(folder.path(), &["run", "p.yaml", "--store", "clean"]));
    let ours = digests(&folder.path().join(".etude/data"));
    for (name, bytes) in digests(&folder.path().join("clean/data")) {
        assert!(ours.get(&name) == Some(&bytes), "{name}");
    }
    // A damaged snapshot is made again from what it named; the cache of stamps is not believed.
    for relative in ["snapshots", "stamps"] {
        let (name, mut bytes) = digests(&folder.path().join(".etude"))
            .into_iter()
            .rfind(|(name, _)| name.starts_with(relative))
            .unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(folder.path().join(".etude").join(&name), bytes).unwrap();
        let output = command(folder.path(), &["verify"]).output().unwrap();
        assert!(stdout(&output).contains(&name), "{}", stdout(&output));
        run(folder.path());
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_and_a_folder_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    std::fs::write(
        folder.path().join("p.yaml"),
        SHARDS.replace("{op: shards}", "{op: shards, megabytes: 1}"),
    )
    .unwrap();
    // Files may be no longer than 300 blocks: writing more fails as it does on a full disk.
    let script = "trap '' XFSZ; ulimit -f 300; exec \"$0\" run p.yaml";
    let mut limited = Command::new("bash");
    limited.current_dir(folder.path()).args(["-c", script, env!("CARGO_BIN_EXE_etude")]);
    let output = limited.output().unwrap();
    assert!(!output.status.success());
    let errors = stderr(&output);
    assert!(errors.contains("File too large") && errors.contains(".etude"), "{errors}");
    assert!(text(folder.path(), &["verify"]).contains("0 damaged"));
    run(folder.path());
    finished(&mut command(folder.path(), &["run", "p.yaml", "--store", "clean"]));
    assert!(digests(&folder.path().join(".etude/data")) == digests(&folder.path().join("clean/data")));

    // A file where the store's folder should be cannot be written by anyone.
    std::fs::write(folder.path().join("file"), "").unwrap();
    let output = command(folder.path(), &["run", "p.yaml", "--store", "file/store"]).output().unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("file"), "{}", stderr(&output));
}

#[test]
fn two_runs_and_a_collection_at_once() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    let yaml = SHARDS.replace("{op: shards}", "{op: shards, megabytes: 1}")
        + "  mel: {op: mel, n_mels: 16}\n  pooled: {op: pool}\n";
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    for round in 0..4 {
        let seconds = format!("seconds={}", 3 + round);
        let arguments = ["run", "p.yaml", "--set", &seconds];
        let mut runs: Vec<_> = (0..2).map(|_| command(folder.path(), &arguments).spawn().unwrap()).collect();
        // Collections while they run, one after the other.
        while runs.iter_mut().any(|run| run.try_wait().unwrap().is_none()) {
            text(folder.path(), &["gc", "--apply", "--keep", "1"]);
        }
        assert!(runs.into_iter().all(|mut run| run.wait().unwrap().success()));
        let stages = finished(&mut command(folder.path(), &arguments));
        assert!(stages.values().all(|stage| stage["status"] == "reused"), "round {round}: {stages:?}");
        assert!(text(folder.path(), &["verify"]).contains("0 damaged"));
    }
}

#[test]
fn rows_of_a_table_that_change_rerun_their_items() {
    let folder = tempfile::tempdir().unwrap();
    tones(folder.path());
    let table = |b: &str| format!("item,label\na.wav,one\nb.wav,{b}\nsub/c.wav,three\n");
    std::fs::write(folder.path().join("labels.csv"), table("two")).unwrap();
    let yaml = "name: labelled\nstages:\n  files: {op: scan, path: ./music}\n  tags: {op: metadata}\n  \
                chosen: {op: sql, from: tags, tables: {labels: labels.csv}, query: \"SELECT item, label FROM tags JOIN labels USING (item)\"}\n  \
                audio: {op: decode, channels: mono}\n  clips: {op: segment, seconds: 10}\n  shards: {op: shards}\n";
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    assert_eq!(run(folder.path())["shards"]["computed"], 3);
    std::fs::write(folder.path().join("labels.csv"), table("zwei")).unwrap();
    let why = text(folder.path(), &["why", "p.yaml", "chosen"]);
    assert!(why.contains("chosen.tables.labels: labels.csv changed (blake3 "), "{why}");
    let why = text(folder.path(), &["why", "p.yaml", "shards"]);
    assert!(
        why.contains("shards: because chosen: chosen.tables.labels: labels.csv changed (blake3 "),
        "{why}"
    );
    let stages = run(folder.path());
    assert_eq!(stages["tags"]["status"], "reused");
    assert_eq!(stages["chosen"]["status"], "computed");
    assert_eq!((&stages["shards"]["computed"], &stages["shards"]["items"]), (&1.into(), &3.into()));
    // Another query with the same result.
    std::fs::write(folder.path().join("p.yaml"), yaml.replace("USING (item)", "USING (item) WHERE true"))
        .unwrap();
    let stages = run(folder.path());
    assert_eq!(
        (&stages["chosen"]["status"], &stages["shards"]["status"]),
        (&"computed".into(), &"reused".into())
    );
}

#[test]
fn causes_are_those_of_the_output_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    tones(folder.path());
    run(folder.path());
    let at = |rate: &str, command: &str| {
        let setting = format!("rate={rate}");
        text(
            folder.path(),
            &[&[command, "p.yaml"], &["shards"][..usize::from(command == "why")], &["--set", &setting]]
                .concat(),
        )
    };
    at("8000", "run");
    at("16000", "run");
    // What was computed last came between.
    let why = at("16000", "why");
    assert!(!why.contains("8000"), "{why}");
    assert!(at("8000", "why").contains("when it was last computed: at16k.rate 16000 → 8000"));
    let size = |status: &str| status.lines().find(|line| line.starts_with("shards")).unwrap().to_owned();
    at("8000", "run");
    assert_ne!(size(&at("16000", "status")), size(&at("8000", "status")), "each has the size of its own");

    // Which files are taken is a cause as well.
    let yaml = std::fs::read_to_string(folder.path().join("p.yaml")).unwrap();
    let narrowed = yaml.replace("path: \"${music}\"", "path: \"${music}\", exclude: [\"sub/**\"]");
    assert_ne!(yaml, narrowed);
    std::fs::write(folder.path().join("p.yaml"), narrowed).unwrap();
    let why = at("16000", "why");
    assert!(why.contains("files.exclude [] → [\"sub/**\"]"), "{why}");
    assert!(why.contains("item sub/c.wav was removed"), "{why}");
}

#[test]
fn what_cannot_be_read_of_a_store_is_told() {
    let folder = tempfile::tempdir().unwrap();
    tones(folder.path());
    let yaml = std::fs::read_to_string(folder.path().join("p.yaml")).unwrap();
    std::fs::write(folder.path().join("near.yaml"), yaml + "  near: {op: retrieve, from: [pooled]}\n")
        .unwrap();
    let retry = command(folder.path(), &["retry", "near.yaml", "near"]).output().unwrap();
    assert!(stderr(&retry).contains("stage `near`: takes everything at once"), "{}", stderr(&retry));
    run(folder.path());
    for arguments in [["log", "--store", "typo"], ["verify", "--store", "typo"]] {
        let output = command(folder.path(), &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("there is no store at typo"), "{}", stderr(&output));
    }
    let record = folder.path().join(".etude/runs/000001");
    let damaged = std::fs::read_to_string(&record).unwrap().replace("seconds", "second5");
    std::fs::write(&record, damaged).unwrap();
    let gc = command(folder.path(), &["gc", "--keep", "1"]).output().unwrap();
    assert!(stderr(&gc).contains("runs/000001 is damaged, so all results are kept"), "{}", stderr(&gc));
    assert!(text(folder.path(), &["log"]).contains("is damaged"));
    let encoded = format!("file://{}/.et%75de", folder.path().display());
    assert!(text(folder.path(), &["log", "--store", &encoded]).contains("is damaged"));
}
