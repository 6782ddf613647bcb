//! `include:` — a pipeline file that begins with what another says.

use std::path::{Path, PathBuf};

use super::de::{Problem, from_node};
use super::node::{Key, Node, Value, parse};

/// Files that include each other end somewhere.
const MOST: usize = 64;

/// The files that a pipeline is read from, by name and text; the first includes the others.
#[derive(Debug, Default, Clone)]
pub struct Files(pub Vec<(String, String)>);

/// Reads a file with all that it includes.
///
/// What is included comes before what includes it: its stages stand above, its variables may be used and
/// replaced. Of `name`, `seed` and each key of `runtime`, that of the file which includes wins. Paths are
/// below the folder of the file that names them.
///
/// Errors: besides those of [`parse`], a file that cannot be read or includes itself, a stage that stands in
/// two files.
pub fn load(file: &str, text: &str, files: &mut Files) -> Result<Node, Problem> {
    read(Path::new(file), text, &mut Vec::new(), files)
}

fn read(path: &Path, text: &str, above: &mut Vec<PathBuf>, files: &mut Files) -> Result<Node, Problem> {
    let index = files.0.len();
    files.0.push((path.to_string_lossy().into_owned(), text.to_owned()));
    let mut root = parse(text, index)?;
    let Value::Mapping(entries) = &mut root.value else { return Ok(root) };
    let Some(at) = entries.iter().position(|(key, _)| key.text == "include") else { return Ok(root) };
    let (_, include) = entries.remove(at);
    let names: Vec<&Node> = match &include.value {
        Value::Sequence(nodes) => nodes.iter().collect(),
        _ => vec![&include],
    };
    above.push(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
    let mut merged: Vec<(Key, Node)> = Vec::new();
    for node in names {
        let name: String = from_node(node)?;
        let path = path.parent().unwrap_or(Path::new("")).join(&name);
        if above.contains(&path.canonicalize().unwrap_or_else(|_| path.clone())) {
            return Err(Problem::at(node.span, format!("{name} includes itself")));
        }
        if files.0.len() >= MOST {
            return Err(Problem::at(node.span, format!("more than {MOST} files are included")));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Problem::at(node.span, format!("{}: {error}", path.display())))?;
        let included = read(&path, &text, above, files)?;
        if !matches!(included.value, Value::Mapping(_)) {
            return Err(Problem::at(
                node.span,
                format!("{name} is no pipeline file: it is {}", included.kind()),
            ));
        }
        merge(&mut merged, included)?;
    }
    above.pop();
    merge(
        &mut merged,
        Node { span: root.span, value: std::mem::replace(&mut root.value, Value::Sequence(Vec::new())) },
    )?;
    root.value = Value::Mapping(merged);
    Ok(root)
}

/// Adds what a file says to what was said before.
fn merge(into: &mut Vec<(Key, Node)>, node: Node) -> Result<(), Problem> {
    let Value::Mapping(entries) = node.value else { return Ok(()) };
    for (key, node) in entries {
        let Some((_, known)) = into.iter_mut().find(|(known, _)| known.text == key.text) else {
            into.push((key, node));
            continue;
        };
        match (key.text.as_str(), &mut known.value, node.value) {
            ("stages", Value::Mapping(stages), Value::Mapping(more)) => {
                for (name, stage) in more {
                    if stages.iter().any(|(known, _)| known.text == name.text) {
                        let message =
                            format!("stage `{}` stands in a file that is included as well", name.text);
                        return Err(Problem::at(name.span, message));
                    }
                    stages.push((name, stage));
                }
            }
            ("vars" | "runtime", Value::Mapping(values), Value::Mapping(more)) => {
                for (name, value) in more {
                    match values.iter_mut().find(|(known, _)| known.text == name.text) {
                        Some(known) => *known = (name, value),
                        None => values.push((name, value)),
                    }
                }
            }
            (.., value) => *known = Node { span: node.span, value },
        }
    }
    Ok(())
}
