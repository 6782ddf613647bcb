//! Lists the recordings below a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use etude_pipeline::flow::Flow;
use etude_pipeline::operator::{self, Body, Declare, Inputs, Invalid, Item, Operator, Port, Scope};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

/// Lists the recordings below a folder.
///
/// An item's key is its path below the folder, with `/` between folders, so that a folder that
/// moves elsewhere stays the same data. Links are followed. Hidden files and folders are left out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The folder; `~` is the home folder, a relative path is below the working directory.
    #[schemars(extend("x-kind" = "location"))]
    path: String,
    /// Globs of the keys to take, such as `**/*.flac`; letter case is ignored.
    #[serde(default = "audio_files")]
    include: Vec<String>,
    /// Globs of the keys to leave out.
    #[serde(default)]
    exclude: Vec<String>,
}

fn audio_files() -> Vec<String> {
    vec!["**/*.{wav,wave,flac,mp3,ogg,oga}".into()]
}

impl Declare for Scan {
    const NAME: &'static str = "scan";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Dataset;
    const PORTS: &'static [Port] = &[];
}

impl Operator for Scan {
    fn check(&self) -> Result<(), Invalid> {
        globs("include", &self.include)?;
        globs("exclude", &self.exclude)?;
        Invalid::unless(!self.path.is_empty(), "path", "is empty")
    }

    fn output(&self, _: &Inputs<'_>) -> Result<Flow, String> {
        Ok(Flow::Items)
    }

    fn body(&self) -> Body {
        Body::Scan(Box::new(self.clone()))
    }
}

fn globs(parameter: &str, patterns: &[String]) -> Result<GlobSet, Invalid> {
    let mut set = GlobSetBuilder::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let glob = GlobBuilder::new(pattern).literal_separator(true).case_insensitive(true).build();
        set.add(glob.map_err(|error| Invalid {
            parameter: format!("{parameter}.{index}"),
            message: format!("is not a glob: {}", error.kind()),
        })?);
    }
    set.build().map_err(|error| Invalid { parameter: parameter.into(), message: error.to_string() })
}

/// `~` is the home folder, also where no shell has expanded it.
fn expand(path: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    match path.strip_prefix('~') {
        Some("") => home().unwrap_or_else(|| path.into()),
        Some(rest) if rest.starts_with('/') => {
            home().map_or_else(|| path.into(), |home| home.join(&rest[1..]))
        }
        _ => path.into(),
    }
}

fn key(below: &Path) -> Option<String> {
    let names: Option<Vec<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
    Some(names?.join("/"))
}

fn missing(error: &walkdir::Error) -> bool {
    error.io_error().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

impl operator::Scan for Scan {
    fn scan(&self) -> Result<Vec<Item>, Invalid> {
        let wrong = |message: String| Invalid { parameter: "path".into(), message };
        let root = expand(&self.path);
        let shown = root.display();
        if !root.exists() {
            return Err(wrong(format!("folder {shown} does not exist")));
        }
        if !root.is_dir() {
            return Err(wrong(format!("{shown} is not a folder")));
        }
        let (include, exclude) = (globs("include", &self.include)?, globs("exclude", &self.exclude)?);
        let hidden = |entry: &walkdir::DirEntry| {
            entry.depth() > 0 && entry.file_name().to_str().is_some_and(|name| name.starts_with('.'))
        };
        let mut items = Vec::new();
        let mut others = 0u64;
        for entry in WalkDir::new(&root).follow_links(true).into_iter().filter_entry(|entry| !hidden(entry)) {
            let entry = match entry {
                Ok(entry) => entry,
                // A link that leads nowhere or in a circle is no recording.
                Err(error) if error.loop_ancestor().is_some() || missing(&error) => {
                    others += 1;
                    continue;
                }
                Err(error) => return Err(wrong(format!("cannot be listed: {error}"))),
            };
            if !entry.file_type().is_file() {
                continue;
            }
            let below = entry.path().strip_prefix(&root).unwrap_or(entry.path());
            if !include.is_match(below) || exclude.is_match(below) {
                others += 1;
                continue;
            }
            let key =
                key(below).ok_or_else(|| wrong(format!("the name of {} is not UTF-8", below.display())))?;
            items.push(Item {
                key: Arc::from(key),
                path: entry.into_path(),
                size: 0,
                digest: String::new(),
                stamp: None,
                rows: None,
            });
        }
        if items.is_empty() {
            let found = if others == 0 {
                "it is empty".to_owned()
            } else {
                format!("none of its {others} files is taken")
            };
            return Err(wrong(format!(
                "folder {shown} holds no audio: {found} (include: {})",
                self.include.join(", ")
            )));
        }
        items.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(root: &Path, include: &[&str], exclude: &[&str]) -> Result<Vec<String>, Invalid> {
        let own = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let include = if include.is_empty() { audio_files() } else { own(include) };
        let scan = Scan { path: root.to_str().unwrap().into(), include, exclude: own(exclude) };
        Ok(operator::Scan::scan(&scan)?.iter().map(|item| item.key.to_string()).collect())
    }

    #[test]
    fn keys_are_sorted_paths_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b/x.WAV", "a.mp3", "b/cover.jpg", "b/.hidden.wav", "c/d/e.flac", ".trash/z.wav"] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", root.path().join("gone.wav")).unwrap();
            std::os::unix::fs::symlink(root.path(), root.path().join("c/loop")).unwrap();
        }
        assert_eq!(scan(root.path(), &[], &[]).unwrap(), ["a.mp3", "b/x.WAV", "c/d/e.flac"]);
        assert_eq!(scan(root.path(), &["b/*"], &["*/*.wav"]).unwrap(), ["b/cover.jpg"]);
        let error = scan(root.path(), &["*.opus"], &[]).unwrap_err();
        assert!(error.message.contains("holds no audio: none of its "), "{}", error.message);
        assert!(scan(&root.path().join("none"), &[], &[]).unwrap_err().message.contains("does not exist"));
        assert!(scan(root.path(), &["a["], &[]).unwrap_err().parameter == "include.0");
    }
}
