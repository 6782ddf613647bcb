use burn::module::Module;
use etude_learning::encoder as parameters;
use tch::{Device, Kind, Tensor};

use super::spectrogram::Mel;
use super::{Encoded, Network};
use crate::layer::{LayerNorm, Linear, attention, beside};
use crate::pass::{Pass, f32};
use crate::scope::Scope;

/// Patches, pre-norm blocks, and the mean over the patches.
#[derive(Module, Debug)]
pub struct Vit {
    #[module(skip)]
    mel: Mel,
    #[module(skip)]
    patches: Vec<[usize; 2]>,
    embeddings: Vec<Embedding>,
    layers: Vec<Layer>,
    norm: LayerNorm,
    drop: f64,
    dropout: f64,
}

/// From the values of a patch to its vector.
#[derive(Module, Debug)]
struct Embedding {
    norm1: LayerNorm,
    projection: Linear,
    norm2: LayerNorm,
}

/// Attention and a perceptron, each behind its norm and beside a shortcut.
#[derive(Module, Debug)]
struct Layer {
    norm1: LayerNorm,
    qkv: Linear,
    out: Linear,
    norm2: LayerNorm,
    linear1: Linear,
    linear2: Linear,
    heads: usize,
}

impl Vit {
    pub fn new(parameters: &parameters::Vit, rate: u32, scope: &Scope) -> Self {
        let dim = parameters.dim;
        let embedding = |(index, [height, width]): (usize, &[usize; 2])| {
            let scope = scope.at("embeddings").at(index);
            Embedding {
                norm1: LayerNorm::new(&scope.at("norm1"), height * width),
                projection: Linear::new(&scope.at("projection"), height * width, dim, true),
                norm2: LayerNorm::new(&scope.at("norm2"), dim),
            }
        };
        let layer = |index: usize| {
            let scope = scope.at("layers").at(index);
            let inner = parameters.heads * parameters.head_dim;
            Layer {
                norm1: LayerNorm::new(&scope.at("norm1"), dim),
                qkv: Linear::new(&scope.at("qkv"), dim, 3 * inner, false),
                out: Linear::new(&scope.at("out"), inner, dim, false),
                norm2: LayerNorm::new(&scope.at("norm2"), dim),
                linear1: Linear::new(&scope.at("linear1"), dim, parameters.mlp, true),
                linear2: Linear::new(&scope.at("linear2"), parameters.mlp, dim, true),
                heads: parameters.heads,
            }
        };
        Self {
            mel: Mel::new(&parameters.mel, rate, scope.device()),
            patches: parameters.patches.clone(),
            embeddings: parameters.patches.iter().enumerate().map(embedding).collect(),
            layers: (0..parameters.depth).map(layer).collect(),
            norm: LayerNorm::new(&scope.at("norm"), dim),
            drop: parameters.drop,
            dropout: parameters.dropout,
        }
    }

    /// `[batch, bands, frames]` to `[batch, dim]`, by patches of one size.
    fn embed(
        &self,
        pass: &Pass,
        image: &Tensor,
        [height, width]: [usize; 2],
        embedding: &Embedding,
    ) -> Tensor {
        let (height, width) = (height as i64, width as i64);
        let (batch, rows, columns) = (image.size()[0], image.size()[1] / height, image.size()[2] / width);
        let grid = image.narrow(1, 0, rows * height).narrow(2, 0, columns * width);
        let grid = grid.reshape([batch, rows, height, columns, width]).transpose(2, 3);
        let patches = grid.reshape([batch, rows * columns, height * width]);
        let tokens = embedding.projection.forward(pass, &embedding.norm1.forward(&patches));
        let tokens = embedding.norm2.forward(&tokens);
        let dim = tokens.size()[2];
        let tokens = tokens + positions(rows, columns, dim, image.device());
        let tokens = self.drop(pass, tokens);
        let tokens =
            self.layers.iter().fold(tokens, |tokens, layer| layer.forward(pass, &tokens, self.dropout));
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

impl Layer {
    fn forward(&self, pass: &Pass, tokens: &Tensor, dropout: f64) -> Tensor {
        let parts = self.qkv.forward(pass, &self.norm1.forward(tokens)).chunk(3, 2);
        let mixed = attention(pass, [&parts[0], &parts[1], &parts[2]], self.heads, dropout);
        let tokens = beside(tokens, pass.dropout(f32(&self.out.forward(pass, &mixed)), dropout));
        let inner = self.linear1.forward(pass, &self.norm2.forward(&tokens)).gelu("none");
        let inner = self.linear2.forward(pass, &pass.dropout(inner, dropout));
        beside(&tokens, pass.dropout(f32(&inner), dropout))
    }
}

impl Network for Vit {
    fn encode(&self, pass: &Pass, audio: &Tensor, _: Option<&Tensor>) -> Encoded {
        let image = self.mel.forward(audio);
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
