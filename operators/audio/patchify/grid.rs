//! Where the values of a clip stand among its tokens.

use etude_pipeline::flow::{Block, Mask, change_spans};

use super::Patchify;

/// How clips are divided.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    pub planes: usize,
    /// Patches of a plane, one above the other.
    pub bands: usize,
    /// Bins and frames of a patch.
    pub bins: usize,
    pub frames: usize,
}

impl Grid {
    pub fn of(patchify: &Patchify, channels: u16, planes: u16) -> Self {
        let planes = usize::from(planes.max(1));
        let all = usize::from(channels) / planes;
        let bins = patchify.bins.map_or(all, usize::from).max(1);
        Self { planes, bands: all / bins, bins, frames: usize::from(patchify.frames) }
    }

    /// Values of a token.
    pub fn values(&self) -> usize {
        self.planes * self.bins * self.frames
    }

    /// Patches of a clip, one behind the other.
    pub fn columns(&self, frames: u64) -> u64 {
        frames / self.frames as u64
    }

    /// Puts the next frames of a clip, from frame `at` on, into its tokens.
    pub fn add(&self, block: &Block, at: usize, tokens: &mut Block) {
        let columns = tokens.frames() / self.bands;
        let end = at + block.frames();
        for channel in 0..self.planes * self.bands * self.bins {
            let (plane, bin) = (channel / (self.bands * self.bins), channel % (self.bands * self.bins));
            let (band, bin) = (bin / self.bins, bin % self.bins);
            let row = block.channel(channel);
            for frame in 0..self.frames {
                // The patches whose frame of that number has come.
                let column = |at: usize| at.saturating_sub(frame).div_ceil(self.frames).min(columns);
                let (first, last) = (column(at), column(end));
                if first < last {
                    let value = (plane * self.bins + bin) * self.frames + frame;
                    let there = &mut tokens.channel_mut(value)[band * columns + first..band * columns + last];
                    let here = row[first * self.frames + frame - at..].iter().step_by(self.frames);
                    there.iter_mut().zip(here).for_each(|(there, here)| *there = *here);
                }
            }
        }
    }

    /// Makes of a mask of frames that of tokens, of so many patches one behind the other.
    pub fn mask(&self, mask: &mut Mask, columns: u64) {
        let (size, bands) = (self.frames as u64, self.bands as u64);
        for spans in [&mut mask.covered, &mut mask.unseen] {
            change_spans(spans, |from, to| ((from / size).min(columns), to.div_ceil(size).min(columns)));
            let count = spans.len();
            for band in 1..bands {
                spans.extend_from_within(..count);
                let there = &mut spans[band as usize * count..];
                there
                    .iter_mut()
                    .for_each(|(from, to)| (*from, *to) = (*from + band * columns, *to + band * columns));
            }
            // What goes to the end of a band goes on in the next one.
            change_spans(spans, |from, to| (from, to));
        }
    }
}
