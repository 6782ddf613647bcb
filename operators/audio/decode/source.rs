//! Where the bytes of a recording come from, as symphonia sees it.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use etude_pipeline::operator::Stop;
use etude_pipeline::place::Source;
use symphonia::core::io::MediaSource;

/// Looks on while a recording is read.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    position: Arc<AtomicU64>,
    /// The first error that the content is not to blame for.
    failed: Arc<Mutex<Option<String>>>,
}

impl Watch {
    /// A source that is looked at.
    pub(super) fn source(&self, inner: Box<dyn Source>) -> Watched {
        Watched { inner, watch: self.clone() }
    }

    /// How far has been read, for messages.
    pub(super) fn place(&self) -> String {
        format!("before byte {}", self.position.load(Ordering::Relaxed))
    }

    /// Where reading has failed, nothing that a decoder made of it counts: another time it may be right.
    /// Demuxers tell errors of reading as they tell bad content, or pass over them.
    pub(super) fn judge<T>(&self, result: Result<T, Stop>) -> Result<T, Stop> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match (failed.as_ref(), result) {
            (Some(message), Ok(_) | Err(Stop::Rejected { .. } | Stop::Filtered { .. })) => {
                Err(Stop::Transient { message: message.clone() })
            }
            (_, result) => result,
        }
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        use ErrorKind::{Interrupted, InvalidData, InvalidInput, UnexpectedEof};
        if let Err(error) = &result
            && !matches!(error.kind(), Interrupted | InvalidData | InvalidInput | UnexpectedEof)
        {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert_with(|| error.to_string());
        }
        result
    }
}

/// A source that is looked at.
pub(super) struct Watched {
    inner: Box<dyn Source>,
    watch: Watch,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.watch.note(self.inner.read(buffer))?;
        self.watch.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = self.watch.note(self.inner.seek(to))?;
        self.watch.position.store(at, Ordering::Relaxed);
        Ok(at)
    }
}

impl MediaSource for Watched {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.inner.length())
    }
}

/// A source that can be opened again when it was opened in vain.
#[derive(Clone)]
pub(super) struct Shared {
    inner: Arc<Mutex<Box<dyn MediaSource>>>,
    length: Option<u64>,
}

impl Shared {
    pub(super) fn new(inner: Box<dyn MediaSource>) -> Self {
        let length = inner.byte_len();
        Self { inner: Arc::new(Mutex::new(inner)), length }
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn MediaSource>> {
        // Whoever panicked while reading has left nothing half done here.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.lock().read(buffer)
    }
}

impl Seek for Shared {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.lock().seek(to)
    }
}

impl MediaSource for Shared {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        self.length
    }
}

/// The bytes `from..to` of another source, as if there were no others.
pub(super) struct Part {
    inner: Box<dyn MediaSource>,
    from: u64,
    to: u64,
    at: u64,
}

impl Part {
    pub(super) fn new(mut inner: Box<dyn MediaSource>, from: u64, to: u64) -> io::Result<Self> {
        inner.seek(SeekFrom::Start(from))?;
        Ok(Self { inner, from, to: to.max(from), at: from })
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.to.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let read = self.inner.read(&mut buffer[..most])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(offset) => self.from.checked_add(offset),
            SeekFrom::End(offset) => self.to.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        let at = at
            .filter(|at| *at >= self.from)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a seek before the begin"))?;
        self.at = self.inner.seek(SeekFrom::Start(at))?;
        Ok(self.at - self.from)
    }
}

impl MediaSource for Part {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.to - self.from)
    }
}

/// Pieces of another source, one behind the other.
pub(super) struct Pieces {
    inner: Box<dyn MediaSource>,
    /// Where each piece begins here, where it begins there, and its length.
    pieces: Vec<(u64, u64, u64)>,
    length: u64,
    at: u64,
    /// The place in the other source, where it is known.
    there: Option<u64>,
}

impl Pieces {
    /// Of pieces with their places and lengths.
    pub(super) fn new(inner: Box<dyn MediaSource>, pieces: &[(u64, u64)]) -> Self {
        let mut length = 0u64;
        let mut placed = Vec::with_capacity(pieces.len());
        for (from, size) in pieces {
            placed.push((length, *from, *size));
            length = length.saturating_add(*size);
        }
        Self { inner, pieces: placed, length, at: 0, there: None }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let index = self.pieces.partition_point(|(begin, _, _)| *begin <= self.at);
        let Some((begin, from, size)) = index.checked_sub(1).and_then(|index| self.pieces.get(index)) else {
            return Ok(0);
        };
        let within = self.at - begin;
        let left = usize::try_from(size.saturating_sub(within)).unwrap_or(usize::MAX);
        let (place, most) = (from.saturating_add(within), left.min(buffer.len()));
        if self.there != Some(place) {
            self.inner.seek(SeekFrom::Start(place))?;
        }
        let read = self.inner.read(&mut buffer[..most])?;
        self.at += read as u64;
        self.there = Some(place + read as u64);
        Ok(read)
    }
}

impl Seek for Pieces {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a seek before the begin"))?;
        Ok(self.at)
    }
}

impl MediaSource for Pieces {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

/// Another source with some bytes replaced.
pub(super) struct Patched {
    inner: Box<dyn MediaSource>,
    place: u64,
    bytes: Vec<u8>,
    at: u64,
}

impl Patched {
    pub(super) fn new(mut inner: Box<dyn MediaSource>, place: u64, bytes: Vec<u8>) -> io::Result<Self> {
        inner.rewind()?;
        Ok(Self { inner, place, bytes, at: 0 })
    }
}

impl Read for Patched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        for (at, byte) in (self.place..).zip(&self.bytes) {
            let within = at.checked_sub(self.at).and_then(|within| usize::try_from(within).ok());
            if let Some(to) = within.and_then(|within| buffer[..read].get_mut(within)) {
                *to = *byte;
            }
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Patched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.inner.seek(to)?;
        Ok(self.at)
    }
}

impl MediaSource for Patched {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        self.inner.byte_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn source() -> Box<dyn MediaSource> {
        Box::new(Cursor::new((0..20).collect::<Vec<u8>>()))
    }

    /// A file of which one read fails as a disk or a network does.
    struct Failing {
        inner: Cursor<Vec<u8>>,
        left: usize,
    }

    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.left = self.left.wrapping_sub(1);
            if self.left == usize::MAX {
                Err(io::Error::other("the network is down"))
            } else {
                self.inner.read(buffer)
            }
        }
    }

    impl Seek for Failing {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.inner.seek(to)
        }
    }

    impl Source for Failing {
        fn length(&self) -> u64 {
            self.inner.get_ref().len() as u64
        }
    }

    /// Whatever a demuxer makes of it, an error of reading rejects no recording.
    #[test]
    fn an_error_of_reading_is_no_property_of_the_content() {
        let samples: Vec<i16> = (0..20_000).map(|i| (i % 251) as i16 * 64).collect();
        let flac = crate::flac::Encoder::new().encode::<i16, _>(&[samples], 16_000, 16).unwrap().to_vec();
        let mut failed = 0;
        for left in 0.. {
            let source = Failing { inner: Cursor::new(flac.clone()), left };
            match crate::decode::about(Box::new(source), "a.flac") {
                Err(Stop::Transient { message }) => assert_eq!(message, "the network is down"),
                Err(other) => panic!("after {left} reads: {other:?}"),
                Ok(about) => {
                    assert_eq!((about.rate, about.frames), (16_000, Some(20_000)));
                    break;
                }
            }
            failed += 1;
        }
        assert!(failed > 1, "{failed}");
    }

    #[test]
    fn a_part_has_an_end_and_a_begin() {
        let mut part = Part::new(source(), 5, 9).unwrap();
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [5, 6, 7, 8]);
        assert_eq!(part.seek(SeekFrom::End(-1)).unwrap(), 3);
        assert!(part.seek(SeekFrom::Current(-9)).is_err());
        assert_eq!(part.byte_len(), Some(4));
    }

    #[test]
    fn pieces_follow_each_other() {
        let mut pieces = Pieces::new(source(), &[(10, 2), (3, 3), (18, 5)]);
        let mut bytes = Vec::new();
        pieces.read_to_end(&mut bytes).unwrap();
        // The last one reaches behind the end.
        assert_eq!(bytes, [10, 11, 3, 4, 5, 18, 19]);
        pieces.seek(SeekFrom::Start(4)).unwrap();
        let mut two = [0; 2];
        pieces.read_exact(&mut two).unwrap();
        assert_eq!(two, [5, 18]);
    }

    #[test]
    fn bytes_are_replaced_however_they_are_read() {
        for step in 1..7 {
            let mut patched = Patched::new(source(), 4, vec![90, 91, 92]).unwrap();
            let (mut all, mut buffer) = (Vec::new(), vec![0; step]);
            while let read @ 1.. = patched.read(&mut buffer).unwrap() {
                all.extend_from_slice(&buffer[..read]);
            }
            assert_eq!(all[..9], [0, 1, 2, 3, 90, 91, 92, 7, 8]);
        }
        let mut patched = Patched::new(source(), 4, vec![90, 91, 92]).unwrap();
        patched.seek(SeekFrom::Start(5)).unwrap();
        let mut two = [0; 2];
        patched.read_exact(&mut two).unwrap();
        assert_eq!(two, [91, 92]);
    }
}
