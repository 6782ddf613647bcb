//! The folder for what can be made again.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// A folder of that name in the user's cache: below `ETUDE_CACHE`, else `XDG_CACHE_HOME/etude`, else
/// `~/.cache/etude`, else `etude` among the temporary files. It is made if it is not there.
pub fn cache(name: &str) -> io::Result<PathBuf> {
    let set = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty());
    let folder = root(set("ETUDE_CACHE"), set("XDG_CACHE_HOME"), set("HOME")).join(name);
    std::fs::create_dir_all(&folder)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
    Ok(folder)
}

fn root(own: Option<OsString>, xdg: Option<OsString>, home: Option<OsString>) -> PathBuf {
    own.map(PathBuf::from)
        .or_else(|| xdg.map(|folder| PathBuf::from(folder).join("etude")))
        .or_else(|| home.map(|folder| PathBuf::from(folder).join(".cache/etude")))
        .unwrap_or_else(|| std::env::temp_dir().join("etude"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_set_counts() {
        let (own, xdg, home) = (Some("/own".into()), Some("/xdg".into()), Some("/home".into()));
        assert_eq!(root(own, xdg.clone(), home.clone()), PathBuf::from("/own"));
        assert_eq!(root(None, xdg, home.clone()), PathBuf::from("/xdg/etude"));
        assert_eq!(root(None, None, home), PathBuf::from("/home/.cache/etude"));
        assert_eq!(root(None, None, None), std::env::temp_dir().join("etude"));
    }
}
