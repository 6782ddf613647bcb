//! Main data, which may begin in earlier frames: ISO/IEC 11172-3, 2.4.3.4.

/// How far a frame may reach back, in bytes.
const BACK: usize = 511;

/// Zeros behind the last byte, so that bits are read eight bytes at a time.
const SPARE: usize = 8;

/// The main data of a frame and of those before.
#[derive(Default)]
pub(super) struct Reservoir {
    bytes: Vec<u8>,
}

impl Reservoir {
    /// Takes the main data of a frame that begins so many bytes back; gives how many of these are not there.
    pub(super) fn fill(&mut self, main: &[u8], back: usize) -> usize {
        let there = self.bytes.len().saturating_sub(SPARE);
        let kept = back.min(BACK).min(there);
        self.bytes.copy_within(there - kept..there, 0);
        self.bytes.truncate(kept);
        self.bytes.extend_from_slice(main);
        self.bytes.extend_from_slice(&[0; SPARE]);
        back - kept
    }

    /// The main data and zeros behind it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bits of main data.
    pub(super) fn length(&self) -> usize {
        8 * self.bytes.len().saturating_sub(SPARE)
    }
}
