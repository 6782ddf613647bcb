//! The header of a frame: ISO/IEC 11172-3 and 13818-3, 2.4.1.3.

/// The header of a frame of layer III.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Samples a second.
    pub(super) rate: u32,
    /// The place of the rate among all nine, the highest of each version first.
    pub(super) index: usize,
    pub(super) channels: usize,
    /// Whether channels are coded as their sum and difference.
    pub(super) mid_side: bool,
    /// Whether high bands of both channels are one with two levels.
    pub(super) intensity: bool,
    /// Whether a checksum follows.
    checksum: bool,
}

/// Of MPEG-1, 2 and 2.5.
const RATES: [u32; 9] = [44_100, 48_000, 32_000, 22_050, 24_000, 16_000, 11_025, 12_000, 8_000];

impl Header {
    /// Reads the header; none when it is not one of layer III.
    pub(super) fn read(frame: &[u8]) -> Option<Self> {
        let &[0xff, second, third, fourth] = frame.first_chunk()? else { return None };
        let version = match second >> 3 & 3 {
            3 => 0,
            2 => 1,
            0 => 2,
            _ => return None,
        };
        let rate = usize::from(third >> 2 & 3);
        if second >> 5 != 7 || second >> 1 & 3 != 1 || rate == 3 {
            return None;
        }
        let index = 3 * version + rate;
        let mode = fourth >> 6;
        let joint = mode == 1;
        Some(Self {
            rate: RATES[index],
            index,
            channels: if mode == 3 { 1 } else { 2 },
            mid_side: joint && fourth & 0x20 != 0,
            intensity: joint && fourth & 0x10 != 0,
            checksum: second & 1 == 0,
        })
    }

    /// Whether another one has the same rate and channels.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.rate, self.channels) == (other.rate, other.channels)
    }

    /// Whether there are two granules, and finer choices in the side information.
    pub(super) fn is_first(&self) -> bool {
        self.index < 3
    }

    pub(super) fn granules(&self) -> usize {
        if self.is_first() { 2 } else { 1 }
    }

    /// Where the side information begins, and its length.
    pub(super) fn side(&self) -> (usize, usize) {
        let length = match (self.is_first(), self.channels) {
            (true, 1) => 17,
            (true, _) => 32,
            (false, 1) => 9,
            (false, _) => 17,
        };
        (if self.checksum { 6 } else { 4 }, length)
    }
}
