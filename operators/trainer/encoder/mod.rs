//! Networks that turn audio into vectors: a file each, and a line each in the table.

mod block;
mod cnn;
mod front_end;
mod residual;
mod resnet18;
mod sample_cnn;
pub mod spectrogram;
mod transformer;
mod vggish;
mod vit;
mod wav2vec2;

use burn::module::Module;
use etude_learning::encoder as parameters;
use etude_pipeline::flow::{Mask, Sampling};
use tch::{Device, Tensor};

use crate::pass::Pass;
use crate::scope::Scope;

/// What an encoder makes of a batch.
pub struct Encoded {
    /// `[batch, width]`.
    pub vector: Tensor,
    /// Where the encoder gives a vector for each frame.
    pub frames: Option<Frames>,
}

/// What an encoder makes of the frames of a batch.
pub struct Frames {
    /// Before the transformer and before they are normalised, `[batch, features, frames]`.
    pub raw: Tensor,
    /// Before the transformer, normalised, not masked, `[batch, frames, features]`.
    pub features: Tensor,
    /// After the transformer, `[batch, frames, width]`.
    pub context: Tensor,
}

impl From<Tensor> for Encoded {
    fn from(vector: Tensor) -> Self {
        Self { vector, frames: None }
    }
}

/// What an encoder looks at.
pub struct Clips<'a> {
    /// Audio, `[batch, samples]`, or features, `[batch, planes, bins, frames]`.
    pub values: &'a Tensor,
    /// Frames that it does not see, `[batch, frames]`: only for networks whose parameters say that they have frames.
    pub mask: Option<&'a Tensor>,
    /// Where some frames were left out: only for networks that take that.
    pub places: Option<&'a Places>,
}

/// The places of frames of which others were left out.
pub struct Places {
    /// `[batch, frames]`.
    pub index: Tensor,
    /// How many there were.
    pub of: i64,
}

impl Places {
    /// Of clips of `kept` frames each, of which those that masks cover were left out.
    pub fn new(dropped: &[Mask], kept: usize, device: Device) -> Self {
        let mut index = Vec::with_capacity(dropped.len() * kept);
        let mut of = kept as u64;
        for Mask { covered, .. } in dropped {
            let (mut at, begin) = (0, index.len());
            for (from, to) in covered.iter() {
                index.extend(at..*from as i64);
                at = *to as i64;
            }
            let left = kept.saturating_sub(index.len() - begin) as i64;
            index.extend(at..at + left);
            of = of.max(at as u64 + left as u64);
        }
        let index = Tensor::from_slice(&index).reshape([dropped.len() as i64, kept as i64]).to_device(device);
        Self { index, of: of as i64 }
    }
}

impl<'a> Clips<'a> {
    /// Clips of which all is seen.
    pub fn of(values: &'a Tensor) -> Self {
        Self { values, mask: None, places: None }
    }
}

/// A network from clips to vectors.
trait Network {
    fn encode(&self, pass: &Pass, clips: &Clips<'_>) -> Encoded;
}

macro_rules! networks {
    ($($variant:ident in $module:ident,)*) => {
        /// An encoder, front-end included.
        #[derive(Module, Debug)]
        #[expect(clippy::large_enum_variant, reason = "a program has one or two")]
        pub enum Encoder {
            $($variant($module::$variant),)*
        }

        impl Encoder {
            /// The network that `parameters` describe, for such clips.
            pub fn new(parameters: &parameters::Encoder, sampling: Sampling, scope: &Scope) -> Self {
                match parameters {
                    $(parameters::Encoder::$variant(parameters) => {
                        Self::$variant($module::$variant::new(parameters, sampling, scope))
                    })*
                }
            }

            /// Clips to vectors.
            pub fn encode(&self, pass: &Pass, clips: &Clips<'_>) -> Encoded {
                match self {
                    $(Self::$variant(network) => network.encode(pass, clips),)*
                }
            }
        }
    };
}

networks! {
    Cnn in cnn,
    SampleCnn in sample_cnn,
    Vggish in vggish,
    Resnet18 in resnet18,
    Vit in vit,
    Wav2vec2 in wav2vec2,
    Transformer in transformer,
}

#[cfg(test)]
mod tests;
