//! Discrete targets: what names each frame.

mod assign;
mod products;
mod quantiser;
mod random_projection;
mod stack;
#[cfg(test)]
mod tests;

use etude_pipeline::flow::Block;

pub use assign::Assign;
pub(crate) use products::{Codebook, LANES, Lanes, Vectors, transpose};
pub use quantiser::Quantiser;
pub use random_projection::RandomProjection;

/// Gives the frames of a block side by side, as many as are worked on at once: the first one's number and a row of
/// lanes a channel. Lanes behind the last frame hold nothing of use.
fn side_by_side(block: &Block, rows: &mut Vec<Lanes>, mut take: impl FnMut(usize, &[Lanes])) {
    rows.resize(block.channels(), [0.0; LANES]);
    for from in (0..block.frames()).step_by(LANES) {
        for (channel, row) in rows.iter_mut().enumerate() {
            let frames = &block.channel(channel)[from..];
            let count = frames.len().min(LANES);
            row[..count].copy_from_slice(&frames[..count]);
        }
        take(from, rows);
    }
}

/// Puts names in the place of frames.
fn put(names: &[u32], to: &mut [f32]) {
    to.iter_mut().zip(names).for_each(|(to, name)| *to = *name as f32);
}
