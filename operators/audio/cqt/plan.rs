//! How a clip is cut into the blocks that are transformed.

/// Blocks are at least this long, in samples, unless the clip is shorter.
const LONG: usize = 1 << 16;

/// Blocks of `frames` frames each, transformed `size` frames at a time: what is more is for the kernels' reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    pub size: usize,
    pub frames: usize,
}

/// About how many samples a block has, for kernels that reach so many to either side: little of it is overlap.
pub fn samples(reach: usize) -> usize {
    LONG.max(8 * reach)
}

/// The blocks of a clip of so many frames, `hop` samples apart, for kernels that reach so many samples to either side.
pub fn blocks(frames: usize, hop: usize, reach: usize) -> Blocks {
    let longest = good(samples(reach).div_ceil(hop));
    let most = (longest * hop - 2 * reach) / hop + 1;
    let frames = frames.div_ceil(frames.div_ceil(most).max(1)).max(1);
    Blocks { size: good(((frames - 1) * hop + 2 * reach).div_ceil(hop)), frames }
}

/// The next number whose FFT is fast. There are four to an octave, for kernels are kept for each: clips may be of many
/// lengths.
fn good(least: usize) -> usize {
    let step = least.next_power_of_two() / 8;
    least.max(2).next_multiple_of(step.max(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_good() {
        let sizes = [0, 3, 7, 11, 97, 101, 1000].map(good);
        assert_eq!(sizes, [2, 4, 8, 12, 112, 112, 1024]);
    }

    #[test]
    fn a_block_holds_its_frames_and_their_reach() {
        for hop in [1, 7, 160, 512, 65_536] {
            for reach in [1, 100, 5_900, 100_000] {
                for frames in [1, 2, 44, 431, 5_000] {
                    let blocks = blocks(frames, hop, reach);
                    assert!(blocks.size * hop >= (blocks.frames - 1) * hop + 2 * reach, "{blocks:?}");
                    assert!(blocks.frames <= frames && blocks.frames <= blocks.size);
                    assert!(blocks.size * hop <= 2 * (LONG.max(8 * reach) + 8 * hop), "{blocks:?}");
                }
            }
        }
    }

    #[test]
    fn the_blocks_of_a_clip_are_of_one_length() {
        assert_eq!(blocks(44, 512, 5_900), Blocks { size: 80, frames: 44 });
        let ten_seconds = blocks(431, 512, 5_900);
        assert_eq!(431usize.div_ceil(ten_seconds.frames), 5);
        assert_eq!(ten_seconds.frames, 87);
    }
}
