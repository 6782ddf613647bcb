//! The lines of a granule, channel by channel, and as they are to be transformed.

use super::super::bits::Padded;
use super::bands::Table;
use super::header::Header;
use super::reservoir::Reservoir;
use super::scale::{self, Factors};
use super::side::Side;
use super::{Channel, huffman, stereo};

/// Quarters of powers of two that halve.
const HALF: i32 = -4;

/// Reads the granules of a frame, one after the other.
pub(super) struct Reader<'a> {
    pub(super) header: &'a Header,
    pub(super) table: &'a Table,
    pub(super) side: Side,
    pub(super) reservoir: &'a Reservoir,
    /// Bits at the begin that are not there.
    pub(super) missing: usize,
    /// The place of the next part among all bits, those that are missing included.
    pub(super) at: usize,
}

impl Reader<'_> {
    /// Reads a granule. Where `mix`, the lines of the first channel are the mean of both, if both have the same
    /// kind of block; else each has half of it. `first` are the scale factors of the granule before.
    pub(super) fn read(
        &mut self,
        granule: usize,
        mix: bool,
        first: [Factors; 2],
        channels: [&mut Channel; 2],
    ) -> Result<[Factors; 2], &'static str> {
        let header = self.header;
        let [one, two] = &self.side.parts[granule];
        let alike = one.block == two.block;
        let middle_only = mix && alike && header.mid_side && !header.intensity;
        let gain = match (mix, header.mid_side) {
            _ if middle_only => stereo::MID_SIDE_GAIN,
            (true, true) => HALF + stereo::MID_SIDE_GAIN,
            (true, false) => HALF,
            (false, true) => stereo::MID_SIDE_GAIN,
            (false, false) => 0,
        };
        let [left, right] = channels;
        let mut factors = [Factors::default(); 2];
        let there = self.at >= self.missing;
        for (number, channel) in [&mut *left, &mut *right].into_iter().enumerate().take(header.channels) {
            let part = &mut self.side.parts[granule][number];
            channel.end = 0;
            self.at += part.length;
            if !there || part.length == 0 {
                channel.lines.fill(0.0);
                continue;
            }
            let end = self.at - self.missing;
            if end > self.reservoir.length() {
                return Err("mp3: the frame has fewer bits than it says");
            }
            let mut bits = Padded::new(self.reservoir.bytes());
            bits.at = end - part.length;
            factors[number] = if header.is_first() {
                let first = (granule > 0).then_some((&first[number], self.side.same[number]));
                scale::read_first(&mut bits, part, first)
            } else {
                scale::read_second(&mut bits, part, header.intensity && number == 1)
            };
            if bits.at > end {
                return Err("mp3: scale factors have more bits than there are");
            }
            if number == 1 && middle_only {
                continue;
            }
            channel.end = huffman::read(&mut bits, end, part, &mut channel.lines)?;
            let bands = self.table.bands(part.block);
            scale::scale(&mut channel.lines, channel.end, part, &factors[number], bands, gain);
        }
        if header.channels == 2 && !middle_only {
            self.apart(granule, &factors[1], left, right);
            if mix && alike {
                left.lines.iter_mut().zip(&right.lines).for_each(|(left, right)| *left += right);
            }
        }
        Ok(factors)
    }

    /// Left and right out of what is coded together.
    fn apart(&self, granule: usize, factors: &Factors, left: &mut Channel, right: &mut Channel) {
        let part = &self.side.parts[granule][1];
        let end = left.end.max(right.end);
        if self.header.intensity {
            let of = stereo::Right { bands: self.table.bands(part.block), factors, compress: part.compress };
            stereo::intensity(&mut left.lines, &mut right.lines, self.header, &of);
        } else if self.header.mid_side {
            stereo::mid_side(&mut left.lines[..end], &mut right.lines[..end]);
        }
        (left.end, right.end) = (end, end);
    }
}
