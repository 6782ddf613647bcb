//! The range decoder: RFC 6716, section 4.1.

/// Reads symbols from the begin of a frame and plain bits from its end. Behind either there are zeros.
pub(super) struct Range<'a> {
    bytes: &'a [u8],
    /// Where the next bytes for `ahead` are.
    at: usize,
    /// Bits that were read from the begin and not used, from the highest on, each of them turned round.
    ahead: u64,
    available: u32,
    /// Plain bits used.
    plain: usize,
    /// Bits used by symbols, but for those in the range.
    used: i32,
    range: u32,
    /// How far below the top of the range the code lies.
    value: u32,
}

impl<'a> Range<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (range, used) = (1 << 7, 9);
        let mut range = Self { bytes, at: 0, ahead: 0, available: 0, plain: 0, used, range, value: 0 };
        range.value = range.take(7);
        range.normalise();
        range
    }

    /// The next `count` of at most 24 bits, turned round.
    #[inline]
    fn take(&mut self, count: u32) -> u32 {
        if self.available < 24 {
            self.refill();
        }
        let bits = ((self.ahead >> 1) >> (63 - count)) as u32;
        self.ahead <<= count;
        self.available -= count;
        bits
    }

    fn refill(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let next = match rest.first_chunk::<4>() {
            Some(next) => u32::from_be_bytes(*next),
            None => rest.iter().rev().fold(0, |next, byte| next >> 8 | u32::from(*byte) << 24),
        };
        self.at += 4;
        self.ahead |= u64::from(!next) << (32 - self.available);
        self.available += 32;
    }

    /// Brings the range above 2^23.
    #[inline]
    fn normalise(&mut self) {
        let shift = ((self.range.wrapping_sub(1).leading_zeros().wrapping_sub(1)) >> 3 << 3) & 31;
        if shift > 0 {
            self.range <<= shift;
            self.value = self.value << shift | self.take(shift);
            self.used += shift as i32;
        }
    }

    /// Bits used so far, rounded up.
    #[inline]
    pub(super) fn bits(&self) -> i32 {
        self.used - (32 - self.range.leading_zeros() as i32)
    }

    /// Bits used so far in eighths, rounded up.
    #[inline]
    pub(super) fn eighths(&self) -> i32 {
        // Where another eighth of a bit begins: 2^15 times powers of the eighth root of two.
        const STEPS: [u32; 8] = [35733, 38967, 42495, 46340, 50535, 55109, 60097, 65535];
        let log = 32 - self.range.leading_zeros();
        let high = self.range >> (log - 16);
        let step = (high >> 12) - 8;
        let step = step + u32::from(high > STEPS[step as usize & 7]);
        (self.used << 3) - ((log << 3) + step) as i32
    }

    /// Bits of the whole frame.
    pub(super) fn budget(&self) -> i32 {
        8 * self.bytes.len() as i32
    }

    /// Takes all bits that are left as used.
    pub(super) fn exhaust(&mut self) {
        self.used += self.budget() - self.bits();
    }

    /// The size of the range, which seeds the noise of the next frame.
    pub(super) fn state(&self) -> u32 {
        self.range
    }

    #[inline]
    fn step(&mut self, step: u32, from: u32, to: u32, total: u32) {
        let above = step.wrapping_mul(total - to);
        self.value = self.value.wrapping_sub(above);
        self.range = if from > 0 { step.wrapping_mul(to - from) } else { self.range - above };
        self.normalise();
    }

    /// Reads a symbol of a distribution of `total`: `find` tells of a number below it the symbol, and where in
    /// the distribution it begins and ends.
    #[inline]
    pub(super) fn symbol<T>(&mut self, total: u32, find: impl FnOnce(u32) -> (T, u32, u32)) -> T {
        let step = self.range / total;
        let at = total - (self.value / step + 1).min(total);
        let (symbol, from, to) = find(at);
        self.step(step, from, to, total);
        symbol
    }

    /// Reads a number below `total`, which is above 1; all are as likely.
    #[inline]
    pub(super) fn uniform(&mut self, total: u32) -> u32 {
        let last = total - 1;
        let bits = 32 - last.leading_zeros();
        if bits <= 8 {
            return self.symbol(total, |at| (at, at, at + 1));
        }
        let low = bits - 8;
        let high = self.symbol((last >> low) + 1, |at| (at, at, at + 1));
        (high << low | self.plain(low)).min(last)
    }

    /// Reads a bit that is set once in 2^`log`.
    #[inline]
    pub(super) fn bit(&mut self, log: u32) -> bool {
        let part = self.range >> log;
        let set = self.value < part;
        if set {
            self.range = part;
        } else {
            self.value -= part;
            self.range -= part;
        }
        self.normalise();
        set
    }

    /// Reads a symbol of a distribution of 2^`log`, of which `above` is left above each symbol.
    #[inline]
    pub(super) fn table(&mut self, above: &[u8], log: u32) -> usize {
        let step = self.range >> log;
        let mut top = self.range;
        for (symbol, above) in above.iter().enumerate() {
            let bottom = step * u32::from(*above);
            if self.value >= bottom {
                self.value -= bottom;
                self.range = top - bottom;
                self.normalise();
                return symbol;
            }
            top = bottom;
        }
        // The last of a distribution is 0, and nothing is below that.
        above.len() - 1
    }

    /// Reads a symbol of a distribution of 2^15.
    #[inline]
    pub(super) fn of_15_bits<T>(&mut self, find: impl FnOnce(u32) -> (T, u32, u32)) -> T {
        let step = self.range >> 15;
        let at = (1 << 15) - (self.value / step + 1).min(1 << 15);
        let (symbol, from, to) = find(at);
        self.step(step, from, to, 1 << 15);
        symbol
    }

    /// Reads at most 25 bits from the end.
    #[inline]
    pub(super) fn plain(&mut self, count: u32) -> u32 {
        let end = self.bytes.len().saturating_sub(self.plain / 8);
        let before = &self.bytes[..end];
        let next = match before.last_chunk::<4>() {
            Some(next) => u32::from_be_bytes(*next),
            None => before.iter().fold(0, |next, byte| next << 8 | u32::from(*byte)),
        };
        let bits = next >> (self.plain % 8) & ((1 << count) - 1);
        self.plain += count as usize;
        self.used += count as i32;
        bits
    }
}
