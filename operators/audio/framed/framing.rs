//! Where the frames of a signal lie.

use etude_pipeline::flow::{Header, SignalType};
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a frame sees before the first sample and behind the last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Nothing: frames begin at multiples of `hop`, 1 + (samples − n_fft) / hop of them, as with `center=False`.
    #[default]
    None,
    /// n_fft / 2 zeros: frames are centred on multiples of `hop`, 1 + samples / hop of them, as with `center=True`.
    Zero,
    /// n_fft / 2 samples mirrored about the outermost one: frames as with `zero`. There have to be more than n_fft / 2.
    Reflect,
}

/// Where the frames of a signal lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// Samples of a frame.
    pub n_fft: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    pub padding: Padding,
}

impl Framing {
    /// Checks the ranges; `prefix` leads to the parameters, such as `mel.`.
    pub fn check(&self, prefix: &str) -> Result<(), Invalid> {
        let range = |name: &str, value: usize, low: usize| {
            let message = format!("must be from {low} to 65536");
            Invalid::unless((low..=65536).contains(&value), &format!("{prefix}{name}"), message)
        };
        range("n_fft", self.n_fft, 16)?;
        // With a hop of 1 they could not be told from audio.
        range("hop", self.hop, 2)
    }

    /// Samples that are put on each side.
    pub fn side(&self) -> usize {
        if self.padding == Padding::None { 0 } else { self.n_fft / 2 }
    }

    /// The fewest samples that hold a frame.
    pub fn fewest(&self) -> usize {
        match self.padding {
            Padding::None => self.n_fft,
            // An odd frame is one sample longer than both sides.
            Padding::Zero => 1,
            Padding::Reflect => self.side() + 1,
        }
    }

    /// Frames of a signal of that many samples.
    pub fn frames(&self, samples: u64) -> u64 {
        let padded = samples.saturating_add(2 * self.side() as u64);
        match padded.checked_sub(self.n_fft as u64) {
            Some(rest) if samples >= self.fewest() as u64 => 1 + rest / self.hop as u64,
            _ => 0,
        }
    }

    /// Makes of a mask of samples that of frames: those whose centre is masked, of as many as the header says.
    pub fn mask(&self, header: &mut Header) {
        let centre = (self.n_fft / 2 - self.side()) as u64;
        let most = header.frames.unwrap_or(u64::MAX);
        let frame = |sample: u64| sample.saturating_sub(centre).div_ceil(self.hop as u64).min(most);
        header.change_mask(|from, to| (frame(from), frame(to)));
    }

    /// What comes of audio: `width` values a frame.
    pub fn output(&self, signal: SignalType, width: usize) -> Result<SignalType, String> {
        if signal.channels != Some(1) {
            return Err("expects mono audio: decode with `channels: mono`".into());
        }
        let channels = Some(u16::try_from(width).map_err(|error| error.to_string())?);
        let hop = u32::try_from(self.hop).map_err(|error| error.to_string())?;
        let frames = signal.frames.map(|frames| self.frames(frames));
        let most_frames = signal.most_frames.map(|frames| self.frames(frames));
        Ok(SignalType { hop, channels, frames, most_frames, ..signal })
    }

    /// Bytes that framing a signal into `width` values holds, transform included.
    pub fn memory(&self, width: usize) -> u64 {
        // Samples that wait, the transform's buffers and tables, a row for each bin and value.
        let lanes = super::LANES;
        let floats = 2 * lanes * self.hop + 16 * self.n_fft + lanes * (width + self.n_fft / 2);
        4 * floats as u64
    }
}
