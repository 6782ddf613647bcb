//! What a second run does: nothing where nothing changed, what it must where something did.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{SHARDS, digests, etude, events, finished, some_music, statuses, stdout, write_tone};

fn shards(folder: &Path) -> Command {
    let mut command = etude(folder);
    command.args(["run", "p.yaml"]);
    command
}

fn plan(folder: &Path, set: &[&str]) -> String {
    let mut command = etude(folder);
    command.args(["plan", "p.yaml"]);
    for setting in set {
        command.args(["--set", setting]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success());
    let text = stdout(&output);
    text.lines().find(|line| line.starts_with("shards ")).unwrap().to_owned()
}

#[test]
fn the_same_again_reuses_everything() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    let before = digests(&folder.path().join(".etude"));
    assert!(before.is_empty());
    let planned = plan(folder.path(), &[]);
    assert!(planned.contains("compute  3 new     not computed before"), "{planned}");
    assert!(!folder.path().join(".etude").exists(), "plan writes nothing");

    let first = finished(&mut shards(folder.path()));
    assert!(first.values().all(|stage| stage["status"] == "computed"), "{:?}", statuses(&first));
    let after = digests(&folder.path().join(".etude/data"));
    let second = finished(&mut shards(folder.path()));
    assert!(second.values().all(|stage| stage["status"] == "reused"), "{:?}", statuses(&second));
    assert_eq!(after, digests(&folder.path().join(".etude/data")));
    assert_eq!(first["shards"]["rows"], second["shards"]["rows"]);
    assert!(plan(folder.path(), &[]).contains("reuse"));

    // Another time stamp is no change.
    let file = folder.path().join("music/asc/machine_wars.mp3");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, bytes).unwrap();
    assert!(finished(&mut shards(folder.path())).values().all(|stage| stage["status"] == "reused"));
}

#[test]
fn a_parameter_changed_and_changed_back() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    finished(&mut shards(folder.path()));
    assert!(plan(folder.path(), &["rate=8000"]).contains("at16k.rate 16000 → 8000"));
    let changed = finished(shards(folder.path()).args(["--set", "rate=8000"]));
    assert_eq!(changed["shards"]["status"], "computed");
    let back = finished(&mut shards(folder.path()));
    assert!(back.values().all(|stage| stage["status"] == "reused"), "{:?}", statuses(&back));
}

#[test]
fn files_that_are_added_changed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, hz) in [("a", 220.0), ("b", 330.0), ("c", 440.0)] {
        write_tone(&folder.path().join(format!("music/{name}.wav")), hz, 25);
    }
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    finished(&mut shards(folder.path()));

    write_tone(&folder.path().join("music/d.wav"), 550.0, 25);
    assert!(plan(folder.path(), &[]).contains("item d.wav is new"));
    let stages = finished(&mut shards(folder.path()));
    assert_eq!((&stages["shards"]["items"], &stages["shards"]["rows"]), (&4.into(), &8.into()));

    write_tone(&folder.path().join("music/b.wav"), 333.0, 25);
    assert!(plan(folder.path(), &[]).contains("item b.wav is changed"));
    finished(&mut shards(folder.path()));

    std::fs::remove_file(folder.path().join("music/a.wav")).unwrap();
    assert!(plan(folder.path(), &[]).contains("item a.wav is removed"));
    let stages = finished(&mut shards(folder.path()));
    assert_eq!(stages["shards"]["items"], 3);

    // What all that ended with is what a clean run gives.
    let incremental = stdout(&etude(folder.path()).args(["path", "p.yaml", "shards"]).output().unwrap());
    finished(shards(folder.path()).args(["--store", "clean"]));
    let arguments = ["path", "p.yaml", "shards", "--store", "clean"];
    let clean = stdout(&etude(folder.path()).args(arguments).output().unwrap());
    assert_eq!(incremental.lines().count(), 1);
    for (ours, theirs) in incremental.lines().zip(clean.lines()) {
        assert_eq!(std::fs::read(ours).unwrap(), std::fs::read(theirs).unwrap());
    }
}

#[test]
fn only_missing_shards_are_computed() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    let yaml = SHARDS.replace("{op: shards}", "{op: shards, megabytes: 2}");
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    finished(&mut shards(folder.path()));
    let before = digests(&folder.path().join(".etude/data"));
    let paths = stdout(&etude(folder.path()).args(["path", "p.yaml", "shards"]).output().unwrap());
    assert!(paths.lines().count() > 1);
    std::fs::remove_file(paths.lines().next().unwrap()).unwrap();
    let stages = finished(&mut shards(folder.path()));
    assert_eq!(stages["shards"]["status"], "partial");
    assert_eq!(before, digests(&folder.path().join(".etude/data")));
}

#[test]
fn a_killed_run_leaves_the_store_usable() {
    let folder = tempfile::tempdir().unwrap();
    let music = common::music();
    std::fs::write(
        folder.path().join("p.yaml"),
        SHARDS.replace("{op: shards}", "{op: shards, megabytes: 8}"),
    )
    .unwrap();
    let set = format!("music={}", music.display());
    for milliseconds in [300, 900] {
        let mut child =
            shards(folder.path()).args(["--set", &set]).stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    finished(shards(folder.path()).args(["--set", &set]));
    finished(shards(folder.path()).args(["--set", &set, "--store", "clean"]));
    assert_eq!(digests(&folder.path().join(".etude/data")), digests(&folder.path().join("clean/data")));
}

#[test]
fn two_runs_at_once_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    let runs: Vec<_> = (0..2).map(|_| shards(folder.path()).spawn().unwrap()).collect();
    assert!(runs.into_iter().all(|mut run| run.wait().unwrap().success()));
    assert!(finished(&mut shards(folder.path())).values().all(|stage| stage["status"] == "reused"));
}

#[test]
fn rejects_are_told_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..9 {
        write_tone(&folder.path().join(format!("music/{index}.wav")), 200.0 + f64::from(index), 11);
    }
    std::fs::write(folder.path().join("music/bad.mp3"), [0u8; 3000]).unwrap();
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    // One of ten is 10 %: allowed.
    let told = events(&mut shards(folder.path()), true);
    let reject = told.iter().find(|event| event["event"] == "rejected").unwrap();
    assert_eq!((&reject["stage"], &reject["item"]), (&"audio".into(), &"bad.mp3".into()));
    assert_eq!(reject["class"], "format");
    assert!(reject["offset"].as_str().unwrap().contains("byte"));

    // Two of eleven are more; what is good is stored all the same.
    std::fs::write(folder.path().join("music/worse.ogg"), "OggS and no more").unwrap();
    let told = events(&mut shards(folder.path()), false);
    let last = told.last().unwrap();
    assert_eq!(last["event"], "failed");
    assert!(last["message"].as_str().unwrap().contains("2 of 11 items were rejected"));
    let stages = finished(shards(folder.path()).args(["--max-rejects", "2"]));
    assert_eq!(stages["shards"]["status"], "reused");
    assert_eq!(stages["shards"]["items"], 9);
}

#[test]
fn a_damaged_shard_is_computed_again() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    finished(&mut shards(folder.path()));
    let before = digests(&folder.path().join(".etude/data"));
    let paths = stdout(&etude(folder.path()).args(["path", "p.yaml", "shards"]).output().unwrap());
    let path = paths.lines().next().unwrap();
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() - 1000]).unwrap();
    assert_eq!(finished(&mut shards(folder.path()))["shards"]["status"], "computed");
    assert_eq!(before, digests(&folder.path().join(".etude/data")));
}

/// Writes a tone as FLAC, by way of a shard.
fn write_flac(folder: &Path, target: &Path) {
    write_tone(&folder.join("tone/tone.wav"), 440.0, 12);
    let yaml = SHARDS.replace("rate: 16000", "rate: 8000").replace("seconds: 10", "seconds: 12");
    std::fs::write(folder.join("flac.yaml"), yaml).unwrap();
    let arguments = ["--set", "music=tone", "--store", "flac"];
    finished(etude(folder).args(["run", "flac.yaml"]).args(arguments));
    let paths =
        stdout(&etude(folder).args(["path", "flac.yaml", "shards"]).args(arguments).output().unwrap());
    let file = std::fs::File::open(paths.trim()).unwrap();
    let mut reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap();
    let batch = reader.next().unwrap().unwrap();
    let audio = arrow::array::AsArray::as_struct(batch.column_by_name("audio").unwrap());
    let bytes = arrow::array::AsArray::as_binary::<i32>(audio.column(0)).value(0);
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    std::fs::write(target, bytes).unwrap();
}

#[test]
fn no_frame_is_lost_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("music/tone.flac");
    write_flac(folder.path(), &path);
    let good = std::fs::read(&path).unwrap();
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    let outcome = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let stages = finished(shards(folder.path()).args(["--max-rejects", "1"]));
        (stages["audio"]["items"].as_u64().unwrap(), stages["audio"]["rejected"].as_u64().unwrap())
    };
    assert_eq!(outcome(&good), (1, 0));
    // A tag at the end is no frame.
    assert_eq!(outcome(&[good.as_slice(), b"TAG", &[0; 125]].concat()), (1, 0));
    // A flipped bit in the first, a middle and the last quarter, and an end that is missing.
    for at in [200, good.len() / 2, good.len() * 7 / 8] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        assert_eq!(outcome(&bad), (0, 1), "a flipped bit at byte {at}");
    }
    assert_eq!(outcome(&good[..good.len() * 3 / 5]), (0, 1));
    // Left out and counted, if that is what is asked for.
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 0x10;
    std::fs::write(&path, bad).unwrap();
    std::fs::write(
        folder.path().join("p.yaml"),
        SHARDS.replace("channels: mono", "channels: mono, on_damage: keep"),
    )
    .unwrap();
    let stages = finished(&mut shards(folder.path()));
    assert_eq!((&stages["audio"]["items"], &stages["audio"]["rejected"]), (&1.into(), &0.into()));
    assert!(stages["audio"]["counters"]["skipped_packets"].as_u64().unwrap() >= 1);
}

#[test]
fn a_flipped_bit_in_a_vorbis_page_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(common::music().join("fretsonfire/Feelings/guitar.ogg")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::create_dir(folder.path().join("music")).unwrap();
    std::fs::write(folder.path().join("music/flipped.ogg"), &bytes).unwrap();
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    let stages = finished(shards(folder.path()).args(["--max-rejects", "1"]));
    assert_eq!((&stages["audio"]["items"], &stages["audio"]["rejected"]), (&0.into(), &1.into()));
}

#[test]
fn files_that_claim_what_is_not_so() {
    let folder = tempfile::tempdir().unwrap();
    write_tone(&folder.path().join("music/good.wav"), 440.0, 12);
    let good = std::fs::read(folder.path().join("music/good.wav")).unwrap();
    let with = |name: &str, at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        std::fs::write(folder.path().join("music").join(name), file).unwrap();
    };
    // Written to a pipe: the length is not known. That one is good.
    let mut pipe = good.clone();
    pipe[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    pipe[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    std::fs::write(folder.path().join("music/pipe.wav"), pipe).unwrap();
    with("long.wav", 40, &1_900_000_000u32.to_le_bytes());
    with("no_rate.wav", 24, &0u32.to_le_bytes());
    with("slow.wav", 24, &1u32.to_le_bytes());
    with("channels.wav", 22, &u16::MAX.to_le_bytes());
    with("none.wav", 40, &0u32.to_le_bytes());
    std::fs::write(folder.path().join("music/cut.wav"), &good[..good.len() / 2]).unwrap();
    std::fs::write(folder.path().join("music/really.mp3"), &good).unwrap();
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    let told = events(shards(folder.path()).args(["--max-rejects", "100%"]), true);
    let rejected: Vec<&str> = told
        .iter()
        .filter(|event| event["event"] == "rejected")
        .inspect(|event| assert_ne!(event["class"], "panic", "{event}"))
        .map(|event| event["item"].as_str().unwrap())
        .collect();
    assert_eq!(rejected, ["channels.wav", "cut.wav", "long.wav", "no_rate.wav", "none.wav", "slow.wav"]);
    assert_eq!(told.last().unwrap()["stages"]["shards"]["items"], 3);
}

#[test]
fn a_packet_that_cannot_be_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(common::music().join("fretsonfire/Feelings/guitar.ogg")).unwrap();
    bytes.truncate(400_000);
    std::fs::create_dir(folder.path().join("music")).unwrap();
    std::fs::write(folder.path().join("music/cut.ogg"), &bytes).unwrap();
    std::fs::write(
        folder.path().join("p.yaml"),
        SHARDS.replace("channels: mono", "channels: mono, on_damage: keep"),
    )
    .unwrap();
    let stages = finished(&mut shards(folder.path()));
    assert_eq!(stages["shards"]["items"], 1);
    assert!(stages["shards"]["rows"].as_u64().unwrap() >= 1);
}
