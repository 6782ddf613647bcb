//! The bands that share a scale factor: ISO/IEC 11172-3, table B.8, and 13818-3, table B.2.

use super::side::Block;

/// Widths of the long bands: of MPEG-1 at 44.1, 48 and 32 kHz, of MPEG-2 at 22.05, 24 and 16 kHz (MPEG-2.5
/// shares the last), and of 8 kHz.
const LONG: [[usize; 22]; 7] = [
    [4, 4, 4, 4, 4, 4, 6, 6, 8, 8, 10, 12, 16, 20, 24, 28, 34, 42, 50, 54, 76, 158],
    [4, 4, 4, 4, 4, 4, 6, 6, 6, 8, 10, 12, 16, 18, 22, 28, 34, 40, 46, 54, 54, 192],
    [4, 4, 4, 4, 4, 4, 6, 6, 8, 10, 12, 16, 20, 24, 30, 38, 46, 56, 68, 84, 102, 26],
    [6, 6, 6, 6, 6, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 38, 46, 52, 60, 68, 58, 54],
    [6, 6, 6, 6, 6, 6, 8, 10, 12, 14, 16, 18, 22, 26, 32, 38, 46, 54, 62, 70, 76, 36],
    [6, 6, 6, 6, 6, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 38, 46, 52, 60, 68, 58, 54],
    [12, 12, 12, 12, 12, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 76, 90, 2, 2, 2, 2, 2],
];

/// The same of the short bands.
const SHORT: [[usize; 13]; 7] = [
    [4, 4, 4, 4, 6, 8, 10, 12, 14, 18, 22, 30, 56],
    [4, 4, 4, 4, 6, 6, 10, 12, 14, 16, 20, 26, 66],
    [4, 4, 4, 4, 6, 8, 12, 16, 20, 26, 34, 42, 12],
    [4, 4, 4, 6, 6, 8, 10, 14, 18, 26, 32, 42, 18],
    [4, 4, 4, 6, 8, 10, 12, 14, 18, 24, 32, 44, 12],
    [4, 4, 4, 6, 8, 10, 12, 14, 18, 24, 30, 40, 18],
    [8, 8, 8, 12, 16, 20, 24, 28, 36, 2, 2, 2, 26],
];

/// Lines of a mixed block that are long.
const MIXED: usize = 36;

/// The bands of a kind of block.
#[derive(Debug, Clone)]
pub(super) struct Bands {
    /// The first line of each, and the end of the last. Of three short blocks the bands take turns.
    pub(super) edges: Vec<usize>,
    /// How many are long.
    pub(super) long: usize,
    /// For each line in the order of frequencies, its place as it is coded: the three lines of short blocks
    /// stand side by side.
    pub(super) order: Vec<u16>,
}

/// The bands of a rate.
#[derive(Debug, Clone)]
pub(super) struct Table {
    long: Bands,
    short: Bands,
    mixed: Bands,
}

impl Table {
    /// The bands of the rate with that place among all nine.
    pub(super) fn new(index: usize) -> Self {
        let row = if index == 8 { 6 } else { index.min(5) };
        let (long, short) = (LONG[row], SHORT[row]);
        let count = (0..22).find(|count| long[..*count].iter().sum::<usize>() >= MIXED).unwrap_or(0);
        // What the long lines take the place of. At 8 kHz that is not the end of a band.
        let mut left = MIXED / 3;
        let upper = short.map(|width| {
            let out = width.min(left);
            left -= out;
            width - out
        });
        let upper: Vec<usize> = upper.into_iter().filter(|width| *width > 0).collect();
        Self {
            long: Bands::new(&long, &[]),
            short: Bands::new(&[], &short),
            mixed: Bands::new(&long[..count], &upper),
        }
    }

    /// Where the long bands begin.
    pub(super) fn long(&self) -> &[usize] {
        &self.long.edges
    }

    pub(super) fn bands(&self, block: Block) -> &Bands {
        match block {
            Block::Short { mixed: false } => &self.short,
            Block::Short { mixed: true } => &self.mixed,
            _ => &self.long,
        }
    }
}

impl Bands {
    fn new(long: &[usize], short: &[usize]) -> Self {
        let mut edges = vec![0];
        let mut order = Vec::with_capacity(576);
        for width in long {
            let begin = order.len();
            order.extend((begin..begin + width).map(|line| line as u16));
            edges.push(order.len());
        }
        for width in short {
            let begin = order.len();
            for line in 0..*width {
                order.extend((0..3).map(|block| (begin + block * width + line) as u16));
            }
            edges.extend((1..=3).map(|block| begin + block * width));
        }
        Self { edges, long: long.len(), order }
    }

    /// The lines of each band.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = (usize, std::ops::Range<usize>)> + '_ {
        (0..self.edges.len() - 1).map(|band| (band, self.edges[band]..self.edges[band + 1]))
    }

    /// Where the lines end in the order of frequencies that are coded before `end`: bands of three short blocks
    /// end together.
    pub(super) fn reach(&self, end: usize) -> usize {
        if end <= self.edges[self.long] {
            return end;
        }
        let together = self.edges[self.long..].iter().step_by(3);
        together.copied().find(|edge| *edge >= end).unwrap_or(576)
    }

    /// Which of three short blocks a band belongs to; none when it is long.
    pub(super) fn block(&self, band: usize) -> Option<usize> {
        band.checked_sub(self.long).map(|short| short % 3)
    }
}
