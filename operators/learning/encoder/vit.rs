use etude_audio::mel::Mel;
use etude_pipeline::flow::Sampling;
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Describe;
use super::image::{Image, image};
use crate::range::within;

/// A vision transformer on patches of a spectrogram (SimpleViT, Beyer et al. 2022, arXiv 2205.01580), as Myna has it
/// (Yonay et al. 2025, arXiv 2502.12511).
///
/// Patches to vectors (layer norm, linear, layer norm), fixed sines and cosines for their places, `depth` pre-norm
/// blocks of attention and an MLP with GELU, layer norm, the mean over the patches. With several sizes of patches the
/// blocks are shared and the vectors are put one behind another. Bins and frames that fill no patch are left out. Of
/// features with several planes a patch has those of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vit {
    /// The front-end, where clips are audio; `{}` by default. Features are taken as they are, each plane a channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Mel")]
    pub mel: Option<Mel>,
    /// Sizes of the patches, each as bins and frames: 1 to 4 of them.
    #[serde(default = "default_patches")]
    pub patches: Vec<[usize; 2]>,
    /// Values of a patch's vector, a multiple of 4 from 16 to 8192.
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
    /// The share of the patches that is dropped in training, 0 to 0.99: each clip loses its own.
    #[serde(default)]
    #[schemars(range(min = 0, max = 0.99))]
    pub drop: f64,
    /// The dropout inside the blocks, 0 to 0.9.
    #[serde(default)]
    #[schemars(range(min = 0, max = 0.9))]
    pub dropout: f64,
}

fn default_patches() -> Vec<[usize; 2]> {
    vec![[16, 16]]
}

fn default_dim() -> usize {
    384
}

fn default_depth() -> usize {
    12
}

fn default_heads() -> usize {
    6
}

fn default_head_dim() -> usize {
    64
}

fn default_mlp() -> usize {
    1536
}

impl Describe for Vit {
    fn width(&self) -> usize {
        self.dim * self.patches.len()
    }

    fn check(&self) -> Result<(), Invalid> {
        self.mel.as_ref().map_or(Ok(()), |mel| mel.check_below("mel."))?;
        let right = |patch: &[usize; 2]| patch.iter().all(|side| (1..=1024).contains(side));
        let fits = (1..=4).contains(&self.patches.len()) && self.patches.iter().all(right);
        Invalid::unless(
            fits,
            "patches",
            "must be 1 to 4 sizes, such as [[16, 16]], of sides from 1 to 1024",
        )?;
        within("dim", &self.dim, 16..=8192)?;
        Invalid::unless(self.dim.is_multiple_of(4), "dim", "must be a multiple of 4")?;
        within("depth", &self.depth, 1..=64)?;
        within("heads", &self.heads, 1..=64)?;
        within("head_dim", &self.head_dim, 1..=1024)?;
        within("mlp", &self.mlp, 1..=65536)?;
        within("drop", &self.drop, 0.0..=0.99)?;
        within("dropout", &self.dropout, 0.0..=0.9)
    }

    fn front_end(&mut self) -> Option<&mut Option<Mel>> {
        Some(&mut self.mel)
    }

    fn check_signal(&self, sampling: Sampling, frames: u64) -> Result<(), String> {
        let Image { bins, frames } = image(self.mel.as_ref(), sampling, frames)?;
        match self.patches.iter().find(|[height, width]| *height as u64 > bins || *width as u64 > frames) {
            Some([height, width]) => {
                Err(format!("{bins} bins and {frames} frames hold no patch of {height} by {width}"))
            }
            None => Ok(()),
        }
    }
}
