//! Bits out of bytes.

/// Bits, the most significant of a byte first.
pub(super) struct High<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl High<'_> {
    pub(super) fn read(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for at in self.at..self.at + count {
            let byte = self.bytes.get(at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - at % 8) & 1);
        }
        self.at += count;
        Some(value)
    }
}

/// Bits, the least significant of a byte first, as Vorbis has them.
pub(super) struct Low<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl Low<'_> {
    pub(super) fn read(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for (place, at) in (self.at..self.at + count).enumerate() {
            let byte = self.bytes.get(at / 8)?;
            value |= u32::from(byte >> (at % 8) & 1) << place;
        }
        self.at += count;
        Some(value)
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count)?;
        (self.at <= self.bytes.len() * 8).then_some(())
    }
}
