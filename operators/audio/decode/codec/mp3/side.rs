//! The side information of a frame: ISO/IEC 11172-3, 2.4.1.7.

use super::super::bits::Padded;
use super::header::Header;

/// How the lines of a granule are transformed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Block {
    #[default]
    Long,
    /// Before short ones.
    Start,
    /// Three short blocks; where mixed, the two lowest subbands are one long one.
    Short { mixed: bool },
    /// Behind short ones.
    Stop,
}

/// What the side information says of a channel of a granule.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Part {
    /// Bits of scale factors and codes.
    pub(super) length: usize,
    /// Lines coded in pairs.
    pub(super) paired: usize,
    pub(super) gain: i32,
    /// How many bits scale factors have.
    pub(super) compress: u32,
    pub(super) block: Block,
    pub(super) books: [u8; 3],
    /// Of each short block, in steps of a quarter of the amplitude.
    pub(super) block_gains: [i32; 3],
    /// The first two lines at which another book begins.
    pub(super) regions: [usize; 2],
    pub(super) emphasis: bool,
    /// Whether scale factors count twice.
    pub(super) coarse: bool,
    /// Which of the two books of quadruples.
    pub(super) second: bool,
}

/// The side information of a frame.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Side {
    /// Bytes of earlier frames at the begin of the main data.
    pub(super) back: usize,
    /// For each channel, which of four groups of scale factors are those of the first granule.
    pub(super) same: [[bool; 4]; 2],
    /// For each granule and channel.
    pub(super) parts: [[Part; 2]; 2],
}

impl Side {
    /// Reads the side information. `long` are the places at which long bands begin.
    pub(super) fn read(bytes: &[u8], header: &Header, long: &[usize]) -> Result<Self, &'static str> {
        let (first, channels) = (header.is_first(), header.channels);
        let mut bits = Padded::new(bytes);
        let mut side = Self { back: bits.read(if first { 9 } else { 8 }) as usize, ..Self::default() };
        // Private bits.
        bits.read(match (first, channels) {
            (true, 1) => 5,
            (true, _) => 3,
            (false, channels) => channels as u32,
        });
        if first {
            for same in &mut side.same[..channels] {
                *same = std::array::from_fn(|_| bits.flag());
            }
        }
        for parts in &mut side.parts[..header.granules()] {
            for part in &mut parts[..channels] {
                *part = Part::read(&mut bits, header, long)?;
            }
        }
        Ok(side)
    }
}

impl Part {
    fn read(bits: &mut Padded<'_>, header: &Header, long: &[usize]) -> Result<Self, &'static str> {
        let mut part = Self {
            length: bits.read(12) as usize,
            paired: 2 * bits.read(9) as usize,
            gain: bits.read(8) as i32,
            compress: bits.read(if header.is_first() { 4 } else { 9 }),
            ..Self::default()
        };
        if part.paired > 576 {
            return Err("mp3: more lines than there are");
        }
        if bits.flag() {
            let block = bits.read(2);
            let mixed = bits.flag();
            part.block = match block {
                1 => Block::Start,
                2 => Block::Short { mixed },
                3 => Block::Stop,
                _ => return Err("mp3: a kind of block that there is not"),
            };
            part.books = [bits.read(5) as u8, bits.read(5) as u8, 0];
            part.block_gains = std::array::from_fn(|_| bits.read(3) as i32);
            let region = match part.block {
                Block::Short { .. } if header.index == 8 => 72,
                Block::Short { .. } => 36,
                _ => long[8],
            };
            part.regions = [region, 576];
        } else {
            part.books = std::array::from_fn(|_| bits.read(5) as u8);
            let one = bits.read(4) as usize + 1;
            let two = one + bits.read(3) as usize + 1;
            part.regions = [one, two].map(|at| long.get(at).copied().unwrap_or(576));
        }
        part.emphasis = header.is_first() && bits.flag();
        part.coarse = bits.flag();
        part.second = bits.flag();
        Ok(part)
    }
}
