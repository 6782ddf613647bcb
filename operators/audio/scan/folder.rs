//! The recordings below a folder.

use std::path::Path;

use etude_pipeline::operator::Invalid;
use etude_pipeline::place::Place;
use walkdir::{DirEntry, WalkDir};

use super::archive;
use super::found::Found;
use super::wrong;

fn missing(error: &walkdir::Error) -> bool {
    error.io_error().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// The path below the root, with `/` between folders.
fn key(below: &Path) -> Option<String> {
    let names: Option<Vec<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
    Some(names?.join("/"))
}

/// Goes through a folder; keys begin with `prefix`.
pub(super) fn walk(root: &Path, prefix: &str, found: &mut Found) -> Result<(), Invalid> {
    let hidden = |entry: &DirEntry| {
        entry.depth() > 0 && entry.file_name().to_str().is_some_and(|name| name.starts_with('.'))
    };
    for entry in WalkDir::new(root).follow_links(true).into_iter().filter_entry(|entry| !hidden(entry)) {
        let entry = match entry {
            Ok(entry) => entry,
            // A link that leads nowhere or in a circle is no recording.
            Err(error) if error.loop_ancestor().is_some() || missing(&error) => {
                found.other();
                continue;
            }
            Err(error) => return Err(wrong(format!("cannot be listed: {error}"))),
        };
        if !entry.file_type().is_file() {
            continue;
        }
        let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let Some(key) = key(below) else {
            if found.takes(&below.to_string_lossy()) {
                return Err(wrong(format!("the name of {} is not UTF-8", below.display())));
            }
            continue;
        };
        let key = format!("{prefix}{key}");
        if found.archives.open && archive::named(&key) {
            if found.keeps(&key) {
                archive::within(entry.path(), &key, found)?;
            }
        } else if found.takes(&key) {
            found.add(key, Place::at(entry.into_path()));
        }
    }
    Ok(())
}
