//! Small reads from all over a file.

use symphonia::core::io::MediaSource;

use super::at_most;
use crate::decode::failure::{Failure, truncated};

/// Bytes that are read at a time.
const LENGTH: usize = 32 << 10;

/// A source with the bytes around the last read kept.
pub(super) struct Window<'a> {
    source: &'a mut dyn MediaSource,
    begin: u64,
    bytes: Vec<u8>,
    length: u64,
}

impl<'a> Window<'a> {
    pub(super) fn new(source: &'a mut dyn MediaSource) -> Self {
        let length = source.byte_len().unwrap_or(u64::MAX);
        Self { source, begin: 0, bytes: Vec::new(), length }
    }

    /// The length of the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes at a place, fewer at the end of the file.
    pub(super) fn at_most(&mut self, at: u64, count: usize) -> Result<&[u8], Failure> {
        let held = self.begin..self.begin + self.bytes.len() as u64;
        let end = at.saturating_add(count as u64);
        if !(held.contains(&at) && end <= held.end) {
            self.bytes = at_most(self.source, at, count.max(LENGTH))?;
            self.begin = at;
        }
        let from = usize::try_from(at - self.begin).unwrap_or(usize::MAX).min(self.bytes.len());
        let to = from.saturating_add(count).min(self.bytes.len());
        Ok(&self.bytes[from..to])
    }

    /// Exactly that many bytes.
    pub(super) fn exact<const COUNT: usize>(&mut self, at: u64) -> Result<[u8; COUNT], Failure> {
        self.at_most(at, COUNT)?.first_chunk().copied().ok_or_else(truncated)
    }
}
