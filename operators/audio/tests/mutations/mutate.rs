//! Ways to damage a file. The same seed gives the same damage.

/// A small generator (SplitMix64): the cases must not change with anything else of the program.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// Kinds of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Ends anywhere.
    Truncated,
    /// Ends within its header.
    Stub,
    /// No byte at all.
    Empty,
    /// 1 to 64 bits are flipped anywhere.
    Flipped,
    /// 1 to 16 bits are flipped in the first 512 bytes.
    FlippedHeader,
    /// A number of 2, 4 or 8 bytes in the header is 0, huge, or one with its sign bit set.
    HeaderField,
    /// The same for a number beside a four-letter name anywhere in the file.
    ChunkField,
    /// The whole file under another format's name.
    WrongExtension,
    /// Random bytes, zeros or text before it.
    JunkBefore,
    /// The same behind it.
    JunkAfter,
    /// Twice in a row.
    Doubled,
    /// The first half of one format, the second of another.
    Spliced,
    /// Zeros over a range.
    Hole,
    /// A range is missing.
    Cut,
    /// Random bytes over a range.
    Noise,
    /// A few bits are flipped and the checksums of Ogg's pages are made right again, so that the damage
    /// reaches the decoders.
    Sealed,
    /// A page of a web server under the name of a recording.
    Html,
}

pub const KINDS: &[Kind] = &[
    Kind::Truncated,
    Kind::Stub,
    Kind::Empty,
    Kind::Flipped,
    Kind::FlippedHeader,
    Kind::HeaderField,
    Kind::ChunkField,
    Kind::WrongExtension,
    Kind::JunkBefore,
    Kind::JunkAfter,
    Kind::Doubled,
    Kind::Spliced,
    Kind::Hole,
    Kind::Cut,
    Kind::Noise,
    Kind::Sealed,
    Kind::Html,
];

const EXTENSIONS: &[&str] =
    &["wav", "aiff", "caf", "flac", "mp3", "ogg", "opus", "m4a", "aac", "mka", "webm", "txt", ""];

const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>\n\
                    <body><h1>Not Found</h1><p>The file was not found on this server.</p></body></html>\n";

/// Damages `bytes`, a file named `*.extension`; gives what comes out, and its extension.
pub fn mutate(
    kind: Kind,
    bytes: &[u8],
    extension: &str,
    other: &[u8],
    random: &mut Random,
) -> (Vec<u8>, String) {
    let mut result = bytes.to_vec();
    let mut name = extension.to_owned();
    let length = bytes.len();
    let header = length.min(512);
    match kind {
        Kind::Truncated => result.truncate(random.below(length)),
        Kind::Stub => result.truncate(random.below(header)),
        Kind::Empty => result.clear(),
        Kind::Flipped => flip(&mut result, length, 1 + random.below(64), random),
        Kind::FlippedHeader => flip(&mut result, header, 1 + random.below(16), random),
        Kind::HeaderField => {
            for _ in 0..=random.below(2) {
                let at = random.below(header);
                overwrite(&mut result, at, random);
            }
        }
        Kind::ChunkField => {
            let names = chunk_names(bytes);
            for _ in 0..=random.below(2) {
                // Sizes stand before the name (MP4) or behind it (RIFF, AIFF, CAF, FLAC, Ogg).
                let shift = random.pick(&[-4, 4, 4, 8, 12, 16]);
                let at = names.get(random.below(names.len())).copied().unwrap_or(0);
                overwrite(&mut result, at.saturating_add_signed(shift), random);
            }
        }
        Kind::WrongExtension => name = random.pick(EXTENSIONS).to_owned(),
        Kind::JunkBefore => result = [junk(random), result].concat(),
        Kind::JunkAfter => result.extend(junk(random)),
        Kind::Doubled => result.extend(bytes),
        Kind::Spliced => {
            result.truncate(length / 2);
            result.extend(&other[other.len() / 2..]);
        }
        Kind::Hole => range(length, random).for_each(|at| result[at] = 0),
        Kind::Cut => drop(result.drain(range(length, random))),
        Kind::Noise => range(length, random).for_each(|at| result[at] = random.next() as u8),
        Kind::Sealed => {
            let within = if random.below(2) == 0 { length } else { length.min(8192) };
            flip(&mut result, within, 1 + random.below(8), random);
            seal(&mut result);
        }
        Kind::Html => {
            result = PAGE.as_bytes().to_vec();
            // Some servers send the page in front of the content.
            if random.below(2) == 0 {
                result.extend(bytes);
            }
        }
    }
    (result, name)
}

fn flip(bytes: &mut [u8], length: usize, times: usize, random: &mut Random) {
    for _ in 0..times {
        if let Some(byte) = bytes.get_mut(random.below(length)) {
            *byte ^= 1 << random.below(8);
        }
    }
}

/// A number at `at` becomes 0, the largest, or the one with the sign bit.
fn overwrite(bytes: &mut [u8], at: usize, random: &mut Random) {
    let length = random.pick(&[2, 4, 8]);
    let (first, rest) = random.pick(&[(0, 0), (0xff, 0xff), (0x7f, 0xff), (0x80, 0), (0, 0xff), (0xff, 0)]);
    let little = random.below(2) == 0;
    for index in 0..length {
        let most = if little { index + 1 == length } else { index == 0 };
        if let Some(byte) = bytes.get_mut(at + index) {
            *byte = if most { first } else { rest };
        }
    }
}

/// Where four letters or digits stand: names of chunks, boxes, pages and tags.
fn chunk_names(bytes: &[u8]) -> Vec<usize> {
    let is_name = |window: &[u8]| window.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b' ');
    let found = bytes.windows(4).enumerate().filter(|(_, window)| is_name(window));
    found.map(|(at, _)| at).take(4096).collect()
}

/// Makes the checksum of every Ogg page right.
fn seal(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.windows(4).position(|name| name == b"OggS"))
    {
        let page = at + found;
        let segments = bytes.get(page + 26).map_or(0, |segments| usize::from(*segments));
        let Some(sizes) = bytes.get(page + 27..page + 27 + segments) else { return };
        let end = page + 27 + segments + sizes.iter().map(|size| usize::from(*size)).sum::<usize>();
        let Some(content) = bytes.get_mut(page..end) else { return };
        content[22..26].fill(0);
        let mut sum = 0u32;
        for byte in &*content {
            sum ^= u32::from(*byte) << 24;
            for _ in 0..8 {
                sum = if sum >> 31 == 1 { (sum << 1) ^ 0x04c1_1db7 } else { sum << 1 };
            }
        }
        content[22..26].copy_from_slice(&sum.to_le_bytes());
        at = end;
    }
}

fn junk(random: &mut Random) -> Vec<u8> {
    let length = random.pick(&[1, 7, 128, 1000, 4096, 70_000]);
    match random.below(3) {
        0 => random.bytes(length),
        1 => vec![0; length],
        _ => PAGE.bytes().cycle().take(length).collect(),
    }
}

fn range(length: usize, random: &mut Random) -> std::ops::Range<usize> {
    let from = random.below(length);
    from..(from + 1 + random.below(length / 4)).min(length)
}
