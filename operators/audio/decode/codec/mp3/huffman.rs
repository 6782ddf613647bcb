//! Reads the lines of a granule: ISO/IEC 11172-3, 2.4.3.4.6.

use std::sync::LazyLock;

use super::super::bits::Padded;
use super::codes;
use super::side::Part;

/// The bit of an entry that says where longer codes stand.
const LONGER: u32 = 1 << 31;

/// The values of codes: of up to eight bits at once, of longer ones in a second step.
struct Book {
    /// The length of the code, and the two values; or [`LONGER`], how many bits follow, and where.
    first: Box<[u32; 256]>,
    second: Vec<u32>,
}

/// What is to be known to read lines.
struct Tables {
    pairs: [Book; 15],
    quadruples: Book,
    /// Values to the power of 4/3.
    powers: Box<[f32; 8207]>,
}

/// For each number in the side information: which book, and the bits that may be added to 15.
const BOOKS: [Option<(usize, u32)>; 32] = {
    let linear = [1, 2, 3, 4, 6, 8, 10, 13, 4, 5, 6, 7, 8, 9, 11, 13];
    let mut books = [None; 32];
    let (mut number, mut book) = (1, 0);
    while number < 16 {
        if number != 4 && number != 14 {
            books[number] = Some((book, 0));
            book += 1;
        }
        number += 1;
    }
    while number < 32 {
        books[number] = Some((if number < 24 { 13 } else { 14 }, linear[number - 16]));
        number += 1;
    }
    books
};

impl Book {
    /// Lists the codes of a book, which stand in their order.
    fn new(codes: &[u16]) -> Self {
        // The code of each, from the most significant bit on.
        let mut next = 0u32;
        let all: Vec<(u32, u32)> = codes
            .iter()
            .map(|entry| {
                let code = next;
                next = next.wrapping_add(1 << (32 - u32::from(entry >> 8)));
                (code, u32::from(*entry))
            })
            .collect();
        let mut book = Self { first: Box::new([0; 256]), second: Vec::new() };
        for top in 0..256u32 {
            let within: Vec<_> = all.iter().filter(|(code, _)| code >> 24 == top).collect();
            book.first[top as usize] = match within.iter().map(|(_, entry)| entry >> 8).max() {
                Some(longest @ 9..) => {
                    let (at, bits) = (book.second.len() as u32, longest - 8);
                    for (code, entry) in within {
                        let same = 1 << (longest - (entry >> 8));
                        debug_assert_eq!(book.second.len() as u32, at + (code << 8 >> (32 - bits)));
                        book.second.extend(std::iter::repeat_n(*entry, same));
                    }
                    LONGER | bits << 16 | at
                }
                // The last one that begins at or before it.
                _ => all.iter().rev().find(|(code, _)| code >> 24 <= top).map_or(0, |(_, entry)| *entry),
            };
        }
        book
    }

    /// The entry of the code that bits begin with.
    #[inline(always)]
    fn find(&self, window: u64) -> u32 {
        let entry = self.first[usize::from((window >> 56) as u8)];
        if entry & LONGER == 0 {
            return entry;
        }
        let bits = entry >> 16 & 15;
        let at = (entry & 0xffff) as usize + ((window << 8) >> (64 - bits)) as usize;
        self.second.get(at).copied().unwrap_or(0)
    }
}

fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
        pairs: codes::PAIRS.map(Book::new),
        quadruples: Book::new(codes::QUADRUPLES),
        powers: Box::new(std::array::from_fn(|value| (value as f64).powf(4.0 / 3.0) as f32)),
    });
    &TABLES
}

/// Reads lines up to the bit `end`; gives how many there are, those behind are 0.
pub(super) fn read(
    bits: &mut Padded<'_>,
    end: usize,
    part: &Part,
    lines: &mut [f32; 576],
) -> Result<usize, &'static str> {
    let tables = tables();
    let mut at = 0;
    let edges = [part.regions[0].min(part.paired), part.regions[1].min(part.paired), part.paired];
    for (edge, number) in edges.into_iter().zip(part.books) {
        let Some(region) = lines.get_mut(at..edge).filter(|region| !region.is_empty()) else { continue };
        at += match BOOKS[usize::from(number & 31)] {
            Some((book, 0)) => pairs::<false>(&tables.pairs[book], 0, bits, end, region, &tables.powers),
            Some((book, linear)) => {
                pairs::<true>(&tables.pairs[book], linear, bits, end, region, &tables.powers)
            }
            None if number == 0 => {
                region.fill(0.0);
                region.len()
            }
            None => return Err("mp3: a book that there is not"),
        };
    }
    while at + 4 <= 576 && bits.at < end {
        quadruple(&tables.quadruples, part.second, bits, &mut lines[at..at + 4]);
        at += 4;
    }
    if bits.at > end && at > part.paired {
        // Some encoders say too many bits: the last codes were none.
        at -= 4;
    }
    lines[at..].fill(0.0);
    Ok(at)
}

/// Reads pairs of lines; gives how many lines there were.
fn pairs<const LINEAR: bool>(
    book: &Book,
    linear: u32,
    bits: &mut Padded<'_>,
    end: usize,
    lines: &mut [f32],
    powers: &[f32; 8207],
) -> usize {
    let mut count = 0;
    let (pairs, _) = lines.as_chunks_mut::<2>();
    let (mut window, mut used) = (bits.window(), 0);
    for pair in pairs {
        // The longest code has 19 bits, and two signs follow.
        if used > 57 - 21 {
            bits.at += used as usize;
            (window, used) = (bits.window(), 0);
        }
        if bits.at + used as usize >= end {
            break;
        }
        let entry = book.find(window);
        let length = entry >> 8 & 31;
        window <<= length;
        used += length;
        let values = [entry >> 4 & 15, entry & 15];
        if LINEAR && values.contains(&15) {
            bits.at += used as usize;
            (window, used) = (bits.window(), 0);
        }
        for (line, value) in pair.iter_mut().zip(values) {
            let mut value = value as usize;
            if LINEAR && value == 15 {
                value += (window >> (64 - linear)) as usize;
                window <<= linear;
                used += linear;
            }
            // A sign follows what is not 0; that of 0 does not matter.
            let sign = (window >> 63) as u32;
            let signed = u32::from(value != 0);
            window <<= signed;
            used += signed;
            *line = f32::from_bits(powers[value].to_bits() | sign << 31);
        }
        count += 2;
    }
    bits.at += used as usize;
    count
}

/// Reads four lines that are -1, 0 or 1.
#[inline(always)]
fn quadruple(book: &Book, second: bool, bits: &mut Padded<'_>, lines: &mut [f32]) {
    let mut window = bits.window();
    let (values, length) = if second {
        (!(window >> 60) as u32, 4)
    } else {
        let entry = book.find(window);
        (entry & 15, entry >> 8 & 31)
    };
    window <<= length;
    let mut used = length;
    for (at, line) in lines.iter_mut().enumerate() {
        let one = values >> (3 - at) & 1;
        let sign = (window >> 63) as u32 & one;
        *line = f32::from_bits((one * 1f32.to_bits()) | (sign << 31));
        window <<= one;
        used += one;
    }
    bits.at += used as usize;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All codes of a book, one behind the other.
    fn written(codes: &[u16], values: impl Fn(u16) -> u32) -> Vec<u8> {
        let (mut bits, mut next) = (Vec::new(), 0u32);
        for entry in codes {
            let length = u32::from(entry >> 8);
            bits.extend((0..length).map(|bit| next >> (31 - bit) & 1 == 1));
            // Every value that has a sign is negative.
            bits.extend((0..values(*entry)).map(|_| true));
            next = next.wrapping_add(1 << (32 - length));
        }
        assert_eq!(next, 0, "the codes leave something out");
        bits.chunks(8)
            .map(|bits| bits.iter().rev().fold(0, |byte, bit| byte >> 1 | u8::from(*bit) << 7))
            .collect()
    }

    #[test]
    fn books_read_what_is_written() {
        for (number, codes) in codes::PAIRS.iter().enumerate() {
            let signs = |entry: u16| u32::from(entry >> 4 & 15 != 0) + u32::from(entry & 15 != 0);
            let bytes = written(codes, signs);
            let mut bits = Padded::new(&bytes);
            let mut lines = vec![9.0; 2 * codes.len()];
            let tables = tables();
            let count =
                pairs::<false>(&tables.pairs[number], 0, &mut bits, usize::MAX, &mut lines, &tables.powers);
            assert_eq!(count, lines.len());
            assert_eq!(bits.at.div_ceil(8), bytes.len());
            for (entry, pair) in codes.iter().zip(lines.chunks_exact(2)) {
                let value = |value: u16| -f32::powf(f32::from(value & 15), 4.0 / 3.0);
                let expected = [value(entry >> 4), value(*entry)];
                assert!((expected[0] - pair[0]).abs() < 1e-4 && (expected[1] - pair[1]).abs() < 1e-4);
            }
        }
        let bytes = written(codes::QUADRUPLES, |entry| (entry & 15).count_ones());
        let mut bits = Padded::new(&bytes);
        for entry in codes::QUADRUPLES {
            let mut lines = [9.0; 4];
            quadruple(&tables().quadruples, false, &mut bits, &mut lines);
            let expected: [f32; 4] = std::array::from_fn(|at| -f32::from(entry >> (3 - at) & 1));
            assert_eq!(lines, expected);
        }
    }
}
