//! A deflated member of a ZIP.

use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use tempfile::SpooledTempFile;

use super::slice::Slice;
use super::{Source, cache};

/// What is unpacked in memory; more goes to a file.
const IN_MEMORY: u64 = 1 << 20;

/// Unpacks as it is read. What does not end where the archive says is an error, and so is another checksum.
pub struct Inflate {
    inner: DeflateDecoder<BufReader<Slice>>,
    length: u64,
    left: u64,
    expected: u32,
    crc: Crc,
}

impl Inflate {
    pub fn open(path: &Path, offset: u64, packed: u64, length: u64, expected: u32) -> io::Result<Self> {
        let slice = BufReader::with_capacity(1 << 16, Slice::open(path, offset, packed)?);
        Ok(Self { inner: DeflateDecoder::new(slice), length, left: length, expected, crc: Crc::new() })
    }
}

fn damaged(message: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, message)
}

impl Read for Inflate {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.inner.read(buffer).map_err(|error| match error.kind() {
            ErrorKind::InvalidInput
            | ErrorKind::InvalidData
            | ErrorKind::UnexpectedEof
            | ErrorKind::Other => {
                damaged(format!("the packed bytes are damaged, {} bytes in", self.length - self.left))
            }
            _ => error,
        })?;
        let Some(left) = self.left.checked_sub(read as u64) else {
            return Err(damaged(format!("it unpacks to more than the {} bytes it announces", self.length)));
        };
        self.left = left;
        self.crc.update(&buffer[..read]);
        if read == 0 && left > 0 {
            let found = self.length - left;
            return Err(damaged(format!("it unpacks to {found} of the {} bytes it announces", self.length)));
        }
        if read == 0 && self.crc.sum() != self.expected {
            return Err(damaged("the checksum of the unpacked bytes is wrong".into()));
        }
        Ok(read)
    }
}

/// A whole member, unpacked.
struct Unpacked {
    spool: SpooledTempFile,
    length: u64,
}

/// Unpacks all of a member, so that it can be sought.
pub fn unpack(mut member: Inflate) -> io::Result<Box<dyn Source>> {
    let folder = if member.length > IN_MEMORY { cache("spool")? } else { std::env::temp_dir() };
    let mut spool = tempfile::spooled_tempfile_in(IN_MEMORY as usize, folder);
    // It grows with what is really there, and `Inflate` ends it where it has to end.
    let length = io::copy(&mut member, &mut spool)?;
    spool.rewind()?;
    Ok(Box::new(Unpacked { spool, length }))
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.spool.read(buffer)
    }
}

impl Seek for Unpacked {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.spool.seek(to)
    }
}

impl Source for Unpacked {
    fn length(&self) -> u64 {
        self.length
    }
}
