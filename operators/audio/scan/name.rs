//! Keys from what lists and archives write, and what a URL says.

use std::path::PathBuf;

use etude_pipeline::operator::Invalid;
use etude_pipeline::place::{readable, unescape};

use super::wrong;

/// Where a URL leads.
pub(super) enum Url {
    File(PathBuf),
    Object,
}

/// Tells URLs from paths.
pub(super) fn url(text: &str) -> Result<Option<Url>, Invalid> {
    let Some((scheme, rest)) = text.split_once("://") else { return Ok(None) };
    let letters =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if scheme.is_empty() || !letters(scheme) {
        return Ok(None);
    }
    match scheme {
        "s3" | "gs" | "az" | "http" | "https" => Ok(Some(Url::Object)),
        "file" => {
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            if !path.starts_with('/') {
                return Err(wrong(format!("{text} names another machine: write file:///path")));
            }
            Ok(Some(Url::File(unescape(path).into())))
        }
        _ => Err(wrong(format!(
            "{text}: the scheme {scheme}:// is not known; file, s3, gs, az, http and https are"
        ))),
    }
}

/// A name without what leads out of its folder: no root, no `.` and `..`. None when nothing is left.
pub(super) fn plain(name: &[u8]) -> Option<String> {
    let text = readable(name);
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// Whether a file or one of its folders is hidden.
pub(super) fn hidden(key: &str) -> bool {
    key.split('/').any(|part| part.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        let cases: [(&[u8], Option<&str>); 8] = [
            (b"a/b.ogg", Some("a/b.ogg")),
            (b"./a//b.ogg", Some("a/b.ogg")),
            (b"/etc/b.ogg", Some("etc/b.ogg")),
            (b"../../b.ogg", Some("b.ogg")),
            (b"a/../../c/b.ogg", Some("c/b.ogg")),
            (b"caf\xe9.ogg", Some("caf%E9.ogg")),
            ("café.ogg".as_bytes(), Some("café.ogg")),
            (b"a/..", None),
        ];
        for (name, key) in cases {
            assert_eq!(plain(name).as_deref(), key);
        }
        assert!(hidden("__MACOSX/._a.ogg") && hidden(".git/a.ogg") && !hidden("a.b/c.ogg"));
    }

    #[test]
    fn urls() {
        let file = |text: &str| match url(text) {
            Ok(Some(Url::File(path))) => path.to_str().map(str::to_owned),
            _ => None,
        };
        assert_eq!(file("file:///a%20b/100%.wav").as_deref(), Some("/a b/100%.wav"));
        assert_eq!(file("file://localhost/a").as_deref(), Some("/a"));
        assert!(url("file://other/a").is_err() && url("ftp://a/b").is_err());
        assert!(matches!(url("a/b"), Ok(None)) && matches!(url("odd name://x"), Ok(None)));
        assert!(matches!(url("s3://a/b"), Ok(Some(Url::Object))));
    }
}
