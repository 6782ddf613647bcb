//! Networks that turn audio into vectors: a file each, and a line each in the table.

mod cnn;
mod residual;
mod resnet18;
mod sample_cnn;
pub mod spectrogram;
mod vggish;
mod vit;
mod wav2vec2;

use burn::module::Module;
use etude_learning::encoder as parameters;
use tch::Tensor;

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

/// A network from audio `[batch, samples]`. `mask` names frames that it does not see, `[batch, frames]`; it is given
/// only to networks whose parameters say that they have frames.
trait Network {
    fn encode(&self, pass: &Pass, audio: &Tensor, mask: Option<&Tensor>) -> Encoded;
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
            /// The network that `parameters` describe, for audio of `rate` samples a second.
            pub fn new(parameters: &parameters::Encoder, rate: u32, scope: &Scope) -> Self {
                match parameters {
                    $(parameters::Encoder::$variant(parameters) => {
                        Self::$variant($module::$variant::new(parameters, rate, scope))
                    })*
                }
            }

            /// Audio `[batch, samples]` to vectors.
            pub fn encode(&self, pass: &Pass, audio: &Tensor, mask: Option<&Tensor>) -> Encoded {
                match self {
                    $(Self::$variant(network) => network.encode(pass, audio, mask),)*
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
}

#[cfg(test)]
mod tests;
