//! Objects below a prefix, asked for by threads that wait.

use std::collections::hash_map::RandomState;
use std::error::Error as _;
use std::fs;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, PutResult, WriteMultipart,
};

use crate::error::Error;
use crate::place::object::{Object, Request, quoted};
use crate::place::runtime::start;

/// Of what is put in parts, bytes of one, and how many are on their way.
const PART: usize = 8 << 20;
const PARTS: usize = 4;

/// What is put in one piece is held in memory: all of it together takes no more than this.
const ROOM: u64 = 64 << 20;

/// Where what is put in parts is before it has its name.
pub const COMING: &str = "coming";

/// A name that nobody else gives.
pub fn unique() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// Objects below a prefix.
#[derive(Debug, Clone)]
pub struct Remote {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    url: Arc<str>,
    room: Arc<Room>,
}

impl Remote {
    /// `url` is for messages.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str, url: &str) -> Self {
        Self { store, prefix: prefix.trim_matches('/').to_owned(), url: url.into(), room: Arc::default() }
    }

    fn key(&self, relative: &str) -> Result<Path, Error> {
        let all = format!("{}/{relative}", self.prefix);
        Path::parse(all.trim_matches('/')).map_err(|error| self.wrong(relative)(io::Error::other(error)))
    }

    /// The address of something, for messages.
    pub fn shown(&self, relative: &str) -> PathBuf {
        format!("{}/{relative}", self.url).into()
    }

    fn wrong(&self, relative: &str) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = self.shown(relative);
        move |source| Error::Io { path, source }
    }

    /// Does something on the network's threads.
    fn ask<T: Send + 'static, F>(
        &self,
        relative: &str,
        work: impl FnOnce(Arc<dyn ObjectStore>, Path) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, object_store::Error>> + Send + 'static,
    {
        let work = work(self.store.clone(), self.key(relative)?);
        start(async move { work.await.map_err(told) })
            .and_then(|started| started.wait())
            .map_err(self.wrong(relative))
    }

    /// What is known of an object, if it is there.
    pub fn head(&self, relative: &str) -> Result<Option<ObjectMeta>, Error> {
        there(self.ask(relative, |store, path| async move {
            let options = GetOptions { head: true, ..GetOptions::default() };
            Ok(store.get_opts(&path, options).await?.meta)
        }))
    }

    /// A small object, if it is there.
    pub fn get(&self, relative: &str) -> Result<Option<Vec<u8>>, Error> {
        there(self.ask(relative, |store, path| async move {
            Ok(store.get_opts(&path, GetOptions::default()).await?.bytes().await?.to_vec())
        }))
    }

    /// Writes an object to a new file.
    pub fn download(&self, relative: &str, to: &FilePath) -> Result<ObjectMeta, Error> {
        let mut file = fs::File::create(to).map_err(Error::io(to))?;
        let place = to.to_owned();
        self.ask(relative, |store, path| async move {
            let result = store.get_opts(&path, GetOptions::default()).await?;
            let (meta, mut written) = (result.meta.clone(), 0);
            let disk = |error: io::Error| object_store::Error::Generic {
                store: "disk",
                source: format!("{}: {error}", place.display()).into(),
            };
            let mut parts = result.into_stream();
            while let Some(part) = parts.next().await {
                let part = part?;
                written += part.len() as u64;
                file.write_all(&part).map_err(disk)?;
            }
            if written != meta.size {
                let message = format!("{written} bytes came instead of {}", meta.size);
                return Err(object_store::Error::Generic { store: "network", source: message.into() });
            }
            file.sync_all().map_err(disk)?;
            Ok(meta)
        })
    }

    /// Puts an object; with `create` none where one of that name is there. That may be its own, of a try whose answer
    /// was lost.
    pub fn put(&self, relative: &str, bytes: Vec<u8>, create: bool) -> Result<Option<PutResult>, Error> {
        let payload = PutPayload::from(bytes);
        self.ask(relative, |store, path| async move {
            let mode = if create { PutMode::Create } else { PutMode::Overwrite };
            let put = || store.put_opts(&path, payload.clone(), mode.clone().into());
            let done = match put().await {
                // Of a condition it is not known whether it may be tried again: here it may.
                Err(error) if create && !matches!(error, object_store::Error::AlreadyExists { .. }) => {
                    put().await
                }
                done => done,
            };
            match done {
                Ok(put) => Ok(Some(put)),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    /// The same of what a file holds. What is large goes in parts to another name first.
    pub fn put_file(
        &self,
        relative: &str,
        file: &FilePath,
        create: bool,
    ) -> Result<Option<PutResult>, Error> {
        let size = fs::metadata(file).map_err(Error::io(file))?.len();
        if size <= PART as u64 {
            let _room = self.room.take(size);
            return self.put(relative, fs::read(file).map_err(Error::io(file))?, create);
        }
        if !create {
            return self.put_parts(relative, file).map(Some);
        }
        let coming = format!("{COMING}/{}", unique());
        self.put_parts(&coming, file)?;
        let target = self.key(relative)?;
        let copied = self.ask(&coming, |store, path| async move {
            match store.copy_if_not_exists(&path, &target).await {
                Ok(()) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        });
        self.delete(&coming)?;
        if !copied? {
            return Ok(None);
        }
        let put = self.head(relative)?.map(|meta| PutResult { e_tag: meta.e_tag, version: meta.version });
        Ok(Some(put.unwrap_or(PutResult { e_tag: None, version: None })))
    }

    /// Puts a file in parts; it is there when all are.
    fn put_parts(&self, relative: &str, file: &FilePath) -> Result<PutResult, Error> {
        let mut from = fs::File::open(file).map_err(Error::io(file))?;
        self.ask(relative, |store, path| async move {
            let mut upload = WriteMultipart::new_with_chunk_size(store.put_multipart(&path).await?, PART);
            let mut buffer = vec![0; PART];
            loop {
                let read = from
                    .read(&mut buffer)
                    .map_err(|error| object_store::Error::Generic { store: "disk", source: error.into() })?;
                if read == 0 {
                    return upload.finish().await;
                }
                upload.wait_for_capacity(PARTS).await?;
                upload.write(&buffer[..read]);
            }
        })
    }

    /// Removes an object, if it is there.
    pub fn delete(&self, relative: &str) -> Result<(), Error> {
        there(self.ask(relative, |store, path| async move { store.delete(&path).await })).map(|_| ())
    }

    /// All objects below a folder, by their paths below the prefix, sorted.
    pub fn list(&self, folder: &str) -> Result<Vec<(String, ObjectMeta)>, Error> {
        let found: Vec<ObjectMeta> =
            self.ask(folder, |store, path| async move { store.list(Some(&path)).try_collect().await })?;
        let relative = |meta: ObjectMeta| (self.relative(meta.location.as_ref()).to_owned(), quoted(meta));
        let mut found: Vec<_> = found.into_iter().map(relative).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// The names in a folder, of objects and of what holds objects, sorted.
    pub fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        let found =
            self.ask(folder, |store, path| async move { store.list_with_delimiter(Some(&path)).await })?;
        let folders = found.common_prefixes.iter();
        let names = folders.chain(found.objects.iter().map(|meta| &meta.location));
        let mut names: Vec<String> = names.filter_map(|path| Some(path.filename()?.to_owned())).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn relative<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(&*self.prefix).unwrap_or(key).trim_start_matches('/')
    }

    /// Reads an object by ranges.
    pub fn open(&self, relative: &str, meta: ObjectMeta) -> Object {
        let url = self.shown(relative).to_string_lossy().into();
        let ObjectMeta { location: path, size, e_tag: etag, version, .. } = meta;
        Object::new(Request { store: self.store.clone(), path, url, size, etag, version })
    }
}

/// None for what is not there.
fn there<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn told(error: object_store::Error) -> io::Error {
    let kind = match &error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            ErrorKind::PermissionDenied
        }
        object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. } => {
            ErrorKind::Unsupported
        }
        _ => ErrorKind::ConnectionAborted,
    };
    io::Error::new(kind, plainly(&error))
}

/// What a server or the network says, without markup, and at the end why.
fn plainly(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    if let (Some(begin), Some(end)) = (text.find("<?xml"), text.rfind('>')) {
        let said = |tag: &str| {
            let from = text.find(&format!("<{tag}>"))? + tag.len() + 2;
            text[from..].split('<').next().map(str::to_owned)
        };
        let said = [said("Code"), said("Message")].into_iter().flatten().collect::<Vec<_>>().join(": ");
        text.replace_range(begin..=end, &said);
    }
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    if let Some(cause) = cause.map(ToString::to_string).filter(|cause| !text.contains(cause)) {
        text += &format!(": {cause}");
    }
    if text.contains("169.254.169.254") {
        text += "; there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    }
    text
}

/// Memory for what is on its way.
#[derive(Debug)]
struct Room {
    free: Mutex<u64>,
    more: Condvar,
}

impl Default for Room {
    fn default() -> Self {
        Self { free: Mutex::new(ROOM), more: Condvar::new() }
    }
}

struct Taken<'a>(&'a Room, u64);

impl Room {
    fn take(&self, bytes: u64) -> Taken<'_> {
        let bytes = bytes.min(ROOM);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free < bytes {
            free = self.more.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= bytes;
        Taken(self, bytes)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += self.1;
        self.0.more.notify_all();
    }
}
