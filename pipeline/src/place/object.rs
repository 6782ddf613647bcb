//! An object, read by ranges of its bytes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use futures::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectMeta, ObjectStore};

use super::runtime::{Started, start};
use super::{Source, target};

/// The first request after a seek; each that follows on it asks for twice as much.
const FIRST: u64 = 256 << 10;
const MOST: u64 = 1 << 20;

/// Ranges that are kept: that being read and the one before, often the file's head.
const KEPT: usize = 2;

/// What is asked for.
#[derive(Clone)]
pub struct Request {
    pub store: Arc<dyn ObjectStore>,
    pub path: Path,
    pub url: Arc<str>,
    pub size: u64,
    pub etag: Option<String>,
    pub version: Option<String>,
}

/// An object being read. It holds two ranges and the next one, which is fetched ahead: 3 MiB at most.
pub struct Object {
    request: Request,
    position: u64,
    kept: VecDeque<(u64, Vec<u8>)>,
    ahead: Option<(Range<u64>, Started<Vec<u8>>)>,
    /// Where the last range ended, and the length of the next.
    reached: Option<u64>,
    step: u64,
}

impl Object {
    pub fn new(request: Request) -> Self {
        Self { request, position: 0, kept: VecDeque::new(), ahead: None, reached: None, step: FIRST }
    }

    fn range(&self, from: u64) -> Range<u64> {
        from..from.saturating_add(self.step).min(self.request.size)
    }

    /// Gets a range that begins at the position or before and holds it.
    fn fetch(&mut self) -> io::Result<()> {
        let follows = self.reached == Some(self.position);
        let ahead = self.ahead.take().filter(|(range, _)| range.contains(&self.position));
        self.step = if follows || ahead.is_some() { (self.step * 2).min(MOST) } else { FIRST };
        let (range, bytes) = match ahead {
            Some((range, started)) => (range, started.wait()?),
            None => {
                let range = self.range(self.position);
                let bytes = start(get(self.request.clone(), range.clone()))?.wait()?;
                (range, bytes)
            }
        };
        self.reached = Some(range.end);
        self.kept.truncate(KEPT - 1);
        self.kept.push_front((range.start, bytes));
        // Who reads on will do so again; a first range may be all that is wanted.
        if follows && range.end < self.request.size {
            let next = self.range(range.end);
            self.ahead = Some((next.clone(), start(get(self.request.clone(), next))?));
        }
        Ok(())
    }

    /// Which of the ranges at hand holds the position, and where.
    fn at_hand(&self) -> Option<(usize, usize)> {
        self.kept.iter().enumerate().find_map(|(index, (start, bytes))| {
            let at = usize::try_from(self.position.checked_sub(*start)?).ok()?;
            (at < bytes.len()).then_some((index, at))
        })
    }
}

impl Read for Object {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.position >= self.request.size {
            return Ok(0);
        }
        if self.at_hand().is_none() {
            self.fetch()?;
        }
        let Some((index, at)) = self.at_hand() else {
            return Err(io::Error::new(ErrorKind::ConnectionAborted, "a range came back empty"));
        };
        let bytes = &self.kept[index].1[at..];
        let read = bytes.len().min(buffer.len());
        buffer[..read].copy_from_slice(&bytes[..read]);
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Object {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = target(to, self.position, self.request.size)?;
        Ok(self.position)
    }
}

impl Source for Object {
    fn length(&self) -> u64 {
        self.request.size
    }
}

/// What a store says, as an error of reading. None of the kinds blames the content.
pub fn failed(url: &str, error: &object_store::Error) -> io::Error {
    use object_store::Error;
    let kind = match error {
        Error::Precondition { .. } | Error::NotModified { .. } => return changed(url),
        Error::NotFound { .. } => ErrorKind::NotFound,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => ErrorKind::PermissionDenied,
        Error::NotSupported { .. } | Error::NotImplemented { .. } => ErrorKind::Unsupported,
        _ => ErrorKind::ConnectionAborted,
    };
    io::Error::new(kind, format!("{url}: {error}"))
}

fn changed(url: &str) -> io::Error {
    io::Error::new(ErrorKind::ResourceBusy, format!("{url} has changed since it was scanned"))
}

/// An ETag that stands for bytes and not only for the same meaning can be a condition.
fn strong(etag: &Option<String>) -> Option<String> {
    etag.clone().filter(|etag| !etag.starts_with("W/"))
}

/// What a store says of an object, with the ETag as headers have it: lists of Azure leave its quotes out.
pub fn quoted(mut meta: ObjectMeta) -> ObjectMeta {
    meta.e_tag = meta.e_tag.map(|etag| if etag.starts_with("0x") { format!("\"{etag}\"") } else { etag });
    meta
}

async fn get(request: Request, range: Range<u64>) -> io::Result<Vec<u8>> {
    let url = &*request.url;
    let options = GetOptions {
        range: Some(GetRange::Bounded(range.clone())),
        if_match: strong(&request.etag),
        version: request.version.clone(),
        ..GetOptions::default()
    };
    let result = request.store.get_opts(&request.path, options).await.map_err(|error| failed(url, &error))?;
    // Some servers do not know the condition.
    let other = |old: &Option<String>, new: &Option<String>| old.is_some() && new.is_some() && old != new;
    if result.meta.size != request.size || other(&request.etag, &result.meta.e_tag) {
        return Err(changed(url));
    }
    let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(wanted.min(MOST as usize));
    let mut stream = match result.payload {
        GetResultPayload::Stream(stream) => stream,
        // A store of files, which no URL leads to.
        #[allow(unreachable_patterns, reason = "there is another payload where object_store knows files")]
        _ => return Err(io::Error::new(ErrorKind::Unsupported, format!("{url} is a file"))),
    };
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| failed(url, &error))?;
        if bytes.len() + part.len() > wanted {
            break;
        }
        bytes.extend_from_slice(&part);
    }
    if bytes.len() != wanted {
        let message = format!("{url}: {} bytes came instead of {wanted}", bytes.len());
        return Err(io::Error::new(ErrorKind::ConnectionAborted, message));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt, PutPayload};

    use super::*;

    fn bytes() -> Vec<u8> {
        (0..5_000_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    fn put(store: &Arc<InMemory>, bytes: Vec<u8>) -> Request {
        let (store, path) = (store.clone(), Path::from("a/b.wav"));
        let size = bytes.len() as u64;
        let (to, at) = (store.clone(), path.clone());
        let put =
            async move { to.put(&at, PutPayload::from(bytes)).await.map_err(|error| failed("x", &error)) };
        let result = start(put).unwrap().wait().unwrap();
        Request { store, path, url: "mem://a/b.wav".into(), size, etag: result.e_tag, version: None }
    }

    #[test]
    fn ranges_make_up_the_whole() {
        let (store, bytes) = (Arc::new(InMemory::new()), bytes());
        let mut object = Object::new(put(&store, bytes.clone()));
        assert_eq!(object.length(), bytes.len() as u64);
        // As a demuxer does: the head, the tail, and then all of it.
        let mut head = [0; 100];
        object.read_exact(&mut head).unwrap();
        assert!(object.ahead.is_none(), "nothing is fetched that may not be wanted");
        object.seek(SeekFrom::End(-128)).unwrap();
        let mut tail = Vec::new();
        object.read_to_end(&mut tail).unwrap();
        assert!(head == bytes[..100] && tail == bytes[bytes.len() - 128..]);
        object.rewind().unwrap();
        let mut all = Vec::new();
        object.read_to_end(&mut all).unwrap();
        assert!(all == bytes);
        assert!(object.kept.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>() <= KEPT as u64 * MOST);
        // Any place, any length.
        let mut at = 1u64;
        for length in [1usize, 1000, 300_000, 2_000_000, 17] {
            at = at * 7919 % (bytes.len() as u64 - length as u64);
            object.seek(SeekFrom::Start(at)).unwrap();
            let mut part = vec![0; length];
            object.read_exact(&mut part).unwrap();
            assert!(part == bytes[at as usize..at as usize + length]);
        }
        object.seek(SeekFrom::End(10)).unwrap();
        assert_eq!(object.read(&mut head).unwrap(), 0);
        assert_eq!(object.seek(SeekFrom::End(-10_000_000)).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn an_object_that_changes_is_not_mixed() {
        let (store, bytes) = (Arc::new(InMemory::new()), bytes());
        let request = put(&store, bytes.clone());
        let mut object = Object::new(request.clone());
        object.read_exact(&mut [0; 100]).unwrap();
        put(&store, bytes.iter().map(|byte| !byte).collect());
        let error = object.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().contains("has changed")),
            (ErrorKind::ResourceBusy, true)
        );
        let gone = Request { path: Path::from("nowhere"), ..request };
        assert_eq!(Object::new(gone).read(&mut [0]).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
