//! Lists recordings.

mod archive;
mod folder;
mod found;
mod list;
mod name;
mod objects;

use std::path::{Path, PathBuf};

use etude_pipeline::flow::Flow;
use etude_pipeline::operator::{self, Body, Declare, Inputs, Invalid, Item, Operator, Port, Scope};
use etude_pipeline::place::Place;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use found::Found;

/// Lists recordings: below a folder, in an archive, in a list, or in an object store.
///
/// An item's key is its path below `path`, with `/` between folders, so that a folder that moves
/// elsewhere stays the same data. Links are followed. Hidden files and folders are left out.
/// Archives are taken as folders: the key of a member is the archive's key, a `/`, and its name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// Where the recordings are: a folder; an archive; a list, which is a text file (`.txt`, `.list`,
    /// `.lst`) with a path or URL a line; a prefix or an object in a store (`s3://bucket/prefix`,
    /// `gs://…`, `az://…`); a single recording on the web (`https://…`). `~` is the home folder, a
    /// relative path is below the working directory, in a list below the list's folder.
    #[schemars(extend("x-kind" = "location"))]
    path: String,
    /// Globs of the keys to take, such as `**/*.flac`; letter case is ignored. What `path` or a list
    /// names itself is taken whatever it is called.
    #[serde(default = "audio_files")]
    include: Vec<String>,
    /// Globs of the keys to leave out.
    #[serde(default)]
    exclude: Vec<String>,
    /// ZIP and TAR archives on local disks.
    #[serde(default)]
    archives: Archives,
}

/// How archives are treated: `.zip`, `.pk3`, `.tar`, and `.tar.gz`, `.tgz`, `.tar.zst`, `.tar.bz2`, `.tar.xz`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Archives {
    /// Whether they are opened; else they are files like any other. Archives in archives are not.
    #[serde(default = "open")]
    open: bool,
    /// Bytes that all members of one archive may unpack to, at least 1; 64 GiB by default. Members
    /// that are not compressed are read in place and do not count.
    #[serde(default = "max_bytes")]
    #[schemars(range(min = 1))]
    max_bytes: u64,
    /// How many times its own size an archive may unpack to, at least 1; the first 64 MiB are free.
    #[serde(default = "max_ratio")]
    #[schemars(range(min = 1))]
    max_ratio: u64,
}

fn audio_files() -> Vec<String> {
    let names = [
        "wav", "wave", "bwf", "rf64", "w64", "aif", "aiff", "aifc", "caf", "flac", "mp1", "mp2", "mp3",
        "ogg", "oga", "opus", "m4a", "m4b", "m4p", "mp4", "mov", "3gp", "aac", "adts", "mka", "mkv", "webm",
        "au", "snd", "wma", "ape", "wv", "tta", "mpc", "ac3", "dts", "spx",
    ];
    vec![format!("**/*.{{{}}}", names.join(","))]
}

fn open() -> bool {
    true
}

fn max_bytes() -> u64 {
    64 << 30
}

fn max_ratio() -> u64 {
    200
}

impl Default for Archives {
    fn default() -> Self {
        Self { open: open(), max_bytes: max_bytes(), max_ratio: max_ratio() }
    }
}

impl Declare for Scan {
    const NAME: &'static str = "scan";
    const VERSION: u32 = 2;
    const SCOPE: Scope = Scope::Dataset;
    const PORTS: &'static [Port] = &[];
}

impl Operator for Scan {
    fn check(&self) -> Result<(), Invalid> {
        globs("include", &self.include)?;
        globs("exclude", &self.exclude)?;
        Invalid::unless(self.archives.max_bytes > 0, "archives.max_bytes", "is 0: at least 1 is needed")?;
        Invalid::unless(self.archives.max_ratio > 0, "archives.max_ratio", "is 0: at least 1 is needed")?;
        let Archives { open, max_bytes, max_ratio } = self.archives;
        let message = "counts for nothing with `open: false`";
        Invalid::unless(open || max_bytes == self::max_bytes(), "archives.max_bytes", message)?;
        Invalid::unless(open || max_ratio == self::max_ratio(), "archives.max_ratio", message)?;
        Invalid::unless(!self.path.is_empty(), "path", "is empty")
    }

    fn output(&self, _: &Inputs<'_>) -> Result<Flow, Invalid> {
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
        set.add(glob.map_err(|error| {
            Invalid::of(&format!("{parameter}.{index}"), format!("is not a glob: {}", error.kind()))
        })?);
    }
    set.build().map_err(|error| Invalid::of(parameter, error.to_string()))
}

/// What is wrong with the place that is scanned.
fn wrong(message: impl Into<String>) -> Invalid {
    Invalid::of("path", message)
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

impl operator::Scan for Scan {
    fn scan(&self) -> Result<Vec<Item>, Invalid> {
        let (include, exclude) = (globs("include", &self.include)?, globs("exclude", &self.exclude)?);
        let mut found = Found::new(include, exclude, self.archives.clone());
        match name::url(&self.path)? {
            Some(name::Url::File(path)) => local(&path, &mut found)?,
            Some(name::Url::Object) => objects::scan(&self.path, &mut found)?,
            None => local(&expand(&self.path), &mut found)?,
        }
        let others = found.others();
        let items = found.sorted()?;
        if items.is_empty() {
            let what = if others == 0 {
                "it is empty".to_owned()
            } else {
                format!("none of its {others} files is taken")
            };
            let include = self.include.join(", ");
            return Err(wrong(format!("{} holds no audio: {what} (include: {include})", self.path)));
        }
        Ok(items)
    }
}

/// Scans a path on a local disk.
fn local(path: &Path, found: &mut Found) -> Result<(), Invalid> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => wrong(format!("{shown} does not exist")),
        _ => wrong(format!("{shown} cannot be looked at: {error}")),
    })?;
    if metadata.is_dir() {
        return folder::walk(path, "", found);
    }
    if !metadata.is_file() {
        return Err(wrong(format!("{shown} is neither a folder nor a file")));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| wrong(format!("the name of {shown} is not UTF-8")))?;
    if list::named(name) {
        list::read(path, found)
    } else if found.archives.open && archive::recognised(path) {
        archive::alone(path, name, found)
    } else if found.takes(name) {
        found.add(name.to_owned(), Place::at(path));
        Ok(())
    } else {
        Err(wrong(format!(
            "{shown} is neither a folder, an archive, a list (.txt, .list, .lst) nor a recording that `include` takes"
        )))
    }
}

#[cfg(test)]
mod tests;
