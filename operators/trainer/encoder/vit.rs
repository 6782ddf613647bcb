use burn::module::Module;
use etude_learning::encoder as parameters;
use etude_pipeline::flow::Sampling;
use tch::{Device, Kind, Tensor};

use super::block::{Block, Sizes};
use super::front_end::FrontEnd;
use super::{Clips, Encoded, Network};
use crate::layer::{LayerNorm, Linear};
use crate::pass::Pass;
use crate::scope::Scope;

/// Patches, pre-norm blocks, and the mean over the patches.
#[derive(Module, Debug)]
pub struct Vit {
    #[module(skip)]
    front_end: FrontEnd,
    #[module(skip)]
    patches: Vec<[usize; 2]>,
    embeddings: Vec<Embedding>,
    layers: Vec<Block>,
    norm: LayerNorm,
    drop: f64,
}

/// From the values of a patch to its vector.
#[derive(Module, Debug)]
struct Embedding {
    norm1: LayerNorm,
    projection: Linear,
    norm2: LayerNorm,
}

impl Vit {
    pub fn new(parameters: &parameters::Vit, sampling: Sampling, scope: &Scope) -> Self {
        let front_end = FrontEnd::new(parameters.mel.as_ref(), sampling, scope.device());
        let (planes, dim) = (front_end.planes(), parameters.dim);
        let embedding = |(index, [height, width]): (usize, &[usize; 2])| {
            let scope = scope.at("embeddings").at(index);
            Embedding {
                norm1: LayerNorm::new(&scope.at("norm1"), planes * height * width),
                projection: Linear::new(&scope.at("projection"), planes * height * width, dim, true),
                norm2: LayerNorm::new(&scope.at("norm2"), dim),
            }
        };
        let sizes = Sizes {
            dim,
            heads: parameters.heads,
            head_dim: parameters.head_dim,
            mlp: parameters.mlp,
            dropout: parameters.dropout,
        };
        let layer = |index: usize| Block::new(&scope.at("layers").at(index), sizes);
        Self {
            front_end,
            patches: parameters.patches.clone(),
            embeddings: parameters.patches.iter().enumerate().map(embedding).collect(),
            layers: (0..parameters.depth).map(layer).collect(),
            norm: LayerNorm::new(&scope.at("norm"), dim),
            drop: parameters.drop,
        }
    }

    /// `[batch, planes, bins, frames]` to `[batch, dim]`, by patches of one size.
    fn embed(
        &self,
        pass: &Pass,
        image: &Tensor,
        [height, width]: [usize; 2],
        embedding: &Embedding,
    ) -> Tensor {
        let (height, width, size) = (height as i64, width as i64, image.size());
        let (batch, planes, rows, columns) = (size[0], size[1], size[2] / height, size[3] / width);
        let grid = image.narrow(2, 0, rows * height).narrow(3, 0, columns * width);
        let grid = grid.reshape([batch, planes, rows, height, columns, width]).permute([0, 2, 4, 1, 3, 5]);
        let patches = grid.reshape([batch, rows * columns, planes * height * width]);
        let tokens = embedding.projection.forward(pass, &embedding.norm1.forward(&patches));
        let tokens = embedding.norm2.forward(&tokens);
        let dim = tokens.size()[2];
        let tokens = tokens + positions(rows, columns, dim, image.device());
        let tokens = self.drop(pass, tokens);
        let tokens = self.layers.iter().fold(tokens, |tokens, layer| layer.forward(pass, &tokens));
        self.norm.forward(&tokens).mean_dim(1i64, false, Kind::Float)
    }

    /// Leaves out a share of the tokens, for each clip others.
    fn drop(&self, pass: &Pass, tokens: Tensor) -> Tensor {
        let (batch, count, dim) = (tokens.size()[0], tokens.size()[1], tokens.size()[2]);
        let kept = count - (self.drop * count as f64) as i64;
        if !pass.training || kept == count {
            return tokens;
        }
        let chosen = pass.draw(|random| {
            let mut chosen = Vec::with_capacity((batch * kept) as usize);
            for _ in 0..batch {
                let mut all: Vec<i64> = (0..count).collect();
                for place in 0..kept as usize {
                    let other = place + random.below((count as usize - place) as u64) as usize;
                    all.swap(place, other);
                }
                chosen.extend_from_slice(&all[..kept as usize]);
            }
            chosen
        });
        let index = Tensor::from_slice(&chosen).reshape([batch, kept, 1]).to_device(tokens.device());
        tokens.gather(1, &index.expand([batch, kept, dim], false), false)
    }
}

impl Network for Vit {
    fn encode(&self, pass: &Pass, clips: &Clips<'_>) -> Encoded {
        let image = self.front_end.image(clips.values);
        let sizes = self.patches.iter().zip(&self.embeddings);
        let vectors: Vec<Tensor> =
            sizes.map(|(size, embedding)| self.embed(pass, &image, *size, embedding)).collect();
        Tensor::cat(&vectors, 1).into()
    }
}

/// Sines and cosines of the place of each patch, `[rows · columns, dim]` (SimpleViT, Beyer et al. 2022).
fn positions(rows: i64, columns: i64, dim: i64, device: Device) -> Tensor {
    let quarter = dim / 4;
    let omega = |index: i64| 1.0 / 10000f64.powf(index as f64 / (quarter - 1).max(1) as f64);
    let omegas: Vec<f64> = (0..quarter).map(omega).collect();
    let mut values = Vec::with_capacity((rows * columns * dim) as usize);
    for row in 0..rows {
        for column in 0..columns {
            for (place, wave) in
                [(column, f64::sin as fn(f64) -> f64), (column, f64::cos), (row, f64::sin), (row, f64::cos)]
            {
                values.extend(omegas.iter().map(|omega| wave(place as f64 * omega) as f32));
            }
        }
    }
    Tensor::from_slice(&values).reshape([rows * columns, dim]).to_device(device)
}
