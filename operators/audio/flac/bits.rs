//! Writes bits, the highest first.

use multiversion::multiversion;

/// A writer into memory that is kept between uses.
#[derive(Default)]
pub struct Bits {
    /// Longer than what is written: the rest is room.
    bytes: Vec<u8>,
    /// Whole bytes written.
    at: usize,
    /// The bits behind them, fewer than eight, lowest; what is above them is old.
    pending: u64,
    filled: u32,
}

/// A place to return to.
#[derive(Clone, Copy)]
pub struct Mark {
    at: usize,
    pending: u64,
    filled: u32,
}

/// The most bits that fit beside those that are pending.
const MOST: u32 = 56;

impl Bits {
    /// Forgets what was written and keeps the memory.
    pub fn clear(&mut self) {
        self.rewind(Mark { at: 0, pending: 0, filled: 0 });
    }

    /// Makes room for that many more bytes.
    pub fn reserve(&mut self, bytes: usize) {
        let needed = self.at + bytes + 16;
        if self.bytes.len() < needed {
            self.bytes.resize(needed.max(self.bytes.len() * 2), 0);
        }
    }

    /// Where the next bit goes.
    pub fn mark(&self) -> Mark {
        Mark { at: self.at, pending: self.pending, filled: self.filled }
    }

    /// Takes back what was written since.
    pub fn rewind(&mut self, mark: Mark) {
        (self.at, self.pending, self.filled) = (mark.at, mark.pending, mark.filled);
    }

    /// Bits written since.
    pub fn since(&self, mark: Mark) -> usize {
        (self.at - mark.at) * 8 + self.filled as usize - mark.filled as usize
    }

    /// Whole bytes written.
    pub fn len(&self) -> usize {
        self.at
    }

    /// What was written, up to the last whole byte.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.at]
    }

    /// What was written, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.at]
    }

    /// The lowest 1 to 56 bits of a number, above which it has none.
    pub fn put(&mut self, value: u64, count: u32) {
        debug_assert!((1..=MOST).contains(&count) && value >> count == 0);
        self.reserve(8);
        let mut cursor = Cursor::of(self);
        cursor.put(value, count);
        let mark = cursor.mark();
        self.rewind(mark);
    }

    /// The lowest bits of a signed number.
    pub fn put_signed(&mut self, value: i32, count: u32) {
        self.put(u64::from(value as u32) & ((1 << count) - 1), count);
    }

    /// Zeros up to a whole byte.
    pub fn align(&mut self) {
        if self.filled > 0 {
            self.put(0, 8 - self.filled);
        }
    }

    /// Folded residuals in the Rice code of a parameter. `sum` is theirs.
    pub fn put_rice(&mut self, residual: &[u32], parameter: u32, sum: u64) {
        // No quotient is more than its number divided, so neither is their sum.
        let most = (sum >> parameter) + residual.len() as u64 * u64::from(parameter + 1);
        self.reserve((most / 8) as usize + 16);
        let mut cursor = Cursor::of(self);
        rice(&mut cursor, residual, parameter);
        let mark = cursor.mark();
        self.rewind(mark);
    }
}

#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt"))]
fn rice(cursor: &mut Cursor<'_>, residual: &[u32], parameter: u32) {
    let low = (1u32 << parameter) - 1;
    let one = 1u32 << parameter;
    let (fours, rest) = residual.as_chunks::<4>();
    for four in fours {
        let length = four.map(|number| (number >> parameter) + parameter + 1);
        let total = (length[0] + length[1]) + (length[2] + length[3]);
        if total <= MOST {
            for (number, length) in four.iter().zip(length) {
                cursor.pending = cursor.pending << length | u64::from(number & low | one);
            }
            cursor.flush(total);
        } else {
            for (number, length) in four.iter().zip(length) {
                cursor.put_long(u64::from(number & low | one), length);
            }
        }
    }
    for &number in rest {
        cursor.put_long(u64::from(number & low | one), (number >> parameter) + parameter + 1);
    }
}

/// The writer's state in registers.
struct Cursor<'a> {
    bytes: &'a mut [u8],
    at: usize,
    pending: u64,
    filled: u32,
}

impl<'a> Cursor<'a> {
    fn of(bits: &'a mut Bits) -> Self {
        Self { at: bits.at, pending: bits.pending, filled: bits.filled, bytes: &mut bits.bytes }
    }

    fn mark(&self) -> Mark {
        Mark { at: self.at, pending: self.pending, filled: self.filled }
    }

    #[inline(always)]
    fn put(&mut self, value: u64, count: u32) {
        self.pending = self.pending << count | value;
        self.flush(count);
    }

    /// Puts whole bytes in their place, after that many bits have become pending.
    #[inline(always)]
    fn flush(&mut self, count: u32) {
        self.filled += count;
        let top = self.pending << (64 - self.filled);
        self.bytes[self.at..self.at + 8].copy_from_slice(&top.to_be_bytes());
        self.at += (self.filled >> 3) as usize;
        self.filled &= 7;
    }

    /// The same for more bits than fit at once, all but the last 31 of which are zero.
    #[inline(always)]
    fn put_long(&mut self, value: u64, mut count: u32) {
        while count > MOST {
            let zeros = (count - 32).min(MOST);
            self.put(0, zeros);
            count -= zeros;
        }
        self.put(value, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bits: &mut Bits) -> String {
        let mark = bits.mark();
        bits.align();
        let text = bits.bytes().iter().map(|byte| format!("{byte:08b}")).collect();
        bits.rewind(mark);
        text
    }

    #[test]
    fn bits_stand_in_order() {
        let mut bits = Bits::default();
        bits.put(0b101, 3);
        bits.put_signed(-2, 4);
        bits.put(1, 56);
        assert_eq!(bits.since(Mark { at: 0, pending: 0, filled: 0 }), 63);
        assert_eq!(text(&mut bits), format!("1011110{:056b}0", 1));
        bits.clear();
        bits.put(1, 1);
        assert_eq!(text(&mut bits), "10000000");
    }

    #[test]
    fn rice_codes_are_those_of_the_definition() {
        for parameter in [0, 1, 5, 14, 30] {
            let residual: Vec<u32> = (0..203u32)
                .map(|i| {
                    i.wrapping_mul(2_654_435_769)
                        >> if i % 50 == 3 { 25u32.saturating_sub(parameter) } else { 31 - parameter }
                })
                .collect();
            let expected: String = residual
                .iter()
                .flat_map(|&number| {
                    let mut code = "0".repeat((number >> parameter) as usize) + "1";
                    for bit in (0..parameter).rev() {
                        code.push(if number >> bit & 1 == 1 { '1' } else { '0' });
                    }
                    code.chars().collect::<Vec<_>>()
                })
                .collect();
            let mut bits = Bits::default();
            bits.put(1, 1);
            let sum = residual.iter().copied().map(u64::from).sum();
            bits.put_rice(&residual, parameter, sum);
            let text = text(&mut bits);
            assert_eq!(text[1..=expected.len()], expected, "{parameter}");
        }
    }
}
