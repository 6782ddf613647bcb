//! The frames of a clip.

use super::bits::Bits;
use super::crc::crc16;
use super::header::{self, Assignment, Totals};
use super::subframe::{self, Scratch};
use super::{BLOCK, Error, Format};

/// Encodes one clip after another; its memory is kept between them.
#[derive(Default)]
pub struct Encoder {
    bits: Bits,
    scratch: Scratch,
    /// A block of each channel; of two, mid and side behind them.
    blocks: Vec<Vec<i32>>,
}

impl Encoder {
    /// An encoder for clips of any format.
    pub fn new() -> Self {
        Self::default()
    }

    /// Encodes samples of `bits` bits (8 to 24), a plane a channel, to a complete FLAC file.
    pub fn encode<S, P>(&mut self, planes: &[P], rate: u32, bits: u32) -> Result<&[u8], Error>
    where
        S: Copy + Into<i32>,
        P: AsRef<[S]>,
    {
        let format = Format::new(rate, planes.len(), bits)?;
        let length = planes.first().map_or(0, |plane| plane.as_ref().len());
        if let Some(other) = planes.iter().map(|plane| plane.as_ref().len()).find(|other| *other != length) {
            return Err(Error::Lengths { first: length, other });
        }
        self.bits.clear();
        header::begin(&mut self.bits);
        let mut totals = Totals { samples: length as u64, shortest: usize::MAX, longest: 0 };
        self.blocks.resize_with(planes.len().max(4), Vec::new);
        for (number, begin) in (0..length).step_by(BLOCK).enumerate() {
            let end = length.min(begin + BLOCK);
            for (block, plane) in self.blocks.iter_mut().zip(planes) {
                block.clear();
                block.extend(plane.as_ref()[begin..end].iter().map(|&sample| sample.into()));
                // All bits above the sign's are equal to it.
                let beyond = block.iter().fold(0, |all, &sample| all | (sample ^ sample >> 31));
                if beyond >> (bits - 1) != 0 {
                    return Err(Error::Range { bits });
                }
            }
            let size = self.frame(format, number as u64);
            totals.shortest = totals.shortest.min(size);
            totals.longest = totals.longest.max(size);
        }
        if length == 0 {
            totals.shortest = 0;
        }
        header::finish(&mut self.bits, format, &totals);
        Ok(self.bits.bytes())
    }

    /// Writes a frame of the blocks; gives its bytes.
    fn frame(&mut self, format: Format, number: u64) -> usize {
        let Self { bits, scratch, blocks } = self;
        let begin = bits.len();
        let length = blocks[0].len();
        let assignment = if format.channels == 2 { stereo(blocks) } else { Assignment::Independent };
        header::frame(bits, format, assignment, number, length);
        let (width, wider) = (format.bits, format.bits + 1);
        let mut write = |block: usize, width| subframe::write(&blocks[block], width, scratch, bits);
        match assignment {
            Assignment::Independent => (0..format.channels).for_each(|channel| write(channel, width)),
            Assignment::LeftSide => {
                write(0, width);
                write(3, wider);
            }
            Assignment::SideRight => {
                write(3, wider);
                write(1, width);
            }
            Assignment::MidSide => {
                write(2, width);
                write(3, wider);
            }
        }
        bits.align();
        let crc = crc16(&bits.bytes()[begin..]);
        bits.put(u64::from(crc), 16);
        bits.len() - begin
    }
}

/// The cheapest two of left, right, mid and side, by their second differences. Fills in mid and side.
fn stereo(blocks: &mut [Vec<i32>]) -> Assignment {
    let [left, right, mid, side, ..] = blocks else { return Assignment::Independent };
    mid.clear();
    mid.extend(left.iter().zip(&*right).map(|(left, right)| (left + right) >> 1));
    side.clear();
    side.extend(left.iter().zip(&*right).map(|(left, right)| left - right));
    let [left, right, mid, side] = [left, right, mid, side].map(|block| roughness(block));
    [
        (left + right, Assignment::Independent),
        (left + side, Assignment::LeftSide),
        (side + right, Assignment::SideRight),
        (mid + side, Assignment::MidSide),
    ]
    .into_iter()
    .min_by(|(a, _), (b, _)| a.total_cmp(b))
    .map_or(Assignment::Independent, |(_, assignment)| assignment)
}

fn roughness(block: &[i32]) -> f64 {
    let mut sum = 0u64;
    for three in block.windows(3) {
        sum += u64::from((three[0] - 2 * three[1] + three[2]).unsigned_abs());
    }
    sum as f64
}
