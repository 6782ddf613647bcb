//! Chromagrams: how strong each pitch class is.

mod filterbank;
mod norm;
#[cfg(test)]
mod tests;

use etude_pipeline::flow::Flow;
use etude_pipeline::operator::{Body, Declare, Inputs, Invalid, Operator, Port, Scope, Step};
use filterbank::filterbank;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::framed::{Columns, Framed, Framing, LANES, Matrix, Padding, Row};
use crate::stft::Spectra;
use crate::stft::window::{self, Window};

use norm::Norm;

/// Turns mono audio into chromagrams: how strong each pitch class is, whatever its octave.
///
/// A frame every `hop` samples, of `n_chroma` values from C upwards: periodic Hann window, power spectrum, each bin
/// spread over the classes that it may belong to, and the frame normalised. librosa's `feature.chroma_stft` with a
/// given tuning is `padding: zero`. A signal too short for a frame has none and is counted (`too_short`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chroma {
    /// Samples of a frame, 16 to 65536.
    #[serde(default = "default_n_fft")]
    #[schemars(range(min = 16, max = 65536))]
    n_fft: usize,
    /// Samples of the window, 2 to n_fft, in the middle of the frame; beside it the frame counts as zero. `n_fft` by
    /// default.
    #[serde(default)]
    #[schemars(range(min = 2, max = 65536))]
    window_length: Option<usize>,
    /// Samples from one frame to the next, 2 to 65536.
    #[serde(default = "default_hop")]
    #[schemars(range(min = 2, max = 65536))]
    hop: usize,
    /// What a frame sees before the first sample and behind the last.
    #[serde(default)]
    padding: Padding,
    /// Pitch classes of an octave, a multiple of 12 from 12 to 120.
    #[serde(default = "default_n_chroma")]
    #[schemars(range(min = 12, max = 120))]
    n_chroma: usize,
    /// How far the music is tuned above A = 440 Hz, in pitch classes, −1 to 1.
    #[serde(default)]
    #[schemars(range(min = -1, max = 1))]
    tuning: f64,
    /// The octave whose bins count most, in octaves above 27.5 Hz (A0), 0 to 12; 5 is about 880 Hz.
    #[serde(default = "default_octave_centre")]
    #[schemars(range(min = 0, max = 12))]
    octave_centre: f64,
    /// How far from there bins count 0.61 times as much, in octaves, 0.1 to 100; `null`: all count the same.
    #[serde(default = "default_octave_width")]
    #[schemars(range(min = 0.1, max = 100))]
    octave_width: Option<f64>,
    /// What a frame is divided by.
    #[serde(default)]
    norm: Norm,
}

fn default_n_fft() -> usize {
    2048
}

fn default_hop() -> usize {
    512
}

fn default_n_chroma() -> usize {
    12
}

fn default_octave_centre() -> f64 {
    5.0
}

fn default_octave_width() -> Option<f64> {
    Some(2.0)
}

impl Chroma {
    fn framing(&self) -> Framing {
        Framing { n_fft: self.n_fft, hop: self.hop, padding: self.padding }
    }
}

impl Declare for Chroma {
    const NAME: &'static str = "chroma";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Chroma {
    fn check(&self) -> Result<(), Invalid> {
        self.framing().check("")?;
        window::check_length(self.window_length, self.n_fft, "")?;
        let right = (12..=120).contains(&self.n_chroma) && self.n_chroma.is_multiple_of(12);
        Invalid::unless(right, "n_chroma", "must be a multiple of 12 from 12 to 120")?;
        Invalid::unless((-1.0..=1.0).contains(&self.tuning), "tuning", "must be from -1 to 1")?;
        let right = (0.0..=12.0).contains(&self.octave_centre);
        Invalid::unless(right, "octave_centre", "must be from 0 to 12")?;
        let used = self.octave_width.is_some() || self.octave_centre == default_octave_centre();
        Invalid::unless(
            used,
            "octave_centre",
            "is not used: without `octave_width` all octaves count alike",
        )?;
        let right = self.octave_width.is_none_or(|width| (0.1..=100.0).contains(&width));
        Invalid::unless(right, "octave_width", "must be from 0.1 to 100")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = self.framing().output(crate::signal(inputs)?.audio()?, self.n_chroma)?;
        signal.one_rate()?;
        Ok(Flow::Signal(signal))
    }

    fn memory(&self) -> u64 {
        self.framing().memory(self.n_chroma)
    }

    fn body(&self) -> Body {
        let chroma = self.clone();
        Body::Map(Box::new(move |context| {
            Box::new(Framed::new(Work::new(chroma.clone()), chroma.framing(), context))
        }))
    }
}

struct Work {
    chroma: Chroma,
    spectra: Spectra,
    /// The filterbank for signals of `rate`.
    weights: Matrix,
    rate: u32,
    bins: Vec<Row>,
}

impl Work {
    fn new(chroma: Chroma) -> Self {
        let length = chroma.window_length.unwrap_or(chroma.n_fft);
        let spectra = Spectra::new(Window::Hann.values(length, chroma.n_fft));
        let bins = vec![[0.0; LANES]; spectra.bins()];
        Self { chroma, spectra, weights: Matrix::default(), rate: 0, bins }
    }
}

impl Columns for Work {
    fn width(&self) -> usize {
        self.chroma.n_chroma
    }

    fn begin(&mut self, rate: u32) {
        if rate != self.rate {
            self.weights = Matrix::new(&filterbank(&self.chroma, rate), self.spectra.bins());
            self.rate = rate;
        }
    }

    fn columns(&mut self, samples: &[f32], hop: usize, frames: usize, rows: &mut [Row]) -> Step {
        self.spectra.powers(samples, hop, frames, &mut self.bins)?;
        self.weights.product(&self.bins, rows);
        self.chroma.norm.apply(rows);
        Ok(())
    }
}
