//! Objects behind URLs: finding and opening them.

use std::io;

use super::{Place, Source};

/// An object that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its path: below the prefix that was listed, or its last name.
    pub path: String,
    pub place: Place,
    /// What stands for its content: of ETag, size and version.
    pub digest: String,
}

#[cfg(feature = "cloud")]
mod with {
    use std::io::ErrorKind;
    use std::sync::Arc;

    use futures::{StreamExt, TryStreamExt};
    use object_store::path::Path;
    use object_store::{GetOptions, ObjectMeta, ObjectStore};

    use super::super::object::{Object, Request, failed, quoted};
    use super::super::runtime::start;
    use super::super::stores::{For, connect};
    use super::*;

    /// Requests for single objects at the same time.
    const AT_ONCE: usize = 32;

    /// A URL in its parts.
    struct Address {
        /// What is common to all objects of a store: scheme and bucket, or scheme and host.
        base: String,
        path: Path,
        store: Arc<dyn ObjectStore>,
    }

    fn wrong(url: &str, what: impl std::fmt::Display) -> io::Error {
        io::Error::new(ErrorKind::Unsupported, format!("{url}: {what}"))
    }

    impl Address {
        fn of(url: &str) -> io::Result<Self> {
            let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong(url, "is no URL"))?;
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(wrong(url, "names no bucket or host"));
            }
            let base = format!("{scheme}://{bucket}");
            let web = matches!(scheme, "http" | "https");
            // The path of a web address is written with escapes, a key of a bucket as it is. What a
            // query says belongs to the server, not to the path.
            let (path, query) = match key.split_once('?').filter(|_| web) {
                Some((path, query)) => (path, Some(query)),
                None => (key, None),
            };
            let path = if web { Path::from_url_path(path) } else { Path::parse(path) };
            let path = path.map_err(|error| wrong(url, error))?;
            let server = query.map_or(base.clone(), |query| format!("{base}/?{query}"));
            let store = connect(scheme, bucket, &server, For::Ranges).map_err(|error| wrong(url, error))?;
            Ok(Self { base, path, store })
        }
    }

    /// What stands for a content that has not been read. None where a server says too little.
    fn identity(meta: &ObjectMeta) -> Option<String> {
        let modified = meta.last_modified.timestamp_millis();
        let mark = match (&meta.e_tag, &meta.version) {
            (None, None) if modified == 0 => return None,
            (None, None) => format!("modified {modified}"),
            (etag, version) => format!("{etag:?} {version:?}"),
        };
        Some(format!("etag-{}", blake3::hash(format!("{mark} {}", meta.size).as_bytes()).to_hex()))
    }

    fn listed(url: &str, path: &str, meta: ObjectMeta) -> io::Result<Listed> {
        let meta = quoted(meta);
        let digest = identity(&meta).ok_or_else(|| {
            wrong(url, "the server gives neither ETag nor Last-Modified, so a change could not be noticed")
        })?;
        let ObjectMeta { size, e_tag: etag, version, .. } = meta;
        let place = Place::Object {
            url: url.into(),
            size,
            etag: etag.map(Arc::from),
            version: version.map(Arc::from),
        };
        Ok(Listed { path: path.to_owned(), place, digest })
    }

    /// All objects below a prefix, in the order of their paths.
    pub fn list(url: &str) -> io::Result<Vec<Listed>> {
        let Address { base, path: prefix, store } = Address::of(url)?;
        if base.starts_with("http") {
            return Err(wrong(url, "a web server lists nothing: give the address of one recording"));
        }
        let (shown, below) = (url.to_owned(), prefix.clone());
        let found = start(async move {
            let all = store.list(Some(&below)).try_collect::<Vec<_>>().await;
            all.map_err(|error| failed(&shown, &error))
        })?;
        let mut all = Vec::new();
        for meta in found.wait()? {
            let key = meta.location.to_string();
            let path = key.strip_prefix(prefix.as_ref()).unwrap_or(&key).trim_start_matches('/').to_owned();
            all.push(listed(&format!("{base}/{key}"), &path, meta)?);
        }
        all.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(all)
    }

    /// Single objects, in the order of the URLs.
    pub fn heads(urls: &[String]) -> Vec<io::Result<Listed>> {
        let urls = urls.to_vec();
        let number = urls.len();
        let asked = start(async move {
            Ok(futures::stream::iter(urls).map(head).buffered(AT_ONCE).collect::<Vec<_>>().await)
        });
        match asked.and_then(|asked| asked.wait()) {
            Ok(found) => found,
            Err(error) => {
                let message = error.to_string();
                (0..number).map(|_| Err(io::Error::new(error.kind(), message.clone()))).collect()
            }
        }
    }

    async fn head(url: String) -> io::Result<Listed> {
        let Address { path, store, .. } = Address::of(&url)?;
        let options = GetOptions { head: true, ..GetOptions::default() };
        let result = store.get_opts(&path, options).await.map_err(|error| failed(&url, &error))?;
        listed(&url, path.filename().unwrap_or_default(), result.meta)
    }

    pub fn open(
        url: &str,
        size: u64,
        etag: Option<&str>,
        version: Option<&str>,
    ) -> io::Result<Box<dyn Source>> {
        let Address { path, store, .. } = Address::of(url)?;
        let (etag, version) = (etag.map(str::to_owned), version.map(str::to_owned));
        Ok(Box::new(Object::new(Request { store, path, url: url.into(), size, etag, version })))
    }

    #[cfg(test)]
    mod tests {
        use std::time::Duration;

        use super::*;

        #[test]
        fn keys_of_buckets_are_taken_as_they_are() {
            let path = |url: &str| Address::of(url).map(|address| (address.base, address.path.to_string()));
            assert_eq!(path("s3://b/a dir/x#1?.ogg").unwrap(), ("s3://b".into(), "a dir/x#1?.ogg".into()));
            assert_eq!(path("s3://b").unwrap(), ("s3://b".into(), String::new()));
            assert_eq!(path("https://h:1/a%20b.ogg?x=1").unwrap(), ("https://h:1".into(), "a b.ogg".into()));
            for bad in ["s3:///x", "ftp://host/x", "s3://b/a//x"] {
                assert_eq!(path(bad).unwrap_err().kind(), ErrorKind::Unsupported, "{bad}");
            }
        }

        #[test]
        fn etag_size_and_version_tell_contents_apart() {
            let of = |etag: Option<&str>, version: Option<&str>, size, seconds: u64| {
                identity(&ObjectMeta {
                    location: Path::from("x"),
                    last_modified: (std::time::UNIX_EPOCH + Duration::from_secs(seconds)).into(),
                    size,
                    e_tag: etag.map(str::to_owned),
                    version: version.map(str::to_owned),
                })
            };
            let known = of(Some("a"), None, 1, 5);
            assert_eq!(known, of(Some("a"), None, 1, 6));
            for other in
                [of(Some("b"), None, 1, 5), of(Some("a"), None, 2, 5), of(Some("a"), Some("v"), 1, 5)]
            {
                assert_ne!(known, other);
            }
            assert_ne!(of(None, None, 1, 5), of(None, None, 1, 6));
            assert_eq!(of(None, None, 1, 0), None);
        }

        #[test]
        fn azures_lists_leave_quotes_out() {
            let of = |etag: &str| {
                let meta = ObjectMeta {
                    location: Path::from("x"),
                    last_modified: std::time::UNIX_EPOCH.into(),
                    size: 1,
                    e_tag: Some(etag.to_owned()),
                    version: None,
                };
                listed("az://b/x", "x", meta).unwrap()
            };
            let (bare, whole) = (of("0x8D4BCC2E4835CD0"), of("\"0x8D4BCC2E4835CD0\""));
            assert_eq!(bare.digest, whole.digest);
            let Place::Object { etag, .. } = bare.place else { panic!("{:?}", bare.place) };
            assert_eq!(etag.as_deref(), Some("\"0x8D4BCC2E4835CD0\""));
        }
    }
}

#[cfg(feature = "cloud")]
pub(super) use with::open;
#[cfg(feature = "cloud")]
pub use with::{heads, list};

#[cfg(not(feature = "cloud"))]
mod without {
    use super::*;

    fn refused<T>(url: &str) -> io::Result<T> {
        let message = format!("{url}: this build has no object stores: it lacks the feature `cloud`");
        Err(io::Error::new(io::ErrorKind::Unsupported, message))
    }

    /// All objects below a prefix: none without the feature.
    pub fn list(url: &str) -> io::Result<Vec<Listed>> {
        refused(url)
    }

    /// Single objects: none without the feature.
    pub fn heads(urls: &[String]) -> Vec<io::Result<Listed>> {
        urls.iter().map(|url| refused(url)).collect()
    }

    pub fn open(url: &str, _: u64, _: Option<&str>, _: Option<&str>) -> io::Result<Box<dyn Source>> {
        refused(url)
    }
}

#[cfg(not(feature = "cloud"))]
pub(super) use without::open;
#[cfg(not(feature = "cloud"))]
pub use without::{heads, list};
