//! A text file with a path or URL a line.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use etude_pipeline::operator::Invalid;
use etude_pipeline::place::{self, Place};

use super::found::Found;
use super::{archive, expand, folder, name, objects, wrong};

/// A longer line is no path.
const LONGEST: u64 = 16 << 10;

/// Whether a file is a list, by its name.
pub(super) fn named(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("txt" | "list" | "lst"))
}

/// Goes through a list. An object is asked for once all lines are read.
pub(super) fn read(list: &Path, found: &mut Found) -> Result<(), Invalid> {
    let shown = list.display();
    let unreadable = |error: std::io::Error| wrong(format!("{shown} cannot be read: {error}"));
    let mut reader = BufReader::new(File::open(list).map_err(unreadable)?);
    let folder = list.parent().unwrap_or(list);
    let (mut objects, mut lines) = (Vec::new(), HashMap::new());
    for number in 1u64.. {
        let mut line = Vec::new();
        if reader.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        let here = |message: String| wrong(format!("{shown}:{number}: {message}"));
        if line.len() as u64 == LONGEST {
            return Err(here("the line is too long for a path".into()));
        }
        let text = str::from_utf8(&line).map_err(|_| here("the line is not UTF-8".into()))?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let url = name::url(text).map_err(|invalid| here(invalid.message))?;
        let written = match &url {
            Some(name::Url::File(path)) => path.to_string_lossy().into_owned(),
            Some(name::Url::Object) => text.split_once("://").map_or(text, |(_, rest)| rest).to_owned(),
            None => text.strip_prefix("~/").unwrap_or(text).to_owned(),
        };
        let key = name::plain(written.as_bytes()).ok_or_else(|| here(format!("{text} names nothing")))?;
        if let Some(before) = lines.insert(key.clone(), number) {
            return Err(here(format!("its key is {key}, as that of line {before}")));
        }
        match url {
            Some(name::Url::Object) if text.ends_with('/') => {
                objects::below(text, &format!("{key}/"), found).map_err(|invalid| here(invalid.message))?;
            }
            Some(name::Url::Object) if found.archives.open && archive::named(text) => {
                return Err(here(objects::no_archive(text)));
            }
            Some(name::Url::Object) => objects.push((number, key, text.to_owned())),
            Some(name::Url::File(path)) => file(&path, key, found).map_err(here_or_limit(here))?,
            None => file(&folder.join(expand(text)), key, found).map_err(here_or_limit(here))?,
        }
    }
    let objects: Vec<_> = objects.into_iter().filter(|(_, key, _)| found.keeps(key)).collect();
    let urls: Vec<String> = objects.iter().map(|(.., url)| url.clone()).collect();
    if urls.is_empty() {
        return Ok(());
    }
    for ((number, key, _), object) in objects.into_iter().zip(place::heads(&urls)) {
        let object = object.map_err(|error| wrong(format!("{shown}:{number}: {error}")))?;
        found.add_object(key, object);
    }
    Ok(())
}

/// What is wrong with a line names it; a limit that is passed has a parameter of its own.
fn here_or_limit(here: impl Fn(String) -> Invalid) -> impl Fn(Invalid) -> Invalid {
    move |invalid| if invalid.parameter == "path" { here(invalid.message) } else { invalid }
}

fn file(path: &Path, key: String, found: &mut Found) -> Result<(), Invalid> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => wrong(format!("{shown} does not exist")),
        _ => wrong(format!("{shown} cannot be looked at: {error}")),
    })?;
    if metadata.is_dir() {
        return folder::walk(path, &format!("{key}/"), found);
    }
    if !metadata.is_file() {
        return Err(wrong(format!("{shown} is neither a folder nor a file")));
    }
    if found.keeps(&key) {
        if found.archives.open && archive::named(&key) {
            return archive::within(path, &key, found);
        }
        found.add(key, Place::at(path));
    }
    Ok(())
}
