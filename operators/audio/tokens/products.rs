//! Products of frames with many vectors, and the vector that is nearest to each.
//!
//! Frames are worked on side by side, so that every step is one of vector instructions and the sum of a product is
//! added up in the order of its values: neither blocks nor threads change a bit.

/// Frames that are worked on at once.
pub const LANES: usize = 8;
/// Vectors that are worked on at once: with 8 frames they fill half of the registers that any x86-64 has.
const TILE: usize = 4;

/// A value of each of the frames that are worked on.
pub type Lanes = [f32; LANES];

/// Vectors that frames are multiplied by.
#[derive(Debug, Clone)]
pub struct Vectors {
    /// Values of a vector.
    width: usize,
    count: usize,
    /// For each four vectors, all of their first values, of their second and so on; zeros where there are no more.
    tiles: Vec<[f32; TILE]>,
}

impl Vectors {
    /// Vectors of `width` values, one after another.
    pub fn new(values: &[f32], width: usize) -> Self {
        let count = values.len() / width.max(1);
        let mut tiles = vec![[0.0; TILE]; count.div_ceil(TILE) * width];
        for (index, vector) in values.chunks_exact(width.max(1)).enumerate() {
            let tile = &mut tiles[index / TILE * width..][..width];
            tile.iter_mut().zip(vector).for_each(|(tile, value)| tile[index % TILE] = *value);
        }
        Self { width, count, tiles }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Sums over the values of each vector and of frames, which have a row of lanes a value: of four vectors at a time,
    /// with the number of the first.
    #[inline(always)]
    fn sums(
        &self,
        frames: &[Lanes],
        term: impl Fn(f32, f32) -> f32,
        mut take: impl FnMut(usize, &[Lanes; TILE]),
    ) {
        for (index, tile) in self.tiles.chunks_exact(self.width.max(1)).enumerate() {
            let mut sums = [[0.0; LANES]; TILE];
            for (values, frames) in tile.iter().zip(frames) {
                for (sums, value) in sums.iter_mut().zip(values) {
                    for (sum, frame) in sums.iter_mut().zip(frames) {
                        *sum += term(*value, *frame);
                    }
                }
            }
            take(index * TILE, &sums);
        }
    }

    /// The products of frames with each vector, a row of lanes each.
    pub fn multiply(&self, frames: &[Lanes], to: &mut [Lanes]) {
        self.sums(frames, |value, frame| value * frame, |first, sums| copy(first, sums, to));
    }

    /// The squared distances of frames from each vector, a row of lanes each.
    pub fn distances(&self, frames: &[Lanes], to: &mut [Lanes]) {
        self.sums(
            frames,
            |value, frame| (value - frame) * (value - frame),
            |first, sums| copy(first, sums, to),
        );
    }
}

/// Puts the sums of vectors from the `first` on to their places.
fn copy(first: usize, sums: &[Lanes; TILE], to: &mut [Lanes]) {
    let rows = to.len().min(first + TILE) - first;
    to[first..][..rows].copy_from_slice(&sums[..rows]);
}

/// Frames that follow each other, as many as there are lanes at most, side by side.
pub fn transpose(frames: &[f32], rows: &mut [Lanes]) {
    for (lane, frame) in frames.chunks_exact(rows.len().max(1)).take(LANES).enumerate() {
        rows.iter_mut().zip(frame).for_each(|(row, value)| row[lane] = *value);
    }
}

/// Vectors of which the nearest is looked for; of equally near ones it is the first.
#[derive(Debug, Clone)]
pub struct Codebook {
    vectors: Vectors,
    /// Half the square of each vector's length: less the product it orders vectors as their distance does. Infinite
    /// where there are no more.
    halves: Vec<[f32; TILE]>,
}

impl Codebook {
    /// Vectors of `width` values, one after another.
    pub fn new(values: &[f32], width: usize) -> Self {
        let vectors = Vectors::new(values, width);
        let mut halves = vec![[f32::INFINITY; TILE]; vectors.count.div_ceil(TILE)];
        for (index, vector) in values.chunks_exact(width.max(1)).enumerate() {
            halves[index / TILE][index % TILE] = 0.5 * vector.iter().map(|value| value * value).sum::<f32>();
        }
        Self { vectors, halves }
    }

    /// The same with vectors that are all of length 1, up to rounding: the nearest has the greatest product.
    pub fn of_units(values: &[f32], width: usize) -> Self {
        let mut codebook = Self::new(values, width);
        codebook
            .halves
            .as_flattened_mut()
            .iter_mut()
            .filter(|half| half.is_finite())
            .for_each(|half| *half = 0.0);
        codebook
    }

    /// Values of a vector.
    pub fn width(&self) -> usize {
        self.vectors.width
    }

    /// The nearest vector to each frame; frames have a row of lanes a value.
    pub fn nearest(&self, frames: &[Lanes]) -> [u32; LANES] {
        let (mut least, mut nearest) = ([f32::INFINITY; LANES], [0; LANES]);
        let find = |first: usize, products: &[Lanes; TILE]| {
            for (index, (products, half)) in products.iter().zip(&self.halves[first / TILE]).enumerate() {
                let index = (first + index) as u32;
                for ((product, least), nearest) in products.iter().zip(&mut least).zip(&mut nearest) {
                    let distance = half - product;
                    let nearer = distance < *least;
                    *least = if nearer { distance } else { *least };
                    *nearest = if nearer { index } else { *nearest };
                }
            }
        };
        self.vectors.sums(frames, |value, frame| value * frame, find);
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random.
    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(next).collect()
    }

    fn lanes(frames: &[f32], width: usize) -> Vec<Lanes> {
        let mut lanes = vec![[0.0; LANES]; width];
        transpose(frames, &mut lanes);
        lanes
    }

    #[test]
    fn products_and_distances_are_as_defined() {
        for (count, width) in [(1, 1), (3, 7), (4, 5), (9, 16), (500, 39)] {
            let (vectors, frames) = (numbers(count * width, 1), numbers(LANES * width, 2));
            let [mut products, mut distances] = [0, 1].map(|_| vec![[0.0; LANES]; count]);
            let searched = Vectors::new(&vectors, width);
            searched.multiply(&lanes(&frames, width), &mut products);
            searched.distances(&lanes(&frames, width), &mut distances);
            for (vector, found) in vectors.chunks_exact(width).zip(products.iter().zip(&distances)) {
                for (lane, frame) in frames.chunks_exact(width).enumerate() {
                    let pairs = vector.iter().zip(frame);
                    let product = pairs.clone().fold(0.0, |sum, (a, b)| sum + a * b);
                    let distance = pairs.fold(0.0, |sum, (a, b)| sum + (a - b) * (a - b));
                    assert_eq!((product, distance), (found.0[lane], found.1[lane]));
                }
            }
        }
    }

    #[test]
    fn the_nearest_is_nearest() {
        for (count, width) in [(1, 1), (2, 3), (5, 7), (33, 8), (500, 39)] {
            let (vectors, frames) = (numbers(count * width, 3), numbers(LANES * width, 4));
            let codebook = Codebook::new(&vectors, width);
            assert_eq!(codebook.width(), width);
            let found = codebook.nearest(&lanes(&frames, width));
            for (frame, found) in frames.chunks_exact(width).zip(found) {
                let distance = |vector: &[f32]| -> f64 {
                    let pairs = vector.iter().zip(frame);
                    pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
                };
                let least = vectors.chunks_exact(width).map(distance).fold(f64::INFINITY, f64::min);
                let found = distance(&vectors[found as usize * width..][..width]);
                assert!(found - least < 1e-5, "{count} {width}: {found} {least}");
            }
        }
    }

    #[test]
    fn of_equally_near_ones_it_is_the_first() {
        let codebook = Codebook::new(&[3.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0], 1);
        assert_eq!(codebook.nearest(&[[1.0, 0.0, 2.5, -7.0, 9.0, 2.0, -0.1, 0.1]]), [1, 1, 0, 2, 0, 0, 2, 1]);
    }

    #[test]
    fn of_unit_vectors_the_greatest_product_decides() {
        let codebook = Codebook::of_units(&[1.0, 0.0, 0.0, 1.0, -0.6, -0.8], 2);
        let frames = lanes(&[5.0, 4.0, 4.0, 5.0, -1.0, -1.0, 0.0, 0.0], 2);
        assert_eq!(codebook.nearest(&frames)[..4], [0, 1, 2, 0]);
    }
}
