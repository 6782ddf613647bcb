use etude_pipeline::flow::Sampling;
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Describe, Frames, samples};
use crate::range::{sizes, within};

/// Convolutions on raw samples and a transformer (wav2vec 2.0, Baevski et al. 2020, arXiv 2006.11477).
///
/// The convolutions have no bias; group norm of one group a channel follows the first, GELU each. Layer norm and a
/// linear layer lead to `dim` values a frame; a grouped convolution with weight norm adds the places; then `depth`
/// post-norm blocks. The defaults are Base: 25 ms of 16 kHz a frame, 20 ms apart. Large is `dim: 1024, depth: 24,
/// heads: 16, mlp: 4096`. Tensors have the names of Hugging Face's Wav2Vec2Model. The vector is the mean over the frames.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wav2vec2 {
    /// Channels of each convolution: 1 to 12 of them, each 1 to 4096.
    #[serde(default = "default_channels")]
    pub channels: Vec<usize>,
    /// Samples that each convolution sees, as many as `channels`, each 1 to 64.
    #[serde(default = "default_kernels")]
    pub kernels: Vec<usize>,
    /// Stride of each convolution, as many as `channels`, each 1 to 64.
    #[serde(default = "default_strides")]
    pub strides: Vec<usize>,
    /// Values of a frame in the transformer, 16 to 8192.
    #[serde(default = "default_dim")]
    #[schemars(range(min = 16, max = 8192))]
    pub dim: usize,
    /// Blocks, 1 to 64.
    #[serde(default = "default_depth")]
    #[schemars(range(min = 1, max = 64))]
    pub depth: usize,
    /// Heads of the attention, 1 to 64; they share `dim` among them.
    #[serde(default = "default_heads")]
    #[schemars(range(min = 1, max = 64))]
    pub heads: usize,
    /// Values inside the MLP, 1 to 65536.
    #[serde(default = "default_mlp")]
    #[schemars(range(min = 1, max = 65536))]
    pub mlp: usize,
    /// Frames that the convolution for places sees, 1 to 1024.
    #[serde(default = "default_positions")]
    #[schemars(range(min = 1, max = 1024))]
    pub positions: usize,
    /// Groups of that convolution, which divide `dim`, 1 to 1024.
    #[serde(default = "default_position_groups")]
    #[schemars(range(min = 1, max = 1024))]
    pub position_groups: usize,
    /// The dropout of the attention's weights, behind attention and MLP, and of the frames that go to the transformer and
    /// to a quantiser, 0 to 0.9.
    #[serde(default = "default_dropout")]
    #[schemars(range(min = 0, max = 0.9))]
    pub dropout: f64,
    /// The probability that a block is left out of a step (layer drop), 0 to 0.9.
    #[serde(default = "default_layer_drop")]
    #[schemars(range(min = 0, max = 0.9))]
    pub layer_drop: f64,
    /// What the gradient of the convolutions is multiplied by, 0 to 1.
    #[serde(default = "default_feature_gradient")]
    #[schemars(range(min = 0, max = 1))]
    pub feature_gradient: f64,
}

fn default_channels() -> Vec<usize> {
    vec![512; 7]
}

fn default_kernels() -> Vec<usize> {
    vec![10, 3, 3, 3, 3, 2, 2]
}

fn default_strides() -> Vec<usize> {
    vec![5, 2, 2, 2, 2, 2, 2]
}

fn default_dim() -> usize {
    768
}

fn default_depth() -> usize {
    12
}

fn default_heads() -> usize {
    12
}

fn default_mlp() -> usize {
    3072
}

fn default_positions() -> usize {
    128
}

fn default_position_groups() -> usize {
    16
}

fn default_dropout() -> f64 {
    0.1
}

fn default_layer_drop() -> f64 {
    0.05
}

fn default_feature_gradient() -> f64 {
    0.1
}

impl Describe for Wav2vec2 {
    fn width(&self) -> usize {
        self.dim
    }

    fn check(&self) -> Result<(), Invalid> {
        sizes("channels", &self.channels, 12, 4096)?;
        sizes("kernels", &self.kernels, 12, 64)?;
        sizes("strides", &self.strides, 12, 64)?;
        let as_many = |name: &str, values: &[usize]| {
            let right = values.len() == self.channels.len();
            Invalid::unless(right, name, format!("must be {} numbers, as `channels` are", self.channels.len()))
        };
        as_many("kernels", &self.kernels)?;
        as_many("strides", &self.strides)?;
        within("dim", &self.dim, 16..=8192)?;
        within("depth", &self.depth, 1..=64)?;
        within("heads", &self.heads, 1..=64)?;
        let divides = |name: &str, value: usize| {
            Invalid::unless(self.dim.is_multiple_of(value), name, format!("must divide `dim`, {}", self.dim))
        };
        divides("heads", self.heads)?;
        within("mlp", &self.mlp, 1..=65536)?;
        within("positions", &self.positions, 1..=1024)?;
        within("position_groups", &self.position_groups, 1..=1024)?;
        divides("position_groups", self.position_groups)?;
        within("dropout", &self.dropout, 0.0..=0.9)?;
        within("layer_drop", &self.layer_drop, 0.0..=0.9)?;
        within("feature_gradient", &self.feature_gradient, 0.0..=1.0)
    }

    fn check_signal(&self, sampling: Sampling, frames: u64) -> Result<(), String> {
        samples(sampling)?;
        let field = self.field();
        if frames < field as u64 {
            return Err(format!("clips of {frames} samples are shorter than a frame, which sees {field}"));
        }
        Ok(())
    }

    fn frames(&self) -> Option<Frames> {
        let features = self.channels.last().copied().unwrap_or(0);
        Some(Frames { field: self.field(), hop: self.strides.iter().product(), features, width: self.dim })
    }
}

impl Wav2vec2 {
    /// Samples that a frame sees.
    fn field(&self) -> usize {
        let layers = self.kernels.iter().zip(&self.strides).rev();
        layers.fold(1, |field, (kernel, stride)| (field - 1) * stride + kernel)
    }
}
