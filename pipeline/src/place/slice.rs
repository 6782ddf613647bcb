//! A part of a file.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use super::{Source, target};

/// Bytes of a file, as if they were a file.
pub struct Slice {
    file: File,
    start: u64,
    length: u64,
    position: u64,
    /// Whether the file stands at `position`.
    there: bool,
}

impl Slice {
    pub fn open(path: &Path, start: u64, length: u64) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, start, length, position: 0, there: false })
    }
}

impl Read for Slice {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        if !self.there {
            self.file.seek(SeekFrom::Start(self.start.saturating_add(self.position)))?;
            self.there = true;
        }
        let read = self.file.read(&mut buffer[..most])?;
        if read == 0 {
            // It reached that far when it was scanned: the content is not to blame.
            return Err(io::Error::new(ErrorKind::ResourceBusy, "the archive has become shorter"));
        }
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Slice {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = target(to, self.position, self.length)?;
        self.there &= at == self.position;
        self.position = at;
        Ok(at)
    }
}

impl Source for Slice {
    fn length(&self) -> u64 {
        self.length
    }
}
