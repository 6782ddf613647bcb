//! The other commands, and how a run ends.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use common::{SHARDS, etude, stderr, stdout};
use serde_json::Value;

fn demo() -> String {
    format!("{}/pipelines/demo.yaml", env!("CARGO_MANIFEST_DIR"))
}

fn ok(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = etude(folder.path()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "{arguments:?} wrote something");
    stdout(&output)
}

#[test]
fn check_and_graph_read_no_audio() {
    ok(&["check", &demo()]);
    let mermaid = ok(&["graph", &demo()]);
    assert!(mermaid.starts_with("flowchart TD\n"));
    for line in
        ["shards --> views", "model -- model --> trained", "trained --> nearest", "shards[(\"shards\")]"]
    {
        assert!(mermaid.contains(line), "{line}");
    }
    let dot = ok(&["graph", &demo(), "--format", "dot"]);
    assert!(dot.starts_with("digraph \"demo\" {") && dot.contains("\"files\" -> \"audio\""));
}

#[test]
fn every_operator_and_parameter_is_documented() {
    let overview = ok(&["ops"]);
    let markdown = ok(&["ops", "--markdown"]);
    let names: Vec<&str> = overview.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(names.len() >= 12);
    for name in &names {
        assert!(
            overview.lines().any(|line| line.starts_with(name) && line.len() > name.len() + 20),
            "{name}"
        );
        let page = ok(&["ops", name]);
        assert!(markdown.contains(&format!("## {name}\n")));
        for line in page.lines().filter(|line| line.trim_start().starts_with("- `")) {
            let about = line.split_once(": ").unwrap().1;
            assert!(about.len() > 5, "{name}: {line} says nothing");
        }
    }
    let page = ok(&["ops", "segment"]);
    assert!(page.contains("`seconds` (number, may be left out)") && page.contains("`drop`"));
    assert_eq!(
        markdown,
        std::fs::read_to_string(format!("{}/docs/operators.md", env!("CARGO_MANIFEST_DIR"))).unwrap(),
        "docs/operators.md is not what `etude ops --markdown` prints: run `make docs`"
    );
}

#[test]
fn an_unknown_operator_is_answered_with_a_near_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = etude(folder.path()).args(["ops", "resmaple"]).output().unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("did you mean `resample`?"));
}

#[test]
fn the_schema_knows_the_demo() {
    let schema: Value = serde_json::from_str(&ok(&["schema"])).unwrap();
    let branches = schema["properties"]["stages"]["additionalProperties"]["allOf"].as_array().unwrap();
    let branch = |name: &str| {
        branches.iter().find(|branch| branch["if"]["properties"]["op"]["const"] == name).unwrap()
    };
    let segment = &branch("segment")["then"];
    assert_eq!(segment["required"], serde_json::json!(["op"]));
    assert!(segment["properties"]["seconds"]["description"].as_str().unwrap().contains("seconds"));
    assert_eq!(segment["additionalProperties"], false);
    assert_eq!(branch("scan")["then"]["properties"]["path"]["x-kind"], "location");
    let text =
        std::fs::read_to_string(format!("{}/docs/pipeline.schema.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(schema, serde_json::from_str::<Value>(&text).unwrap(), "run `make docs`");
}

#[test]
fn doctor_and_completions() {
    let doctor: Value = serde_json::from_str(&ok(&["doctor", "--json"])).unwrap();
    assert!(doctor["threads"].as_u64().unwrap() > 0);
    assert_eq!(doctor["learning"]["devices"][0], "cpu");
    assert_eq!(doctor["learning"]["omp_wait_policy"], "passive");
    assert!(ok(&["doctor"]).contains("libtorch"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(ok(&["completions", shell]).contains("etude"));
    }
}

#[test]
fn without_the_worker_everything_up_to_the_shards_works() {
    let folder = tempfile::tempdir().unwrap();
    common::write_tone(&folder.path().join("music/a.wav"), 440.0, 40);
    let run = || {
        let mut command = etude(folder.path());
        command.args(["run", &demo()]).env("ETUDE_TRAINER", "/nowhere/etude-trainer");
        command.output().unwrap()
    };
    let output = run();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(
        text.contains("shards: computed") && text.contains("stage `model`: needs the program etude-trainer"),
        "{text}"
    );
    assert!(text.contains("make build") && text.contains("LIBTORCH"));
    assert!(text.contains("ETUDE_TRAINER names"), "{text}");
    // What was computed is there.
    assert!(!stderr(&run()).contains("shards: computed"));
}

#[test]
fn results_that_nobody_reads_to_the_end() {
    let script = format!("\"{}\" schema | true", env!("CARGO_BIN_EXE_etude"));
    let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_run_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    let set = format!("music={}", common::music().display());
    let arguments = ["run", "p.yaml", "--set", &set];
    let child = etude(folder.path()).args(arguments).stderr(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(700));
    common::interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("interrupted"));
    assert!(etude(folder.path()).args(arguments).output().unwrap().status.success());
}

#[test]
fn stages_that_keep_nothing_have_no_path() {
    let folder = tempfile::tempdir().unwrap();
    common::some_music(folder.path());
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    let path = |stage: &str| etude(folder.path()).args(["path", "p.yaml", stage]).output().unwrap();
    assert!(stderr(&path("shards")).contains("run it first"));
    assert!(stderr(&path("clips")).contains("keeps nothing"));
    assert!(stderr(&path("shard")).contains("did you mean `shards`?"));
}
