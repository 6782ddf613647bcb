//! Where the bytes of an item are, and how they are read.

mod cache;
mod deflated;
mod escape;
#[cfg(feature = "cloud")]
pub(crate) mod object;
mod remote;
#[cfg(feature = "cloud")]
pub(crate) mod runtime;
mod slice;
#[cfg(feature = "cloud")]
pub(crate) mod stores;

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::operator::Stamp;
pub use cache::cache;
use deflated::Inflate;
pub use escape::{readable, unescape};
pub use remote::{Listed, heads, list};
use slice::Slice;

/// Where an item's bytes are. It can be sent to another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// All of a file.
    File(Arc<Path>),
    /// Bytes of a file as they are: a member of a TAR, or a stored member of a ZIP.
    Slice { path: Arc<Path>, offset: u64, length: u64 },
    /// A deflated member of a ZIP: `packed` bytes that give `length`, never more.
    Deflated { path: Arc<Path>, offset: u64, packed: u64, length: u64, crc: u32 },
    /// An object, read by requests for ranges of its bytes. One that has changed since is not read.
    Object { url: Arc<str>, size: u64, etag: Option<Arc<str>>, version: Option<Arc<str>> },
    /// Bytes that a scan has found and that cannot be read, such as an encrypted member of an archive.
    /// Opening it says why.
    Refused { path: Arc<Path>, offset: u64, length: u64, message: Arc<str> },
}

/// Bytes that can be read and sought.
///
/// An error of the kind `InvalidData` or `InvalidInput` blames the content; any other may pass.
pub trait Source: Read + Seek + Send + Sync {
    /// Number of bytes.
    fn length(&self) -> u64;
}

impl Place {
    /// All of the file at a path.
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self::File(path.as_ref().into())
    }

    /// Opens it. A deflated member is unpacked first: up to 1 MiB in memory, else in a file without a
    /// name in the cache folder, so that seeking costs nothing.
    pub fn open(&self) -> io::Result<Box<dyn Source>> {
        match self {
            Self::File(path) => {
                let file = File::open(path)?;
                let length = file.metadata()?.len();
                Ok(Box::new(Whole { file, length }))
            }
            Self::Slice { path, offset, length } => Ok(Box::new(Slice::open(path, *offset, *length)?)),
            Self::Deflated { path, offset, packed, length, crc } => {
                deflated::unpack(Inflate::open(path, *offset, *packed, *length, *crc)?)
            }
            Self::Object { url, size, etag, version } => {
                remote::open(url, *size, etag.as_deref(), version.as_deref())
            }
            Self::Refused { message, .. } => Err(io::Error::new(ErrorKind::InvalidData, message.as_ref())),
        }
    }

    /// Its bytes from first to last, unpacked as they are read; of one that is refused, as they lie there.
    pub fn stream(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::File(path) => Ok(Box::new(File::open(path)?)),
            Self::Deflated { path, offset, packed, length, crc } => {
                Ok(Box::new(Inflate::open(path, *offset, *packed, *length, *crc)?))
            }
            Self::Slice { .. } | Self::Refused { .. } => self.raw(),
            Self::Object { .. } => Ok(Box::new(self.open()?)),
        }
    }

    /// Its bytes as they lie in the file, packed or not.
    pub fn raw(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::Slice { path, offset, length }
            | Self::Deflated { path, offset, packed: length, .. }
            | Self::Refused { path, offset, length, .. } => {
                Ok(Box::new(Slice::open(path, *offset, *length)?))
            }
            Self::File(_) | Self::Object { .. } => self.stream(),
        }
    }

    /// The path, where it is a file of its own.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            _ => None,
        }
    }

    /// The file that holds it, which may be an archive; an object has none.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path)
            | Self::Slice { path, .. }
            | Self::Deflated { path, .. }
            | Self::Refused { path, .. } => Some(path),
            Self::Object { .. } => None,
        }
    }

    /// Where it begins in its file, for what does not take all of it.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Slice { offset, .. } | Self::Deflated { offset, .. } | Self::Refused { offset, .. } => {
                Some(*offset)
            }
            Self::File(_) | Self::Object { .. } => None,
        }
    }

    /// Number of bytes, unpacked; for a file only the file knows.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::File(_) => None,
            Self::Slice { length, .. } | Self::Deflated { length, .. } | Self::Refused { length, .. } => {
                Some(*length)
            }
            Self::Object { size, .. } => Some(*size),
        }
    }

    /// The stamp of the file that holds it, as it is now; an object has none.
    pub fn stamp(&self) -> io::Result<Option<Stamp>> {
        self.file().map(Stamp::of).transpose()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { url, .. } => formatter.write_str(url),
            Self::File(path) | Self::Refused { path, .. } => write!(formatter, "{}", path.display()),
            Self::Slice { path, offset, .. } | Self::Deflated { path, offset, .. } => {
                write!(formatter, "{} at byte {offset}", path.display())
            }
        }
    }
}

/// A file and its length.
struct Whole {
    file: File,
    length: u64,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for Whole {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Source for Whole {
    fn length(&self) -> u64 {
        self.length
    }
}

/// Where a seek leads; behind the end is allowed, before the begin is not.
fn target(to: SeekFrom, position: u64, length: u64) -> io::Result<u64> {
    let found = match to {
        SeekFrom::Start(at) => Some(at),
        SeekFrom::End(by) => length.checked_add_signed(by),
        SeekFrom::Current(by) => position.checked_add_signed(by),
    };
    found.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "a seek leads before the first byte"))
}

#[cfg(test)]
mod tests;
