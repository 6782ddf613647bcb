//! A random quantiser: a matrix, and unit vectors that products are named after.

use etude_pipeline::random::Random;

use super::products::{Codebook, LANES, Lanes, Vectors};

/// A matrix and a codebook.
#[derive(Debug, Clone)]
pub struct Quantiser {
    projection: Vectors,
    codebook: Codebook,
}

impl Quantiser {
    /// Quantisers of frames with that many values, drawn as `masked_cross_entropy` draws those of the first objective
    /// of a model: the matrices `[codebooks, inputs, dim]`, then the vectors `[codebooks, entries, dim]`.
    pub fn draw(seed: u64, codebooks: usize, inputs: usize, entries: usize, dim: usize) -> Vec<Self> {
        let random = |name: &str| {
            let place = format!("objectives.0.{name}");
            Random::keyed(&[b"weights", &seed.to_le_bytes(), place.as_bytes()])
        };
        let (mut projections, mut vectors) = (random("projections"), random("codebooks"));
        let limit = (6.0 / (inputs + dim) as f64).sqrt();
        let mut quantiser = || {
            let mut columns = vec![0.0; inputs * dim];
            for input in 0..inputs {
                for column in 0..dim {
                    columns[column * inputs + input] = ((2.0 * projections.uniform() - 1.0) * limit) as f32;
                }
            }
            let mut entries: Vec<f32> = (0..entries * dim).map(|_| vectors.normal() as f32).collect();
            for entry in entries.chunks_exact_mut(dim) {
                let square: f32 = entry.iter().map(|value| value * value).sum();
                let length = square.max(1e-24).sqrt();
                entry.iter_mut().for_each(|value| *value /= length);
            }
            Self { projection: Vectors::new(&columns, inputs), codebook: Codebook::of_units(&entries, dim) }
        };
        (0..codebooks).map(|_| quantiser()).collect()
    }

    /// The names of frames, which have a row of lanes a value; `projected` is room for what they are searched by.
    pub fn name(&self, frames: &[Lanes], projected: &mut Vec<Lanes>) -> [u32; LANES] {
        projected.resize(self.projection.count(), [0.0; LANES]);
        self.projection.multiply(frames, projected);
        self.codebook.nearest(projected)
    }
}
