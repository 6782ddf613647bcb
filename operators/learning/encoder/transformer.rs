use etude_pipeline::flow::Sampling;
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::image::NO_FRAME;
use super::{Describe, Frames};
use crate::range::within;

/// A transformer on frames of features (Vaswani et al. 2017), as BERT and MusicFM have it over words and bands.
///
/// Each frame, or token of `op: patchify`, to a vector (linear), a learned one in the place of those that are masked;
/// sines and cosines of its place; `depth` pre-norm blocks of attention and an MLP with GELU; layer norm; the mean over
/// the frames. Where `op: drop_tokens` has left some out, the others keep their places. It gives a vector for each
/// frame, so that objectives of masked frames can use it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transformer {
    /// Values of a frame's vector, an even number from 16 to 8192.
    #[serde(default = "default_dim")]
    #[schemars(range(min = 16, max = 8192))]
    pub dim: usize,
    /// Blocks, 1 to 64.
    #[serde(default = "default_depth")]
    #[schemars(range(min = 1, max = 64))]
    pub depth: usize,
    /// Heads of the attention, 1 to 64.
    #[serde(default = "default_heads")]
    #[schemars(range(min = 1, max = 64))]
    pub heads: usize,
    /// Values of a head, 1 to 1024.
    #[serde(default = "default_head_dim")]
    #[schemars(range(min = 1, max = 1024))]
    pub head_dim: usize,
    /// Values inside the MLP, 1 to 65536.
    #[serde(default = "default_mlp")]
    #[schemars(range(min = 1, max = 65536))]
    pub mlp: usize,
    /// The dropout inside the blocks, 0 to 0.9.
    #[serde(default)]
    #[schemars(range(min = 0, max = 0.9))]
    pub dropout: f64,
}

fn default_dim() -> usize {
    256
}

fn default_depth() -> usize {
    6
}

fn default_heads() -> usize {
    4
}

fn default_head_dim() -> usize {
    64
}

fn default_mlp() -> usize {
    1024
}

impl Describe for Transformer {
    fn width(&self) -> usize {
        self.dim
    }

    fn check(&self) -> Result<(), Invalid> {
        within("dim", &self.dim, 16..=8192)?;
        Invalid::unless(self.dim.is_multiple_of(2), "dim", "must be even")?;
        within("depth", &self.depth, 1..=64)?;
        within("heads", &self.heads, 1..=64)?;
        within("head_dim", &self.head_dim, 1..=1024)?;
        within("mlp", &self.mlp, 1..=65536)?;
        within("dropout", &self.dropout, 0.0..=0.9)
    }

    fn check_signal(&self, sampling: Sampling, frames: u64) -> Result<(), String> {
        match sampling.is_audio() {
            true => Err("expects features or tokens, such as those of `op: mel` or `op: patchify`, not audio".into()),
            false if frames == 0 => Err(NO_FRAME.into()),
            false => Ok(()),
        }
    }

    fn frames(&self) -> Option<Frames> {
        Some(Frames { field: 1, hop: 1, features: self.dim, width: self.dim })
    }

    fn takes_tokens(&self) -> bool {
        true
    }
}
