use burn::module::Module;
use etude_learning::encoder as parameters;
use etude_pipeline::flow::Sampling;
use tch::{Device, Kind, Tensor};

use super::block::{Block, Sizes};
use super::{Clips, Encoded, Frames, Network, Places};
use crate::layer::{LayerNorm, Linear};
use crate::pass::{Pass, f32};
use crate::scope::Scope;
use crate::torch::{Weight, tensor};

/// Frames to vectors, pre-norm blocks, and the mean over the frames.
#[derive(Module, Debug)]
pub struct Transformer {
    projection: Linear,
    /// What a masked frame is, `[dim]`.
    mask_token: Weight<1>,
    layers: Vec<Block>,
    norm: LayerNorm,
}

impl Transformer {
    pub fn new(parameters: &parameters::Transformer, sampling: Sampling, scope: &Scope) -> Self {
        let parameters::Transformer { dim, depth, heads, head_dim, mlp, dropout } = *parameters;
        let sizes = Sizes { dim, heads, head_dim, mlp, dropout };
        Self {
            projection: Linear::new(&scope.at("projection"), sampling.channels.into(), dim, true),
            // BERT's initial deviation.
            mask_token: scope.at("mask_token").normal([dim], 0.02),
            layers: (0..depth).map(|index| Block::new(&scope.at("layers").at(index), sizes)).collect(),
            norm: LayerNorm::new(&scope.at("norm"), dim),
        }
    }
}

impl Network for Transformer {
    fn encode(&self, pass: &Pass, clips: &Clips<'_>) -> Encoded {
        let frames = clips.values.flatten(1, 2).transpose(1, 2);
        let features = f32(&self.projection.forward(pass, &frames));
        let seen = match clips.mask {
            Some(mask) => tensor(&self.mask_token).where_self(&mask.unsqueeze(-1), &features),
            None => features.shallow_clone(),
        };
        let (count, dim) = (features.size()[1], features.size()[2]);
        let waves = match clips.places {
            Some(Places { index, of }) => {
                waves(*of, dim, features.device()).index_select(0, &index.flatten(0, 1)).view_as(&features)
            }
            None => waves(count, dim, features.device()),
        };
        let frames = self.layers.iter().fold(seen + waves, |frames, layer| layer.forward(pass, &frames));
        let context = self.norm.forward(&frames);
        let vector = context.mean_dim(1i64, false, Kind::Float);
        let raw = features.transpose(1, 2);
        Encoded { vector, frames: Some(Frames { raw, features, context }) }
    }
}

/// Sines and cosines of places from 0 on, `[places, dim]`: pairs of falling frequency (Vaswani et al. 2017, section 3.5).
fn waves(places: i64, dim: i64, device: Device) -> Tensor {
    let speeds: Vec<f64> = (0..dim / 2).map(|pair| 10000f64.powf(-2.0 * pair as f64 / dim as f64)).collect();
    let mut values = Vec::with_capacity((places * dim) as usize);
    for place in 0..places {
        for speed in &speeds {
            let (sin, cos) = (place as f64 * speed).sin_cos();
            values.extend([sin as f32, cos as f32]);
        }
    }
    Tensor::from_slice(&values).reshape([places, dim]).to_device(device)
}
