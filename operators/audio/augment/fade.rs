//! Fades, so that a cut makes no click.

/// A factor for each of so many frames, from almost 0 to almost 1, in a straight line.
pub fn rising(frames: usize) -> impl DoubleEndedIterator<Item = f32> + ExactSizeIterator + Clone {
    (0..frames).map(move |at| (at as f32 + 0.5) / frames as f32)
}
