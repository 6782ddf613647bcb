//! What encoders look at that take a clip for an image.

use etude_audio::mel::Mel;
use etude_pipeline::flow::Sampling;

/// The sides of an image.
pub struct Image {
    pub bins: u64,
    pub frames: u64,
}

/// What is told of features of clips that are too short.
pub const NO_FRAME: &str = "the clips are too short for a frame of their features";

/// The image that a clip is: the front-end's spectrogram of audio, or features as they are.
///
/// Errors: audio that does not fit the front-end; a front-end that features would not go through.
pub fn image(mel: Option<&Mel>, sampling: Sampling, frames: u64) -> Result<Image, String> {
    if sampling.is_audio() {
        let mel = mel.cloned().unwrap_or_default();
        mel.check_clip(sampling.rate, frames)?;
        return Ok(Image { bins: mel.n_mels as u64, frames: mel.frames(frames) });
    }
    match mel {
        Some(_) => Err(format!("`mel` is not used: the clips are {sampling} already")),
        None if frames == 0 => Err(NO_FRAME.into()),
        None => Ok(Image { bins: sampling.bins().into(), frames }),
    }
}
