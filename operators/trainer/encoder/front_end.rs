use etude_audio::mel as parameters;
use etude_pipeline::flow::Sampling;
use tch::{Device, Tensor};

use super::spectrogram::Mel;

/// What makes an image of a clip.
#[derive(Debug, Clone)]
pub enum FrontEnd {
    /// The mel spectrogram of audio.
    Mel(Mel),
    /// Nothing: the clips are features, of so many planes.
    Features(usize),
}

impl FrontEnd {
    /// What `parameters` describe, or by default, for such clips.
    pub fn new(parameters: Option<&parameters::Mel>, sampling: Sampling, device: Device) -> Self {
        if !sampling.is_audio() {
            return Self::Features(sampling.planes.into());
        }
        let default = parameters::Mel::default();
        Self::Mel(Mel::new(parameters.unwrap_or(&default), sampling.rate, device))
    }

    /// Planes of an image.
    pub fn planes(&self) -> usize {
        match self {
            Self::Mel(_) => 1,
            Self::Features(planes) => *planes,
        }
    }

    /// Clips to images `[batch, planes, bins, frames]`. No gradient flows through.
    pub fn image(&self, clips: &Tensor) -> Tensor {
        match self {
            Self::Mel(mel) => mel.forward(clips).unsqueeze(1),
            Self::Features(_) => clips.shallow_clone(),
        }
    }
}
