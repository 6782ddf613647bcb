//! The encoders, by name. Each is a file here, with its parameters, and one in the trainer, with its layers.

use etude_pipeline::operator::Invalid;

use crate::choices::{below, choices, name_of};

/// What is known of an encoder without its layers.
pub trait Describe {
    /// Values of the vector.
    fn width(&self) -> usize;

    /// Checks the ranges. The parameters' names are those below `encoder.NAME.`.
    fn check(&self) -> Result<(), Invalid>;

    /// Checks the encoder against the signals that it is for.
    fn check_signal(&self, rate: u32, frames: u64) -> Result<(), String>;

    /// Samples that a frame sees, and samples from one frame to the next, where it gives a vector a frame as well.
    fn frames(&self) -> Option<Frames> {
        None
    }
}

/// The frames of an encoder that gives a vector for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frames {
    /// Samples that a frame sees.
    pub field: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Values of the vector before the transformer.
    pub features: usize,
    /// Values of the vector after it.
    pub width: usize,
}

impl Frames {
    /// How many frames a clip has.
    pub fn count(&self, samples: usize) -> usize {
        if samples < self.field { 0 } else { 1 + (samples - self.field) / self.hop }
    }
}

choices! {
    /// An encoder with its front-end: from samples to a vector.
    Encoder: Describe {
        /// A plain convolutional network on a log-mel spectrogram.
        Cnn in cnn,
        /// Convolutions on raw samples (SampleCNN, Lee et al. 2017), as CLMR has them.
        SampleCnn in sample_cnn,
        /// A residual network of VGG-like blocks on a spectrogram.
        Vggish in vggish,
        /// ResNet-18 (He et al. 2016) on a spectrogram.
        Resnet18 in resnet18,
        /// A vision transformer on patches of a spectrogram, as Myna has it.
        Vit in vit,
        /// Convolutions on raw samples and a transformer (wav2vec 2.0, Baevski et al. 2020).
        Wav2vec2 in wav2vec2,
    }
}

impl Encoder {
    /// Values of the vector.
    pub fn width(&self) -> usize {
        self.chosen().width()
    }

    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        self.chosen().check().map_err(|invalid| below(&format!("encoder.{}", self.name()), invalid))
    }

    /// Checks the encoder against the signals that it is for.
    pub fn check_signal(&self, rate: u32, frames: u64) -> Result<(), String> {
        self.chosen().check_signal(rate, frames)
    }

    /// Its frames, where it gives a vector for each.
    pub fn frames(&self) -> Option<Frames> {
        self.chosen().frames()
    }

    /// Its name in YAML.
    pub fn name(&self) -> String {
        name_of(self)
    }
}
