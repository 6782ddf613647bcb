//! No parameter of an audio operator is accepted and ignored: for each one that the schema lists, what the operator gives
//! depends on it, and what is out of its range is refused where it stands.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod fixture;
mod schema;

use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;

use cases::Case;
use common::{etude, finished};
use serde_json::Value;

/// Stands for a value until the text is made.
const HERE: &str = "\"@\"";

/// A stage as it stands in the file, with the parameter's value.
fn stage(case: &Case, value: &str) -> String {
    let mut parameters = case.beside.clone();
    parameters["op"] = case.operator.into();
    if !case.above.is_empty() {
        parameters["from"] = case.above.into();
    }
    let mut place = &mut parameters;
    for name in case.parameter.split('.') {
        place = match name.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[name],
        };
    }
    *place = "@".into();
    parameters.to_string().replace(HERE, value)
}

/// The stage that keeps what a case gives, and its name.
fn kept(case: &Case, index: usize) -> (String, String) {
    let (name, kept) = (format!("s{index}"), format!("k{index}"));
    let stages = match case.keeps {
        cases::Keeps::Itself => return (String::new(), name),
        cases::Keeps::Metadata => format!("  {kept}: {{op: metadata, from: {name}}}\n"),
        cases::Keeps::Shards => format!("  {kept}: {{op: shards, from: {name}, codec: f32}}\n"),
        cases::Keeps::Segments => format!(
            "  c{index}: {{op: segment, from: {name}, seconds: 0.5}}\n  {kept}: {{op: shards, from: c{index}, codec: f32}}\n"
        ),
    };
    (stages, kept)
}

/// The digest of what a stage gave in a run, and in how many files.
fn digest(folder: &Path, record: &Value, stage: &str) -> String {
    let snapshot = common::stored(&common::snapshot(folder, record, stage));
    format!("{} in {}", snapshot["digest"], snapshot["files"].as_array().map_or(0, Vec::len))
}

/// What each case keeps, by digest, with the first or the second of its values.
fn digests(folder: &Path, cases: &[Case], which: usize) -> Vec<String> {
    let mut yaml = format!("name: parameters\nstages:\n{}", fixture::STAGES);
    let mut names = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let (stages, name) = kept(case, index);
        yaml += &format!("  s{index}: {}\n{stages}", stage(case, &case.values[which].to_string()));
        names.push(name);
    }
    std::fs::write(folder.join("p.yaml"), yaml).unwrap();
    // Where a limit is low, all items are rejected.
    finished(etude(folder).args(["run", "p.yaml", "--max-rejects", "100%"]));
    let record = common::record(folder);
    names.iter().map(|name| digest(folder, &record, name)).collect()
}

/// The font that `make test` fetches, twice: one as it is, one with other samples.
fn fonts(folder: &Path) -> bool {
    let Some(font) = common::font() else { return false };
    let mut bytes = std::fs::read(font).unwrap();
    std::fs::write(folder.join("one.sf2"), &bytes).unwrap();
    // Samples lie in the chunk `smpl`, which takes up almost all of the file.
    let middle = bytes.len() / 2;
    bytes[middle - 2_000_000..middle].iter_mut().for_each(|byte| *byte = byte.wrapping_add(16));
    std::fs::write(folder.join("two.sf2"), bytes).unwrap();
    true
}

#[test]
fn what_an_operator_gives_depends_on_each_parameter() {
    let folder = tempfile::tempdir().unwrap();
    fixture::write(folder.path());
    let mut cases = cases::all();
    let missing = schema::leaves(folder.path());
    let missing: Vec<_> = missing.iter().filter(|leaf| !cases.iter().any(|case| leaf.is(case))).collect();
    assert!(missing.is_empty(), "no case of {missing:#?}");
    // An archive that exceeds a limit ends the run: `scan` has the test.
    cases.retain(|case| !case.parameter.starts_with("archives.max_"));
    if !fonts(folder.path()) {
        cases.retain(|case| case.operator != "render");
    }
    let [first, second] = [0, 1].map(|which| digests(folder.path(), &cases, which));
    let ignored = cases.iter().zip(first.iter().zip(&second)).filter(|(_, (one, other))| one == other);
    let ignored: Vec<_> = ignored.map(|(case, _)| format!("{}.{}", case.operator, case.parameter)).collect();
    assert!(ignored.is_empty(), "nothing depends on {ignored:#?}");
}

#[test]
fn what_is_out_of_range_is_refused_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    fixture::write(folder.path());
    let _ = fonts(folder.path());
    let leaves = schema::leaves(folder.path());
    let mut stages = Vec::new();
    for case in cases::all().into_iter().chain(cases::never()) {
        let schema = leaves.iter().find(|leaf| leaf.is(&case)).map(|leaf| leaf.refused()).unwrap_or_default();
        let refused: Vec<String> =
            case.refused.iter().map(|value| (*value).to_owned()).chain(schema).collect();
        assert!(!refused.is_empty() || case.takes_all, "{}.{} has no range", case.operator, case.parameter);
        for value in refused {
            stages.push(Stage {
                text: stage(&case, HERE),
                name: case.parameter.rsplit('.').next().unwrap().to_owned(),
                what: format!("{}.{}: {value}", case.operator, case.parameter),
                value,
            });
        }
    }
    assert!(stages.len() > 500, "{}", stages.len());
    // What an operator says of its parameters, it says at once; of what stands above it only where all else is right.
    let left = accepted(folder.path(), &stages);
    let accepted: Vec<_> =
        left.iter().flat_map(|stage| accepted(folder.path(), std::slice::from_ref(stage))).collect();
    let what: Vec<_> = accepted.into_iter().map(|stage| stage.what).collect();
    assert!(
        what.is_empty(),
        "of {} values these are not refused where they stand, by name: {what:#?}",
        stages.len()
    );
}

/// A stage with a value that is to be refused.
#[derive(Clone)]
struct Stage {
    /// With [`HERE`] in the value's place.
    text: String,
    value: String,
    /// The parameter's.
    name: String,
    what: String,
}

/// Those stages of which no error tells the place of the value and the parameter's name.
fn accepted(folder: &Path, stages: &[Stage]) -> Vec<Stage> {
    let mut yaml = format!("name: parameters\nstages:\n{}", fixture::STAGES);
    let mut places = Vec::new();
    for (index, Stage { text, value, name, .. }) in stages.iter().enumerate() {
        let text = format!("  s{index}: {text}\n");
        let column = text.find(HERE).unwrap() + 1;
        places.push((yaml.lines().count() + 1, column..=column + value.len(), name.clone()));
        yaml += &text.replace(HERE, value);
    }
    std::fs::write(folder.join("p.yaml"), yaml).unwrap();
    let errors = errors(etude(folder).args(["check", "p.yaml"]));
    let told = |(line, columns, name): &(usize, RangeInclusive<usize>, String)| {
        let named = |message: &str| {
            [format!("`{name}`"), format!("`{name}."), format!(".{name}`"), format!(".{name}.")]
                .iter()
                .any(|name| message.contains(name))
        };
        errors
            .iter()
            .any(|(found, column, message)| found == line && columns.contains(column) && named(message))
    };
    stages.iter().zip(&places).filter(|(_, place)| !told(place)).map(|(stage, _)| stage.clone()).collect()
}

/// All errors: line, column and message.
fn errors(command: &mut Command) -> Vec<(usize, usize, String)> {
    let text = common::stderr(&command.output().unwrap());
    let (mut errors, mut message) = (Vec::new(), "");
    for line in text.lines() {
        message = line.strip_prefix("error: ").unwrap_or(message);
        if let Some((line, column)) =
            line.trim().strip_prefix("--> p.yaml:").and_then(|place| place.split_once(':'))
        {
            errors.push((line.parse().unwrap(), column.parse().unwrap(), message.to_owned()));
        }
    }
    errors
}
