//! A plain convolutional network over a log-mel spectrogram.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::front::LogMel;
use super::norm::Norm;
use crate::init;

/// Side of a kernel.
const KERNEL: usize = 3;

/// Log-mel front-end, blocks that each halve frequency and time, and the mean over what remains.
#[derive(Module, Debug)]
pub struct Cnn {
    front: LogMel,
    blocks: Vec<Block>,
}

impl Cnn {
    /// The network that `config` describes, for audio of `rate` samples a second; `seed` names its weights.
    pub fn new(config: &etude_learning::encoder::Cnn, rate: u32, seed: u64, device: &Device) -> Self {
        Self::with_front(LogMel::new(&config.mel, rate, device), &config.channels, seed, device)
    }

    /// The network behind that front-end, with one block for each of `channels`.
    pub fn with_front(front: LogMel, channels: &[usize], seed: u64, device: &Device) -> Self {
        let inputs = std::iter::once(&1).chain(channels);
        let blocks = inputs.zip(channels).enumerate().map(|(index, (inputs, outputs))| {
            let path = format!("encoder.blocks.{index}");
            Block::new(*inputs, *outputs, seed, &path, device)
        });
        Self { front, blocks: blocks.collect() }
    }

    /// Length of an embedding.
    pub fn width(&self) -> usize {
        self.blocks.last().map_or(1, |block| block.norm.channels())
    }

    /// Audio `[batch, samples]` to embeddings `[batch, width]`.
    pub fn forward(&self, audio: Tensor<2>) -> Tensor<2> {
        let spectrogram = self.front.forward(audio);
        let features = self.blocks.iter().fold(spectrogram, |features, block| block.forward(features));
        features.mean_dims(&[2, 3]).squeeze_dims::<2>(&[2, 3])
    }
}

/// Convolution with stride 2, batch normalisation, ReLU.
#[derive(Module, Debug)]
struct Block {
    conv: Conv2d,
    norm: Norm,
}

impl Block {
    fn new(inputs: usize, outputs: usize, seed: u64, path: &str, device: &Device) -> Self {
        let mut conv = Conv2dConfig::new([inputs, outputs], [KERNEL, KERNEL])
            .with_stride([2, 2])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_bias(false)
            .init(device);
        // Burn draws a parameter when it is first read, so what is replaced here was never drawn.
        let taps = inputs * KERNEL * KERNEL;
        let weight = init::uniform(seed, &format!("{path}.conv.weight"), outputs * taps, init::bound(taps));
        conv.weight = init::parameter(weight, [outputs, inputs, KERNEL, KERNEL], device);
        Self { conv, norm: Norm::new(outputs, device) }
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, ⌈height/2⌉, ⌈width/2⌉]`.
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        relu(self.norm.forward(self.conv.forward(input)))
    }
}
