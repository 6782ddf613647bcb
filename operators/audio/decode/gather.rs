//! Collects packets into blocks of equal length.

use etude_pipeline::flow::Block;
use etude_pipeline::operator::{Output, Step, Stop};

use super::Channels;

/// Collects packets into blocks of equal length.
pub(super) struct Gather {
    /// The block to be: a row a channel, each as long as a block.
    samples: Vec<f32>,
    channels: usize,
    block: usize,
    filled: usize,
}

impl Gather {
    pub(super) fn new(channels: usize, block: usize) -> Self {
        let (channels, block) = (channels.max(1), block.max(1));
        Self { samples: Vec::new(), channels, block, filled: 0 }
    }

    /// Takes a packet; gives the number of samples that were not finite and are now 0.
    pub(super) fn push(
        &mut self,
        packet: &mut [Vec<f32>],
        channels: Channels,
        output: &mut dyn Output,
    ) -> Result<u64, Stop> {
        let used = if channels == Channels::First { 1 } else { packet.len() };
        let not_finite = packet.iter_mut().take(used).map(|plane| clean(plane)).sum();
        let mono = channels == Channels::Mono && packet.len() > 1;
        let frames = packet.first().map_or(0, Vec::len);
        let mut from = 0;
        while from < frames {
            let count = (frames - from).min(self.block - self.filled);
            self.samples.resize(self.channels * self.block, 0.0);
            let places = self.filled..self.filled + count;
            if mono {
                mean(packet, from, &mut self.samples[places]);
            } else {
                for (row, plane) in self.samples.chunks_exact_mut(self.block).zip(packet.iter()) {
                    row[places.clone()].copy_from_slice(&plane[from..from + count]);
                }
            }
            self.filled += count;
            from += count;
            if self.filled == self.block {
                self.filled = 0;
                let mut block = Block::planar(self.channels, std::mem::take(&mut self.samples));
                let step = output.block(&mut block);
                self.samples = block.into_samples();
                step?;
            }
        }
        Ok(not_finite)
    }

    /// Hands on what is left.
    pub(super) fn flush(&mut self, output: &mut dyn Output) -> Step {
        let frames = std::mem::take(&mut self.filled);
        if frames == 0 {
            return Ok(());
        }
        let mut samples = Vec::with_capacity(frames * self.channels);
        for row in self.samples.chunks_exact(self.block) {
            samples.extend_from_slice(&row[..frames]);
        }
        output.block(&mut Block::planar(self.channels, samples))
    }
}

/// All bits of the exponent: what is not a number or infinite has them.
const EXPONENT: u32 = 0x7f80_0000;

/// Sets samples that are not finite to 0 and gives their number.
fn clean(plane: &mut [f32]) -> u64 {
    // Nearly always there is none, which a pass without branches tells.
    let any = plane.iter().fold(0, |any, sample| any | u32::from(sample.to_bits() & EXPONENT == EXPONENT));
    if any == 0 {
        return 0;
    }
    let mut count = 0;
    for sample in plane {
        if !sample.is_finite() {
            *sample = 0.0;
            count += 1;
        }
    }
    count
}

/// The mean of all channels from a frame on.
fn mean(planes: &[Vec<f32>], from: usize, result: &mut [f32]) {
    let share = 1.0 / planes.len() as f32;
    if let [left, right] = planes {
        let both = left[from..].iter().zip(&right[from..]);
        result.iter_mut().zip(both).for_each(|(mean, (left, right))| *mean = (left + right) * share);
        return;
    }
    result.fill(0.0);
    for plane in planes {
        result.iter_mut().zip(&plane[from..]).for_each(|(sum, sample)| *sum += sample);
    }
    result.iter_mut().for_each(|sum| *sum *= share);
}

#[cfg(test)]
mod tests {
    use super::*;
    use etude_pipeline::flow::Header;

    #[derive(Default)]
    struct Blocks(Vec<Block>);

    impl Output for Blocks {
        fn begin(&mut self, _: &Header) -> Step {
            Ok(())
        }

        fn block(&mut self, block: &mut Block) -> Step {
            self.0.push(block.clone());
            Ok(())
        }

        fn end(&mut self) -> Step {
            Ok(())
        }

        fn count(&mut self, _: &'static str, _: u64) {}
    }

    fn gather(packets: &[Vec<Vec<f32>>], channels: Channels, block: usize) -> (Vec<Block>, u64) {
        let mut output = Blocks::default();
        let count = if channels == Channels::Keep { packets[0].len() } else { 1 };
        let mut gather = Gather::new(count, block);
        let mut bad = 0;
        for packet in packets {
            bad += gather.push(&mut packet.clone(), channels, &mut output).unwrap();
        }
        gather.flush(&mut output).unwrap();
        (output.0, bad)
    }

    #[test]
    fn blocks_have_the_same_length_whatever_the_packets_have() {
        let packets = [vec![vec![1.0, 2.0, 3.0], vec![-1.0, -2.0, -3.0]], vec![vec![4.0], vec![-4.0]]];
        let (blocks, _) = gather(&packets, Channels::Keep, 2);
        let samples: Vec<&[f32]> = blocks.iter().map(Block::samples).collect();
        assert_eq!(samples, [[1.0, 2.0, -1.0, -2.0], [3.0, 4.0, -3.0, -4.0]]);
        let (blocks, _) = gather(&packets, Channels::First, 3);
        let samples: Vec<&[f32]> = blocks.iter().map(Block::samples).collect();
        assert_eq!(samples, [&[1.0, 2.0, 3.0][..], &[4.0]]);
    }

    #[test]
    fn what_is_not_finite_becomes_zero_before_it_is_mixed() {
        let packets = [vec![vec![f32::NAN, 2.0], vec![1.0, f32::INFINITY]]];
        let (blocks, bad) = gather(&packets, Channels::Mono, 8);
        assert_eq!((blocks[0].samples(), bad), (&[0.5, 1.0][..], 2));
        let (_, bad) = gather(&packets, Channels::First, 8);
        assert_eq!(bad, 1);
    }
}
