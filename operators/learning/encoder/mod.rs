//! The encoders, by name. Each is a file here, with its parameters, and one in the trainer, with its layers.

mod image;

use etude_audio::Expect;
use etude_audio::mel::Mel;
use etude_pipeline::flow::{Sampling, SignalType};
use etude_pipeline::operator::{Inputs, Invalid};

use crate::choices::{below, choices, name_of};

/// What is known of an encoder without its layers.
pub trait Describe {
    /// Values of the vector.
    fn width(&self) -> usize;

    /// Checks the ranges. The parameters' names are those below `encoder.NAME.`.
    fn check(&self) -> Result<(), Invalid>;

    /// Checks the encoder against the signals that it is for, of so many frames.
    fn check_signal(&self, sampling: Sampling, frames: u64) -> Result<(), String>;

    /// Its frames, where it gives a vector for each as well.
    fn frames(&self) -> Option<Frames> {
        None
    }

    /// Whether it takes tokens, which do not follow each other in time, and clips of which some were left out.
    fn takes_tokens(&self) -> bool {
        false
    }

    /// The front-end, where it has one for audio.
    fn front_end(&mut self) -> Option<&mut Option<Mel>> {
        None
    }
}

/// The frames of an encoder that gives a vector for each. They are counted in frames of the signal, which are samples
/// where it is audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frames {
    /// Frames of the signal that a frame sees.
    pub field: usize,
    /// Frames of the signal from one frame to the next.
    pub hop: usize,
    /// Values of the vector before the transformer.
    pub features: usize,
    /// Values of the vector after it.
    pub width: usize,
}

impl Frames {
    /// How many frames a clip has, of so many frames of the signal.
    pub fn count(&self, frames: usize) -> usize {
        if frames < self.field { 0 } else { 1 + (frames - self.field) / self.hop }
    }
}

choices! {
    /// An encoder: from the samples of a clip, or from its features, to a vector. One that looks at a spectrogram makes it
    /// itself, on the device, where clips are audio, and takes features as they are.
    Encoder: Describe {
        /// A plain convolutional network on a spectrogram.
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
        /// A transformer on frames of features, or on tokens.
        Transformer in transformer,
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

    /// Checks the encoder against the signals that it is for, of so many frames.
    pub fn check_signal(&self, sampling: Sampling, frames: u64) -> Result<(), String> {
        self.chosen().check_signal(sampling, frames)
    }

    /// Whether it takes tokens, which do not follow each other in time, and clips of which some were left out.
    pub fn takes_tokens(&self) -> bool {
        self.chosen().takes_tokens()
    }

    /// Writes the front-end that is taken by default out, where clips are audio.
    pub fn settle(&mut self, sampling: Sampling) {
        if let Some(mel) = self.chosen_mut().front_end().filter(|_| sampling.is_audio()) {
            mel.get_or_insert_default();
        }
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

/// The main input as what encoders take: mono clips, or clips of features.
pub fn clips(inputs: &Inputs<'_>) -> Result<SignalType, String> {
    match etude_audio::signal(inputs)?.clips()? {
        signal if signal.hop == 1 && signal.channels != Some(1) => {
            Err("expects mono clips: decode with `channels: mono`".into())
        }
        signal => Ok(signal),
    }
}

/// Errors: an encoder of samples gets features.
fn samples(sampling: Sampling) -> Result<(), String> {
    match sampling.is_audio() {
        true => Ok(()),
        false => Err(format!("expects audio, not {sampling}")),
    }
}

#[cfg(test)]
mod tests;
