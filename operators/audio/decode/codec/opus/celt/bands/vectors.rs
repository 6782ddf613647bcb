//! What is done to whole shapes.

/// Gives a vector a length.
pub(in crate::decode::codec::opus::celt) fn scale(x: &mut [f32], gain: f32) {
    let scale = gain / (1e-15 + product(x, x)).sqrt();
    x.iter_mut().for_each(|x| *x *= scale);
}

/// The inner product.
#[inline]
fn product(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let (x, x_rest) = x.as_chunks::<8>();
    let (y, y_rest) = y.as_chunks::<8>();
    for (x, y) in x.iter().zip(y) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f32>()
}

/// Makes left and right of mid and side.
pub(super) fn merge(x: &mut [f32], y: &mut [f32], mid: f32) {
    let (cross, side) = (mid * product(x, y), product(y, y));
    let (left, right) = (mid * mid + side - 2.0 * cross, mid * mid + side + 2.0 * cross);
    if left < 6e-4 || right < 6e-4 {
        y.copy_from_slice(x);
        return;
    }
    let (left, right) = (1.0 / left.sqrt(), 1.0 / right.sqrt());
    for (x, y) in x.iter_mut().zip(y) {
        let (mid, side) = (mid * *x, *y);
        (*x, *y) = (left * (mid - side), right * (mid + side));
    }
}

/// Sums and differences of neighbours that are `stride` apart.
pub(super) fn haar(x: &mut [f32], stride: usize) {
    const HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
    for pair in x.chunks_exact_mut(2 * stride) {
        let (a, b) = pair.split_at_mut(stride);
        for (a, b) in a.iter_mut().zip(b) {
            let (first, second) = (HALF * *a, HALF * *b);
            (*a, *b) = (first + second, first - second);
        }
    }
}

/// In which order blocks lie that a Hadamard transform made, for 2, 4, 8 and 16 of them.
fn order(blocks: usize) -> &'static [u8] {
    match blocks {
        2 => &[1, 0],
        4 => &[3, 0, 2, 1],
        8 => &[7, 0, 4, 3, 6, 1, 5, 2],
        16 => &[15, 0, 8, 7, 12, 3, 11, 4, 14, 1, 9, 6, 13, 2, 10, 5],
        _ => &[],
    }
}

/// The place of a block.
fn place(order: &[u8], block: usize) -> usize {
    order.get(block).map_or(block, |place| usize::from(*place))
}

/// Sorts lines that lie by line by block.
pub(super) fn by_block(x: &mut [f32], lines: usize, blocks: usize, hadamard: bool, room: &mut [f32]) {
    let order = if hadamard { order(blocks) } else { &[] };
    let room = &mut room[..lines * blocks];
    room.copy_from_slice(x);
    for block in 0..blocks {
        let to = &mut x[place(order, block) * lines..][..lines];
        to.iter_mut().zip(room[block..].iter().step_by(blocks)).for_each(|(to, from)| *to = *from);
    }
}

/// Sorts lines that lie by block by line.
pub(super) fn by_line(x: &mut [f32], lines: usize, blocks: usize, hadamard: bool, room: &mut [f32]) {
    let order = if hadamard { order(blocks) } else { &[] };
    let room = &mut room[..lines * blocks];
    room.copy_from_slice(x);
    for block in 0..blocks {
        let from = &room[place(order, block) * lines..][..lines];
        x[block..].iter_mut().step_by(blocks).zip(from).for_each(|(to, from)| *to = *from);
    }
}
