//! Objects behind URLs.

use etude_pipeline::operator::Invalid;
use etude_pipeline::place;

use super::found::Found;
use super::{archive, name, wrong};

/// Why an archive behind a URL is not opened.
pub(super) fn no_archive(url: &str) -> String {
    format!(
        "{url} is an archive, and archives are opened on local disks alone: copy it, name it in `exclude`, \
         or set `archives.open` to false"
    )
}

/// Scans a URL: what lies below it, or the object itself.
pub(super) fn scan(url: &str, found: &mut Found) -> Result<(), Invalid> {
    let web = url.starts_with("http");
    if !web && below(url, "", found)? {
        return Ok(());
    }
    if found.archives.open && archive::named(url) {
        return Err(wrong(no_archive(url)));
    }
    // `s3://bucket` and `s3://bucket/folder/` name no object.
    let (_, path) = url.split_once("://").unwrap_or(("", url));
    if !web && (url.ends_with('/') || !path.contains('/')) {
        return Ok(());
    }
    for object in place::heads(&[url.to_owned()]) {
        let object = object.map_err(|error| wrong(error.to_string()))?;
        let key = name::plain(object.path.as_bytes()).ok_or_else(|| wrong(format!("{url} names nothing")))?;
        if found.keeps(&key) {
            found.add_object(key, object);
        }
    }
    Ok(())
}

/// Scans what lies below a URL; keys begin with `prefix`. Whether anything lies there.
pub(super) fn below(url: &str, prefix: &str, found: &mut Found) -> Result<bool, Invalid> {
    let objects = place::list(url).map_err(|error| wrong(error.to_string()))?;
    let any = !objects.is_empty();
    for object in objects {
        if name::hidden(&object.path) {
            continue;
        }
        let key = format!("{prefix}{}", object.path);
        if found.archives.open && archive::named(&key) {
            if found.keeps(&key) {
                return Err(wrong(no_archive(&object.place.to_string())));
            }
        } else if found.takes(&key) {
            found.add_object(key, object);
        }
    }
    Ok(any)
}
