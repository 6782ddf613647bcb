//! Collects packets into blocks of equal length.

use etude_pipeline::flow::Block;
use etude_pipeline::operator::{Output, Step};

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

    /// Takes a packet.
    pub(super) fn push(&mut self, packet: &[Vec<f32>], output: &mut dyn Output) -> Step {
        let frames = packet.first().map_or(0, Vec::len);
        let mut from = 0;
        while from < frames {
            let count = (frames - from).min(self.block - self.filled);
            self.samples.resize(self.channels * self.block, 0.0);
            let places = self.filled..self.filled + count;
            for (row, plane) in self.samples.chunks_exact_mut(self.block).zip(packet) {
                row[places.clone()].copy_from_slice(&plane[from..from + count]);
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
        Ok(())
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

    fn gather(packets: &[Vec<Vec<f32>>], block: usize) -> Vec<Block> {
        let mut output = Blocks::default();
        let mut gather = Gather::new(packets[0].len(), block);
        for packet in packets {
            gather.push(packet, &mut output).unwrap();
        }
        gather.flush(&mut output).unwrap();
        output.0
    }

    #[test]
    fn blocks_have_the_same_length_whatever_the_packets_have() {
        let packets = [vec![vec![1.0, 2.0, 3.0], vec![-1.0, -2.0, -3.0]], vec![vec![4.0], vec![-4.0]]];
        let blocks = gather(&packets, 2);
        let samples: Vec<&[f32]> = blocks.iter().map(Block::samples).collect();
        assert_eq!(samples, [[1.0, 2.0, -1.0, -2.0], [3.0, 4.0, -3.0, -4.0]]);
        let blocks = gather(&packets, 3);
        let samples: Vec<&[f32]> = blocks.iter().map(Block::samples).collect();
        assert_eq!(samples, [&[1.0, 2.0, 3.0, -1.0, -2.0, -3.0][..], &[4.0, -4.0]]);
    }
}
