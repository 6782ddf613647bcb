//! Which store a URL means.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, Local};
use super::folder::Folder;
use super::{Store, Tell};
use crate::error::Error;
use crate::place::unescape;

impl Store {
    /// The store at a URL: a path, `file://…`, or `s3://bucket/prefix`, `gs://…`, `az://…`, of which copies are kept
    /// in the cache folder. Nothing is created before something is written.
    pub fn open(url: &str) -> Result<Self, Error> {
        let path = match url.split_once("://") {
            None => url.to_owned(),
            Some(("file", path)) if path.starts_with('/') => unescape(path),
            Some(("file", _)) => {
                return Err(Error::Other(format!("--store {url}: the path of a file:// URL begins with /")));
            }
            Some(("s3" | "gs" | "az", _)) => return Self::behind(url),
            Some((scheme, _)) => {
                return Err(Error::Other(format!(
                    "--store {url}: a store is a folder (a path or file:///path) or s3://bucket/prefix; \
                     {scheme}:// is not supported"
                )));
            }
        };
        if path.is_empty() {
            return Err(Error::Other("--store: expected a folder or a URL, found nothing".into()));
        }
        let root = std::path::absolute(&path).map_err(Error::io(Path::new(&path)))?;
        Ok(Self::on(root, Arc::new(Local)))
    }

    /// A store in a folder of a disk.
    pub(crate) fn on(root: PathBuf, disk: Arc<dyn Disk>) -> Self {
        let home = Arc::new(Folder { root: root.clone(), disk: disk.clone() });
        Self { home, root, disk, tell: Tell(Arc::new(|_| {})) }
    }

    #[cfg(not(feature = "cloud"))]
    fn behind(url: &str) -> Result<Self, Error> {
        Err(Error::Other(format!(
            "--store {url}: this build has no object stores: it lacks the feature `cloud`"
        )))
    }

    #[cfg(feature = "cloud")]
    fn behind(url: &str) -> Result<Self, Error> {
        use super::remote::Remote;
        use crate::place::cache;
        use crate::place::stores::{For, connect};

        let wrong = |message: String| Error::Other(format!("--store {url}: {message}"));
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        if bucket.is_empty() {
            return Err(wrong("it names no bucket".into()));
        }
        object_store::path::Path::parse(prefix).map_err(|error| wrong(error.to_string()))?;
        let base = format!("{scheme}://{bucket}");
        let store = connect(scheme, bucket, &base, For::Objects).map_err(|error| wrong(error.to_string()))?;
        // Another server may have a bucket of the same name.
        let server = std::env::var("AWS_ENDPOINT_URL").unwrap_or_default();
        let url = format!("{base}/{prefix}");
        let name = blake3::hash(format!("{server} {url}").as_bytes()).to_hex();
        let root = cache("stores").map_err(|error| wrong(error.to_string()))?.join(&name[..32]);
        Ok(Self::objects(Remote::new(store, prefix, url.trim_end_matches('/')), root, Arc::new(Local)))
    }

    /// A store of objects, with copies in a folder of a disk.
    #[cfg(feature = "cloud")]
    pub(crate) fn objects(remote: super::remote::Remote, root: PathBuf, disk: Arc<dyn Disk>) -> Self {
        let home =
            Arc::new(super::objects::Objects::new(remote, root.clone(), super::objects::Patience::default()));
        Self { home, root, disk, tell: Tell(Arc::new(|_| {})) }
    }
}
