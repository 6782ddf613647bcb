//! What CELT fixes: RFC 6716, section 4.3. All is for 48 kHz and blocks of 120 lines.

use std::sync::LazyLock;

/// Bands.
pub(super) const BANDS: usize = 21;

/// Lines of a short block, and what blocks overlap.
pub(super) const SHORT: usize = 120;

/// Lines of the longest frame.
pub(super) const LONGEST: usize = 8 * SHORT;

/// Where bands begin, in lines of a short block, and where the last ends.
pub(super) const EDGES: [usize; BANDS + 1] =
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 34, 40, 48, 60, 78, 100];

/// The width of a band in lines of a short block.
pub(super) const fn width(band: usize) -> usize {
    EDGES[band + 1] - EDGES[band]
}

/// log2 of the width of bands in eighths, rounded up.
pub(super) const LOG_WIDTHS: [i32; BANDS] =
    [0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 16, 16, 16, 21, 21, 24, 29, 34, 36];

/// The mean of log2 of a band's amplitude.
pub(super) const MEANS: [f32; BANDS] = [
    6.4375, 6.25, 5.75, 5.3125, 5.0625, 4.8125, 4.5, 4.375, 4.875, 4.6875, 4.5625, 4.4375, 4.875, 4.625,
    4.3125, 4.5, 4.375, 4.625, 4.75, 4.4375, 3.75,
];

/// How likely changes of a band's amplitude are: of frames of each length, predicted or not, for each band how
/// likely none is, in 256ths, and by how much of 256 larger ones are less likely.
pub(super) const CHANGES: [[[(u8, u8); BANDS]; 2]; 4] = [
    [
        [
            (72, 127),
            (65, 129),
            (66, 128),
            (65, 128),
            (64, 128),
            (62, 128),
            (64, 128),
            (64, 128),
            (92, 78),
            (92, 79),
            (92, 78),
            (90, 79),
            (116, 41),
            (115, 40),
            (114, 40),
            (132, 26),
            (132, 26),
            (145, 17),
            (161, 12),
            (176, 10),
            (177, 11),
        ],
        [
            (24, 179),
            (48, 138),
            (54, 135),
            (54, 132),
            (53, 134),
            (56, 133),
            (55, 132),
            (55, 132),
            (61, 114),
            (70, 96),
            (74, 88),
            (75, 88),
            (87, 74),
            (89, 66),
            (91, 67),
            (100, 59),
            (108, 50),
            (120, 40),
            (122, 37),
            (97, 43),
            (78, 50),
        ],
    ],
    [
        [
            (83, 78),
            (84, 81),
            (88, 75),
            (86, 74),
            (87, 71),
            (90, 73),
            (93, 74),
            (93, 74),
            (109, 40),
            (114, 36),
            (117, 34),
            (117, 34),
            (143, 17),
            (145, 18),
            (146, 19),
            (162, 12),
            (165, 10),
            (178, 7),
            (189, 6),
            (190, 8),
            (177, 9),
        ],
        [
            (23, 178),
            (54, 115),
            (63, 102),
            (66, 98),
            (69, 99),
            (74, 89),
            (71, 91),
            (73, 91),
            (78, 89),
            (86, 80),
            (92, 66),
            (93, 64),
            (102, 59),
            (103, 60),
            (104, 60),
            (117, 52),
            (123, 44),
            (138, 35),
            (133, 31),
            (97, 38),
            (77, 45),
        ],
    ],
    [
        [
            (61, 90),
            (93, 60),
            (105, 42),
            (107, 41),
            (110, 45),
            (116, 38),
            (113, 38),
            (112, 38),
            (124, 26),
            (132, 27),
            (136, 19),
            (140, 20),
            (155, 14),
            (159, 16),
            (158, 18),
            (170, 13),
            (177, 10),
            (187, 8),
            (192, 6),
            (175, 9),
            (159, 10),
        ],
        [
            (21, 178),
            (59, 110),
            (71, 86),
            (75, 85),
            (84, 83),
            (91, 66),
            (88, 73),
            (87, 72),
            (92, 75),
            (98, 72),
            (105, 58),
            (107, 54),
            (115, 52),
            (114, 55),
            (112, 56),
            (129, 51),
            (132, 40),
            (150, 33),
            (140, 29),
            (98, 35),
            (77, 42),
        ],
    ],
    [
        [
            (42, 121),
            (96, 66),
            (108, 43),
            (111, 40),
            (117, 44),
            (123, 32),
            (120, 36),
            (119, 33),
            (127, 33),
            (134, 34),
            (139, 21),
            (147, 23),
            (152, 20),
            (158, 25),
            (154, 26),
            (166, 21),
            (173, 16),
            (184, 13),
            (184, 10),
            (150, 13),
            (139, 15),
        ],
        [
            (22, 178),
            (63, 114),
            (74, 82),
            (84, 83),
            (92, 82),
            (103, 62),
            (96, 72),
            (96, 67),
            (101, 73),
            (107, 72),
            (113, 55),
            (118, 52),
            (125, 52),
            (118, 52),
            (117, 55),
            (135, 49),
            (137, 39),
            (157, 32),
            (145, 29),
            (97, 33),
            (77, 40),
        ],
    ],
];

/// What bands may be given, in 32nds of a bit a line, from poor to rich.
pub(super) const ALLOCATIONS: [[u8; BANDS]; 11] = [
    [0; BANDS],
    [90, 80, 75, 69, 63, 56, 49, 40, 34, 29, 20, 18, 10, 0, 0, 0, 0, 0, 0, 0, 0],
    [110, 100, 90, 84, 78, 71, 65, 58, 51, 45, 39, 32, 26, 20, 12, 0, 0, 0, 0, 0, 0],
    [118, 110, 103, 93, 86, 80, 75, 70, 65, 59, 53, 47, 40, 31, 23, 15, 4, 0, 0, 0, 0],
    [126, 119, 112, 104, 95, 89, 83, 78, 72, 66, 60, 54, 47, 39, 32, 25, 17, 12, 1, 0, 0],
    [134, 127, 120, 114, 103, 97, 91, 85, 78, 72, 66, 60, 54, 47, 41, 35, 29, 23, 16, 10, 1],
    [144, 137, 130, 124, 113, 107, 101, 95, 88, 82, 76, 70, 64, 57, 51, 45, 39, 33, 26, 15, 1],
    [152, 145, 138, 132, 123, 117, 111, 105, 98, 92, 86, 80, 74, 67, 61, 55, 49, 43, 36, 20, 1],
    [162, 155, 148, 142, 133, 127, 121, 115, 108, 102, 96, 90, 84, 77, 71, 65, 59, 53, 46, 30, 1],
    [172, 165, 158, 152, 143, 137, 131, 125, 118, 112, 106, 100, 94, 87, 81, 75, 69, 63, 56, 45, 20],
    [200, 200, 200, 200, 200, 200, 200, 200, 198, 193, 188, 183, 178, 173, 168, 163, 158, 153, 148, 129, 104],
];

/// The most that bands can use, for frames of each length with one channel and two.
pub(super) const CAPS: [[[u8; BANDS]; 2]; 4] = [
    [
        [
            224, 224, 224, 224, 224, 224, 224, 224, 160, 160, 160, 160, 185, 185, 185, 178, 178, 168, 134,
            61, 37,
        ],
        [
            224, 224, 224, 224, 224, 224, 224, 224, 240, 240, 240, 240, 207, 207, 207, 198, 198, 183, 144,
            66, 40,
        ],
    ],
    [
        [
            160, 160, 160, 160, 160, 160, 160, 160, 185, 185, 185, 185, 193, 193, 193, 183, 183, 172, 138,
            64, 38,
        ],
        [
            240, 240, 240, 240, 240, 240, 240, 240, 207, 207, 207, 207, 204, 204, 204, 193, 193, 180, 143,
            66, 40,
        ],
    ],
    [
        [
            185, 185, 185, 185, 185, 185, 185, 185, 193, 193, 193, 193, 193, 193, 193, 183, 183, 172, 138,
            65, 39,
        ],
        [
            207, 207, 207, 207, 207, 207, 207, 207, 204, 204, 204, 204, 201, 201, 201, 188, 188, 176, 141,
            66, 40,
        ],
    ],
    [
        [
            193, 193, 193, 193, 193, 193, 193, 193, 193, 193, 193, 193, 194, 194, 194, 184, 184, 173, 139,
            65, 39,
        ],
        [
            204, 204, 204, 204, 204, 204, 204, 204, 201, 201, 201, 201, 198, 198, 198, 187, 187, 175, 140,
            66, 40,
        ],
    ],
];

/// How the resolution of a band changes between time and frequency: for frames of each length without and with
/// short blocks, by the flag of the frame and that of the band.
pub(super) const CHANGES_OF_RESOLUTION: [[[[i8; 2]; 2]; 2]; 4] = [
    [[[0, -1], [0, -1]], [[0, -1], [0, -1]]],
    [[[0, -1], [0, -2]], [[1, 0], [1, -1]]],
    [[[0, -2], [0, -3]], [[2, 0], [1, -1]]],
    [[[0, -2], [0, -3]], [[3, 0], [1, -1]]],
];

/// log2 of numbers from 1 on in eighths, rounded up.
pub(super) const LOG2: [i32; 24] =
    [0, 8, 13, 16, 19, 21, 23, 24, 26, 27, 28, 29, 30, 31, 32, 32, 33, 34, 34, 35, 36, 36, 37, 37];

/// Dimensions of the largest vector of pulses, and what a row of [`ways`] holds.
pub(super) const DIMENSIONS: usize = 176;
pub(super) const ROW: usize = 192;

/// In how many ways at most `k` pulses lie in `n` dimensions, the first of which has some and is positive, or is
/// none of both 0: at `[n * ROW + k]` where `n` is at most `k`, otherwise at `[k * ROW + n]`. What is above
/// 32 bits is not used.
static WAYS: [u32; 15 * ROW] = ways();

/// Dimensions and pulses are alike.
const fn ways() -> [u32; 15 * ROW] {
    let mut ways = [0; 15 * ROW];
    ways[0] = 1;
    let mut n = 1;
    while n < 15 {
        let mut k = 1;
        while k < ROW {
            let sum = ways[(n - 1) * ROW + k] as u64
                + ways[n * ROW + k - 1] as u64
                + ways[(n - 1) * ROW + k - 1] as u64;
            ways[n * ROW + k] = if sum > u32::MAX as u64 { u32::MAX } else { sum as u32 };
            k += 1;
        }
        n += 1;
    }
    ways
}

/// [`WAYS`].
#[inline]
pub(super) fn all_ways() -> &'static [u32; 15 * ROW] {
    &WAYS
}

/// In how many ways `pulses` lie in `dimensions`; none where 32 bits cannot tell.
pub(super) fn vectors(dimensions: usize, pulses: usize) -> Option<u32> {
    let at = |a: usize, b: usize| {
        let (low, high) = (a.min(b), a.max(b));
        WAYS.get(low * ROW + high).copied().filter(|ways| *ways < u32::MAX)
    };
    at(dimensions, pulses)?.checked_add(at(dimensions, pulses + 1)?)
}

/// How many pulses the steps are of which a band gets some.
pub(super) const fn pulses(step: usize) -> usize {
    if step < 8 { step } else { (8 + (step & 7)) << ((step >> 3) - 1) }
}

/// Steps at most.
const STEPS: usize = 40;

/// What pulses cost in a number of dimensions.
pub(super) struct Costs {
    /// Eighths of a bit, rounded up, by step.
    costs: [u16; STEPS + 1],
    /// By eighths of a bit, the step that costs most like it.
    steps: [u8; 257],
    /// The last step.
    last: usize,
}

impl Costs {
    fn new(dimensions: usize) -> Self {
        let mut costs = [0; STEPS + 1];
        let mut last = 0;
        while last < STEPS
            && let Some(vectors) = vectors(dimensions, pulses(last + 1))
        {
            last += 1;
            costs[last] = log2(vectors);
        }
        let step = |bits: usize| {
            let above = costs[1..last].partition_point(|cost| usize::from(*cost) < bits) + 1;
            let (low, high) = (usize::from(costs[above - 1]), usize::from(costs[above]));
            if bits.saturating_sub(low) <= high.saturating_sub(bits) && bits <= high {
                above - 1
            } else {
                above
            }
        };
        let mut steps = [0; 257];
        for (bits, at) in steps.iter_mut().enumerate() {
            *at = step(bits) as u8;
        }
        Self { costs, steps, last }
    }

    /// The step for a number of eighths of a bit.
    #[inline]
    pub(super) fn step(&self, bits: i32) -> usize {
        usize::from(self.steps[bits.clamp(0, 256) as usize])
    }

    #[inline]
    pub(super) fn cost(&self, step: usize) -> i32 {
        i32::from(self.costs[step])
    }

    /// What the last step costs.
    #[inline]
    pub(super) fn most(&self) -> i32 {
        self.cost(self.last)
    }
}

/// log2 in eighths, rounded up.
fn log2(number: u32) -> u16 {
    let whole = 32 - number.leading_zeros();
    if number.is_power_of_two() {
        return (8 * (whole - 1)) as u16;
    }
    // With 16 bits behind the point.
    let mut rest = if whole > 16 { ((number - 1) >> (whole - 16)) + 1 } else { number << (16 - whole) };
    let mut log = 8 * (whole - 1);
    for eighths in [8, 4, 2, 1] {
        let above = rest >> 16;
        log += above * eighths;
        rest = (rest + above) >> above;
        rest = (rest * rest + 0x7fff) >> 15;
    }
    (log + u32::from(rest > 0x8000)) as u16
}

/// The costs in bands, and parts of them, of each size.
pub(super) struct Cache {
    costs: Vec<Costs>,
    /// Where in them they are, by twice the length in short blocks (log2) and band.
    index: [[u8; BANDS]; 5],
}

impl Cache {
    /// The costs in a part of `2^size` lines (halves where `size` is -1) for each of a short block in `band`.
    #[inline]
    pub(super) fn costs(&self, size: i32, band: usize) -> &Costs {
        &self.costs[usize::from(self.index[(size + 1) as usize][band])]
    }
}

/// What pulses cost.
pub(super) static CACHE: LazyLock<Cache> = LazyLock::new(|| {
    let mut sizes = Vec::new();
    let mut index = [[0; BANDS]; 5];
    for (size, index) in index.iter_mut().enumerate() {
        for (band, index) in index.iter_mut().enumerate() {
            // Single lines have signs and no pulses.
            let dimensions = (width(band) << size >> 1).max(2);
            *index = sizes.iter().position(|size| *size == dimensions).unwrap_or_else(|| {
                sizes.push(dimensions);
                sizes.len() - 1
            }) as u8;
        }
    }
    Cache { costs: sizes.into_iter().map(Costs::new).collect(), index }
});
