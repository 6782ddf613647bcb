//! A store on a server that speaks S3: the same as in a folder, whatever goes wrong between.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::s3::{Server, Wrong, between, point};
use common::{digests, etude, events, finished, stderr, stdout, write_tone};
use serde_json::Value;

const STORE: &str = "s3://bucket/a store";
const STAGES: [&str; 3] = ["chosen", "shards", "pooled"];

/// Headers, a query over them, and two stages of items, over eight tones; a megabyte a shard.
fn tones(folder: &Path) {
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let hz = 200.0 + f64::from(name.as_bytes()[0]);
        write_tone(&folder.join(format!("music/{name}.wav")), hz, 25);
    }
    let yaml = r#"
name: objects
vars: {seconds: 10}
stages:
  files:  {op: scan, path: music}
  tags:   {op: metadata}
  chosen: {op: sql, query: "SELECT item FROM tags WHERE duration > 1"}
  audio:  {op: decode, channels: mono}
  at16k:  {op: resample, rate: 16000}
  clips:  {op: segment, seconds: "${seconds}"}
  shards: {op: shards, megabytes: 1}
  mel:    {op: mel, n_mels: 16}
  pooled: {op: pool}
"#;
    std::fs::write(folder.join("p.yaml"), yaml).unwrap();
}

/// A command of a machine, which has copies of its own.
fn on(folder: &Path, machine: &str, endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = etude(folder);
    command.env("ETUDE_CACHE", folder.join(machine)).args(arguments).args(["--store", STORE]);
    point(&mut command, endpoint);
    // Long enough for what fails once or twice.
    command.env("ETUDE_NETWORK_SECONDS", "2");
    command
}

fn text(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// The files of the stages, by name, as a machine sees them.
fn files(folder: &Path, machine: &str, endpoint: &str, with: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for stage in STAGES {
        let arguments = [&["path", "p.yaml", stage], with].concat();
        for path in text(&mut on(folder, machine, endpoint, &arguments)).lines() {
            let path = PathBuf::from(path);
            let name: PathBuf = path.iter().skip_while(|part| *part != "data").skip(1).collect();
            files.insert(name.to_str().unwrap().to_owned(), std::fs::read(&path).unwrap());
        }
    }
    files
}

/// What a store in a folder has after one run.
fn clean(folder: &Path, with: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let arguments = [&["run", "p.yaml", "--store", "clean"], with].concat();
    finished(etude(folder).args(arguments));
    let all = digests(&folder.join("clean/data"));
    std::fs::remove_dir_all(folder.join("clean")).unwrap();
    all
}

/// Whether a machine has every file that a clean run gives, but for that of the headers.
fn equal(ours: &BTreeMap<String, Vec<u8>>, clean: &BTreeMap<String, Vec<u8>>) -> bool {
    !ours.is_empty() && ours.iter().all(|(name, bytes)| clean.get(name) == Some(bytes))
}

fn server(test: &str) -> Option<Server> {
    let server = Server::start("bucket");
    if server.is_none() {
        assert!(std::env::var_os("ETUDE_TESTS_SKIP_NOTHING").is_none(), "{test} needs moto");
        println!("skipped {test}: python3 has no moto (tests/python/requirements.txt)");
    }
    server
}

#[test]
fn a_store_behind_a_url_is_one_for_all_machines() {
    let Some(mut server) = server("a_store_behind_a_url_is_one_for_all_machines") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tones(folder);
    let endpoint = &server.endpoint.clone();
    let run = |machine: &str| finished(&mut on(folder, machine, endpoint, &["run", "p.yaml"]));
    let planned = || text(&mut on(folder, "two", endpoint, &["plan", "p.yaml", "--json"]));
    assert!(planned().contains("not computed before"));
    let stages = run("one");
    assert_eq!((&stages["shards"]["computed"], &stages["shards"]["items"]), (&8.into(), &8.into()));
    assert!(equal(&files(folder, "one", endpoint, &[]), &clean(folder, &[])));

    // Nothing is to be done, here or elsewhere.
    for machine in ["one", "two"] {
        let stages = run(machine);
        assert!(stages.values().all(|stage| stage["status"] == "reused"), "{machine}: {stages:?}");
    }
    let shard = |path: &Path| path.extension().is_some_and(|kind| kind == "parquet");
    let copies = |machine: &str| {
        let root = folder.join(machine).join("stores");
        if !root.exists() {
            return 0;
        }
        digests(&root).keys().filter(|name| !name.contains("/marks/") && shard(Path::new(name))).count()
    };
    assert!(copies("one") > 3);
    assert_eq!(copies("two"), 1, "the table of the query alone has been fetched");

    // Another machine computes what is new, and copies the rest of that shard.
    write_tone(&folder.join("music/b.wav"), 999.0, 25);
    let why = text(&mut on(folder, "two", endpoint, &["why", "p.yaml", "shards"]));
    assert!(why.contains("shards: because tags: item b.wav is changed"), "{why}");
    let planned = planned();
    assert!(planned.contains(r#""tags":{"action":"partial""#), "{planned}");
    assert_eq!(copies("two"), 1, "a plan fetches no shard");
    let stages = run("two");
    for stage in ["shards", "pooled"] {
        assert_eq!(
            (&stages[stage]["computed"], &stages[stage]["status"]),
            (&1.into(), &"partial".into()),
            "{stage}"
        );
    }
    let expected = clean(folder, &[]);
    assert!(equal(&files(folder, "two", endpoint, &[]), &expected));
    let stages = run("one");
    assert!(stages.values().all(|stage| stage["status"] == "reused"), "{stages:?}");
    assert!(equal(&files(folder, "one", endpoint, &[]), &expected));

    // Two at once.
    let other = ["--set", "seconds=5"];
    let running: Vec<_> = ["one", "two"]
        .map(|machine| {
            let arguments = [&["run", "p.yaml"][..], &other].concat();
            on(folder, machine, endpoint, &arguments).stderr(Stdio::null()).spawn().unwrap()
        })
        .into();
    running.into_iter().for_each(|mut child| assert!(child.wait().unwrap().success()));
    assert!(equal(&files(folder, "one", endpoint, &other), &clean(folder, &other)));

    // A collection keeps what the last run ended with, and nothing else; what is damaged is found.
    let log = text(&mut on(folder, "one", endpoint, &["log"]));
    assert_eq!(log.lines().count(), 7, "{log}");
    text(&mut on(folder, "one", endpoint, &["gc", "--apply", "--keep", "1"]));
    assert!(text(&mut on(folder, "two", endpoint, &["gc"])).contains("nothing to remove"));
    assert!(text(&mut on(folder, "two", endpoint, &["verify"])).contains(" 0 damaged"));
    let kept = files(folder, "one", endpoint, &other);
    let victim = kept.keys().find(|name| name.contains("0/") || name.contains("all/")).unwrap();
    std::fs::write(folder.join("junk"), vec![1; kept[victim].len()]).unwrap();
    server.put(&format!("a store/data/{victim}"), &folder.join("junk"));
    let found = on(folder, "two", endpoint, &["verify"]).output().unwrap();
    assert_eq!(found.status.code(), Some(1));
    assert!(stdout(&found).contains(&format!("data/{victim}: its content does not match its digest")));
    let repair = [&["verify", "p.yaml", "--repair"][..], &other].concat();
    text(&mut on(folder, "two", endpoint, &repair));
    assert!(files(folder, "two", endpoint, &other) == kept);
    assert!(files(folder, "one", endpoint, &other) == kept, "an old copy is not taken for the new object");
}

#[test]
fn whatever_the_server_does_a_run_ends_as_it_should() {
    let Some(mut server) = server("whatever_the_server_does_a_run_ends_as_it_should") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tones(folder);
    // Of any four requests one goes wrong, each time in another way.
    let (wrong, left) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let endpoint = &between(&server.endpoint, {
        let (wrong, left) = (wrong.clone(), left.clone());
        move |number, _| {
            let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            let less = |left: u64| left.checked_sub(1);
            if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err() {
                return Some(Wrong::Busy);
            }
            if random % 4 != 0 {
                return None;
            }
            wrong.fetch_add(1, Ordering::Relaxed);
            Some([Wrong::Request, Wrong::Answer, Wrong::Busy, Wrong::Denied][(random / 4 % 4) as usize])
        }
    });
    let mut failed = 0;
    for round in 0..3u64 {
        let with = ["--set", &format!("seconds={}", 4 + round)];
        let arguments = [&["run", "p.yaml"][..], &with].concat();
        for tries in 0.. {
            // At first the server goes away in the middle.
            let requests = if tries == 0 { 10 + 12 * round } else { u64::MAX };
            left.store(requests, Ordering::Relaxed);
            let output = on(folder, "one", endpoint, &arguments).output().unwrap();
            if output.status.success() {
                break;
            }
            let said = stderr(&output);
            assert!(said.contains("error: s3://bucket/a store/"), "{said}");
            failed += 1;
            // Whoever could not take its lock back is waited for, for a minute: here it has gone by.
            server.delete("a store/lock/");
            assert!(tries < 20, "{said}");
        }
        let expected = clean(folder, &with);
        assert!(equal(&files(folder, "one", &server.endpoint, &with), &expected), "round {round}");
        assert!(equal(&files(folder, "other", &server.endpoint, &with), &expected), "round {round}");
    }
    let wrong = wrong.load(Ordering::Relaxed);
    println!("{wrong} requests went wrong, {failed} runs ended with an error");
    assert!(wrong > 30 && failed > 0, "{wrong}, {failed}");
    assert!(text(&mut on(folder, "two", &server.endpoint, &["verify"])).contains(" 0 damaged"));
}

#[test]
fn killed_at_any_moment_a_store_behind_a_url_is_whole() {
    let Some(mut server) = server("killed_at_any_moment_a_store_behind_a_url_is_whole") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tones(folder);
    let endpoint = &server.endpoint.clone();
    let (mut random, mut killed, mut round) = (88_172_645_463_325_252u64, 0, 0);
    let mut whole = Duration::from_millis(200);
    while killed < 20 {
        let with = ["--set", &format!("seconds={}", 3.0 + f64::from(round) / 10.0)];
        let arguments = [&["run", "p.yaml"][..], &with].concat();
        for _ in 0..5 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let machine = if random % 2 == 0 { "one" } else { "two" };
            let mut child = on(folder, machine, endpoint, &arguments).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(whole.mul_f64((random % 1000) as f64 / 1000.0));
            child.kill().unwrap();
            killed += u32::from(!child.wait().unwrap().success());
            // Someone who was killed with the lock is waited for, for a minute: here it has gone by.
            server.delete("a store/lock/");
        }
        let begin = Instant::now();
        finished(&mut on(folder, "one", endpoint, &arguments));
        whole = whole.max(begin.elapsed());
        let expected = clean(folder, &with);
        for machine in ["one", "two", "three"] {
            assert!(equal(&files(folder, machine, endpoint, &with), &expected), "{machine}, round {round}");
        }
        round += 1;
        assert!(round < 100, "nothing is ever killed");
    }
    println!("{killed} kills in {round} rounds");
    assert!(text(&mut on(folder, "two", endpoint, &["verify"])).contains(" 0 damaged"));
}

/// The files in a folder and their bytes, while files come and go.
fn files_in(folder: &Path) -> Vec<(PathBuf, u64)> {
    let entries =
        std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let files = |path: PathBuf| match path.is_dir() {
        true => files_in(&path),
        false => std::fs::metadata(&path).map(|found| (path, found.len())).into_iter().collect(),
    };
    entries.flat_map(files).collect()
}

/// Bytes of the shards in a folder.
fn shards_in(folder: &Path) -> u64 {
    let shard = |path: &Path| {
        path.extension().is_some_and(|kind| kind == "parquet") && !path.iter().any(|part| part == "marks")
    };
    files_in(folder).into_iter().filter(|(path, _)| shard(path)).map(|(_, bytes)| bytes).sum()
}

#[test]
fn a_training_has_few_shards_here_at_a_time() {
    let Some(server) = server("a_training_has_few_shards_here_at_a_time") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for song in 0..24 {
        write_tone(&folder.join(format!("music/{song}.wav")), 200.0 + 20.0 * f64::from(song), 25);
    }
    let yaml = r#"
seed: 7
vars: {epochs: 3}
stages:
  files:  {op: scan, path: music}
  audio:  {op: decode, channels: mono}
  at8k:   {op: resample, rate: 8000}
  clips:  {op: segment, seconds: 2}
  shards: {op: shards, megabytes: 1, codec: i16}
  views:  {op: crop, seconds: 1, views: 2}
  noisy:  {op: augment, chain: [{gain: {}}, {noise: {}}]}
  model:
    op: train
    encoder: {cnn: {mel: {n_fft: 256, hop: 128, n_mels: 32}, channels: [8, 16]}}
    objective: {nt_xent: {}}
    projector: {hidden: 32, outputs: 16}
    batch: 8
    epochs: "${epochs}"
    window: 1
    device: cpu
    save: 1
"#;
    std::fs::write(folder.join("p.yaml"), yaml).unwrap();
    let endpoint = &server.endpoint;
    let shards = |machine: &str| shards_in(&folder.join(machine).join("stores"));
    finished(&mut on(folder, "one", endpoint, &["run", "p.yaml", "--until", "shards"]));
    let all = shards("one");
    assert!(all > 8 << 20, "{all} bytes of shards");

    let mut run = on(folder, "two", endpoint, &["run", "p.yaml"]);
    let mut running = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut most = 0;
    while running.try_wait().unwrap().is_none() {
        most = most.max(shards("two"));
        std::thread::sleep(Duration::from_millis(2));
    }
    let ended = running.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", stderr(&ended));
    // Three windows of a megabyte.
    assert!((1..=3 << 20).contains(&most), "{most} of {all} bytes were here");
    let model = |name: &str| name.ends_with("model.safetensors");
    let weights = |command: &mut Command| {
        let paths = text(command);
        std::fs::read(folder.join(paths.lines().find(|path| model(path)).unwrap())).unwrap()
    };
    assert!(shards_in(&folder.join("two/stores")) < 1 << 20, "what has come is gone");
    let trained = weights(&mut on(folder, "two", endpoint, &["path", "p.yaml", "model"]));

    // A run that is killed goes on where it was.
    let longer = ["--set", "epochs=12"];
    let arguments = [&["run", "p.yaml"][..], &longer].concat();
    let mut run = on(folder, "three", endpoint, &arguments);
    let mut running = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let whole =
        |path: &Path| path.ends_with("state.safetensors") && !path.iter().any(|part| part == "partial");
    let saved = || files_in(&folder.join("three")).iter().any(|(path, _)| whole(path));
    while !saved() && running.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    running.kill().unwrap();
    assert!(!running.wait().unwrap().success(), "it ended before it was killed");
    let told = events(&mut on(folder, "three", endpoint, &arguments), true);
    let resumed =
        |event: &Value| event["text"].as_str().is_some_and(|text| text.starts_with("goes on after step "));
    assert!(told.iter().any(resumed), "it began anew");
    let path = [&["path", "p.yaml", "model"][..], &longer].concat();
    let resumed = weights(&mut on(folder, "three", endpoint, &path));
    finished(etude(folder).args(&arguments).args(["--store", "here"]));
    assert!(weights(etude(folder).args(&path).args(["--store", "here"])) == resumed);

    // The server is away for a while: what is asked for then is asked for again.
    let (shards_got, since) = (AtomicU64::new(0), std::sync::OnceLock::new());
    let away = between(&server.endpoint, move |_, line| {
        let shard = line.starts_with("GET") && line.contains(".parquet");
        if shard && shards_got.fetch_add(1, Ordering::Relaxed) >= 5 {
            let begin = *since.get_or_init(Instant::now);
            return (begin.elapsed() < Duration::from_secs(3)).then_some(Wrong::Busy);
        }
        None
    });
    finished(&mut on(folder, "four", &away, &["run", "p.yaml", "--force", "model"]));
    assert!(weights(&mut on(folder, "four", endpoint, &["path", "p.yaml", "model"])) == trained);

    // An interrupt while shards are waited for ends it at once.
    let shards_got = std::sync::Arc::new(AtomicU64::new(0));
    let got = shards_got.clone();
    let gone = between(&server.endpoint, move |_, line| {
        let shard = line.starts_with("GET") && line.contains(".parquet");
        (shard && got.fetch_add(1, Ordering::Relaxed) >= 5).then_some(Wrong::Busy)
    });
    let mut run = on(folder, "five", &gone, &["run", "p.yaml", "--force", "model"]);
    let mut running = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while shards_got.load(Ordering::Relaxed) < 8 {
        assert!(running.try_wait().unwrap().is_none(), "it ended before it had to wait");
        std::thread::sleep(Duration::from_millis(5));
    }
    common::interrupt(&running);
    assert_eq!(running.wait().unwrap().code(), Some(130));
    finished(&mut on(folder, "five", endpoint, &["run", "p.yaml", "--force", "model"]));
    assert!(weights(&mut on(folder, "five", endpoint, &["path", "p.yaml", "model"])) == trained);

    // What was here before stays, and where the shards are makes no difference.
    finished(&mut on(folder, "one", endpoint, &["run", "p.yaml", "--force", "model"]));
    assert!(shards("one") >= all);
    assert!(weights(&mut on(folder, "one", endpoint, &["path", "p.yaml", "model"])) == trained);
    finished(etude(folder).args(["run", "p.yaml", "--store", "here"]));
    assert!(weights(etude(folder).args(["path", "p.yaml", "model", "--store", "here"])) == trained);
    // In other shards the same clips come in another order; without a window as well.
    let larger = yaml.replace("megabytes: 1", "megabytes: 2");
    std::fs::write(folder.join("p.yaml"), larger).unwrap();
    finished(etude(folder).args(["run", "p.yaml", "--store", "here"]));
    assert!(weights(etude(folder).args(["path", "p.yaml", "model", "--store", "here"])) != trained);
    let whole = yaml.replace("    window: 1\n", "");
    std::fs::write(folder.join("p.yaml"), whole).unwrap();
    finished(etude(folder).args(["run", "p.yaml", "--store", "here"]));
    assert!(weights(etude(folder).args(["path", "p.yaml", "model", "--store", "here"])) != trained);
}
