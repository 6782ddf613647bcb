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

/// Bits, the most significant of a byte first, many at a time. Behind the last one there are zeros.
#[derive(Clone, Copy)]
pub(super) struct Padded<'a> {
    bytes: &'a [u8],
    /// The next bit.
    pub(super) at: usize,
}

impl<'a> Padded<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// At least the next 57 bits, from the most significant on.
    #[inline(always)]
    pub(super) fn window(&self) -> u64 {
        eight(self.bytes, self.at / 8) << (self.at % 8)
    }

    /// How many bits of the window are there.
    #[inline(always)]
    pub(super) fn sure(&self) -> u32 {
        64 - (self.at % 8) as u32
    }

    /// Up to 32 bits.
    #[inline(always)]
    pub(super) fn read(&mut self, count: u32) -> u32 {
        // In two steps, for nothing cannot be had in one.
        let value = (self.window() >> 1 >> (63 - count)) as u32;
        self.at += count as usize;
        value
    }

    pub(super) fn flag(&mut self) -> bool {
        self.read(1) == 1
    }
}

/// Bits that are filled up from bytes whose place is known before they are needed, so that nothing waits for
/// memory (F. Giesen, Reading bits in far too many ways, part 2, 2018).
pub(super) struct Ahead<'a> {
    bytes: &'a [u8],
    /// The next byte to be filled in.
    next: usize,
    /// The next bits, from the most significant on; …
    pub(super) window: u64,
    /// … of which so many are there.
    pub(super) sure: u32,
}

impl<'a> Ahead<'a> {
    #[inline(always)]
    pub(super) fn of(bits: Padded<'a>) -> Self {
        let next = bits.at.div_ceil(8);
        Self { bytes: bits.bytes, next, window: bits.window(), sure: (8 * next - bits.at) as u32 }
    }

    /// The place of the next bit.
    #[inline(always)]
    pub(super) fn at(&self) -> usize {
        8 * self.next - self.sure as usize
    }

    /// Fills up to at least 56 bits.
    #[inline(always)]
    pub(super) fn fill(&mut self) {
        // What is there twice is the same.
        self.window |= eight(self.bytes, self.next) >> self.sure;
        self.next += ((63 - self.sure) / 8) as usize;
        self.sure |= 56;
    }
}

/// Eight bytes from a place on.
#[inline(always)]
fn eight(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    u64::from_be_bytes(match rest.first_chunk() {
        Some(bytes) => *bytes,
        None => padded(rest),
    })
}

#[cold]
fn padded(rest: &[u8]) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(rest).for_each(|(byte, rest)| *byte = *rest);
    bytes
}
