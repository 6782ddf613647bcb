//! Mel spectrograms: one definition for the data path and for encoders.

mod bands;
mod check;
mod filterbank;
mod scale;
#[cfg(test)]
mod tests;

use bands::Bands;
use etude_pipeline::flow::{Flow, SignalType};
use etude_pipeline::operator::{Body, Context, Declare, Inputs, Invalid, Map, Operator, Port, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::compress::Compress;
use crate::framed::{Framed, Framing, Padding};
use crate::standardise::{Over, Standardise};
use crate::stft::Window;
use crate::whole::Both;

pub use filterbank::{Norm, filterbank};
pub use scale::Scale;

/// Turns mono audio into mel spectrograms, compressed and perhaps standardised.
///
/// A frame every `hop` samples, of `n_mels` bands: periodic Hann window, power spectrum, and the sum over each band's
/// triangle, whose corners are evenly spaced on the scale (librosa's `melspectrogram`, torchaudio's `MelSpectrogram`).
/// As the front-end of an encoder it is computed on the device. A signal too short for a frame has none and is counted
/// (`too_short`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mel {
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
    /// What a frame sees before the first sample and behind the last.
    #[serde(default)]
    pub padding: Padding,
    /// 2: bands are sums of the power spectrum; 1: of its magnitudes.
    #[serde(default = "default_power")]
    #[schemars(range(min = 1, max = 2))]
    pub power: u32,
    /// Mel bands, 1 to 1024.
    #[serde(default = "default_n_mels")]
    #[schemars(range(min = 1, max = 1024))]
    pub n_mels: usize,
    /// Where the lowest band begins, in Hz.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub f_min: f64,
    /// Where the highest band ends, in Hz; half the rate by default.
    #[serde(default)]
    pub f_max: Option<f64>,
    /// The scale on which the bands are evenly spaced.
    #[serde(default)]
    pub scale: Scale,
    /// How high the bands' triangles are.
    #[serde(default)]
    pub norm: Norm,
    /// What the range of a band's values is compressed by; ln(x + 10⁻⁶) by default.
    #[serde(default)]
    #[schemars(with = "Compress")]
    pub compress: Option<Compress>,
    /// What is brought to mean 0 and deviation 1 afterwards, by `op: standardise`'s formula. By default nothing; where
    /// this is the front-end of an encoder, each clip.
    #[serde(default)]
    #[schemars(with = "Standardise")]
    pub standardise: Option<Standardise>,
}

fn default_n_fft() -> usize {
    512
}

fn default_hop() -> usize {
    160
}

fn default_power() -> u32 {
    2
}

fn default_n_mels() -> usize {
    64
}

/// Other numbers make other encoders of what names none: raise the version of `train`.
impl Default for Mel {
    fn default() -> Self {
        Self {
            n_fft: default_n_fft(),
            window_length: None,
            hop: default_hop(),
            padding: Padding::default(),
            power: default_power(),
            n_mels: default_n_mels(),
            f_min: 0.0,
            f_max: None,
            scale: Scale::default(),
            norm: Norm::default(),
            compress: None,
            standardise: None,
        }
    }
}

impl Mel {
    /// Where its frames lie.
    pub fn framing(&self) -> Framing {
        Framing { n_fft: self.n_fft, hop: self.hop, padding: self.padding }
    }

    /// Frames of a signal of that many samples.
    pub fn frames(&self, samples: u64) -> u64 {
        self.framing().frames(samples)
    }

    /// What frames are weighed with, `n_fft` values.
    pub fn window(&self) -> Vec<f32> {
        Window::Hann.values(self.window_length.unwrap_or(self.n_fft), self.n_fft)
    }

    /// What the bands are compressed by.
    pub fn compress(&self) -> Compress {
        self.compress.unwrap_or_default()
    }

    fn over(&self) -> Option<Over> {
        self.standardise.and_then(Standardise::over)
    }

    /// What comes of audio that is turned into bands and compressed; `prefix` leads to the parameters.
    pub fn compressed_output(
        &self,
        signal: SignalType,
        compress: &Compress,
        prefix: &str,
    ) -> Result<SignalType, Invalid> {
        let signal = self.framing().output(signal, self.n_mels)?;
        self.check_rate(signal.one_rate()?, prefix)?;
        compress.suits(signal.unit).map_err(Invalid::by("compress"))?;
        Ok(signal)
    }

    /// What turns signals into bands and compresses them.
    pub fn compressed(&self, compress: &Compress, context: Context) -> Box<dyn Map> {
        let block = context.block;
        let bands = Framed::new(Bands::new(self), self.framing(), context);
        Both::of(Box::new(bands), compress.map(block))
    }
}

impl Declare for Mel {
    const NAME: &'static str = "mel";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Mel {
    fn check(&self) -> Result<(), Invalid> {
        self.check_below("")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = self.compressed_output(crate::signal(inputs)?.audio()?, &self.compress(), "")?;
        if let Some(over) = self.over() {
            over.suits(signal.unit).map_err(Invalid::by("standardise"))?;
        }
        Ok(Flow::Signal(signal))
    }

    fn memory(&self) -> u64 {
        self.framing().memory(self.n_mels)
    }

    fn body(&self) -> Body {
        let mel = self.clone();
        Body::Map(Box::new(move |context| {
            let even = mel.over().map(|over| over.map(&context));
            Both::of(mel.compressed(&mel.compress(), context), even)
        }))
    }
}
