//! Short-time Fourier transforms.

mod spectra;
#[cfg(test)]
mod tests;
pub mod window;

use etude_pipeline::flow::{Flow, SignalType};
use etude_pipeline::operator::{Body, Declare, Inputs, Invalid, Operator, Port, Scope, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::framed::{Columns, Framed, Framing, Padding, Row};

pub use spectra::Spectra;
pub use window::Window;

/// Turns mono audio into spectra of short frames.
///
/// A frame every `hop` samples, of n_fft / 2 + 1 bins (rounded down): bin b stands for b · rate / n_fft Hz. Nothing is
/// scaled: a sine of amplitude 1 on a bin has half the window's sum there (librosa's `stft`; torchaudio's `Spectrogram`
/// with `normalized=False`). A signal too short for a frame has none and is counted (`too_short`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stft {
    /// Samples of a frame, 16 to 65536.
    #[serde(default = "default_n_fft")]
    #[schemars(range(min = 16, max = 65536))]
    pub n_fft: usize,
    /// Samples of the window, 2 to n_fft, in the middle of the frame; beside it the frame counts as zero. `n_fft` by
    /// default.
    #[serde(default)]
    #[schemars(range(min = 2, max = 65536))]
    pub window_length: Option<usize>,
    /// Samples from one frame to the next, 2 to 65536.
    #[serde(default = "default_hop")]
    #[schemars(range(min = 2, max = 65536))]
    pub hop: usize,
    /// What frames are weighed with.
    #[serde(default)]
    pub window: Window,
    /// What a frame sees before the first sample and behind the last.
    #[serde(default)]
    pub padding: Padding,
    /// What is given of each bin.
    #[serde(default)]
    pub values: Values,
}

/// What is given of each bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// The magnitude |X|.
    #[default]
    Magnitude,
    /// The power |X|².
    Power,
    /// The real parts of all bins, then the imaginary parts of all bins: two planes. `n_fft` is 65533 at most.
    Complex,
}

fn default_n_fft() -> usize {
    512
}

fn default_hop() -> usize {
    160
}

impl Stft {
    fn framing(&self) -> Framing {
        Framing { n_fft: self.n_fft, hop: self.hop, padding: self.padding }
    }

    fn width(&self) -> usize {
        usize::from(self.values.planes()) * (self.n_fft / 2 + 1)
    }
}

impl Values {
    fn planes(self) -> u16 {
        if self == Self::Complex { 2 } else { 1 }
    }
}

impl Declare for Stft {
    const NAME: &'static str = "stft";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Stft {
    fn check(&self) -> Result<(), Invalid> {
        self.framing().check("")?;
        window::check_length(self.window_length, self.n_fft, "")?;
        let fits = self.width() <= usize::from(u16::MAX);
        Invalid::unless(fits, "n_fft", "must be at most 65533 with `values: complex`")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = self.framing().output(crate::signal(inputs)?.audio()?, self.width())?;
        Ok(Flow::Signal(SignalType { planes: self.values.planes(), ..signal }))
    }

    fn memory(&self) -> u64 {
        self.framing().memory(self.width())
    }

    fn body(&self) -> Body {
        let stft = self.clone();
        Body::Map(Box::new(move |context| {
            let window = stft.window.values(stft.window_length.unwrap_or(stft.n_fft), stft.n_fft);
            let work = Work { spectra: Spectra::new(window), values: stft.values };
            Box::new(Framed::new(work, stft.framing(), context))
        }))
    }
}

struct Work {
    spectra: Spectra,
    values: Values,
}

impl Columns for Work {
    fn width(&self) -> usize {
        usize::from(self.planes()) * self.spectra.bins()
    }

    fn planes(&self) -> u16 {
        self.values.planes()
    }

    fn columns(&mut self, samples: &[f32], hop: usize, frames: usize, rows: &mut [Row]) -> Step {
        match self.values {
            Values::Magnitude => self.spectra.magnitudes(samples, hop, frames, rows),
            Values::Power => self.spectra.powers(samples, hop, frames, rows),
            Values::Complex => self.spectra.complex(samples, hop, frames, rows),
        }
    }
}
