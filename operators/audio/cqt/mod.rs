//! Constant-Q, variable-Q and harmonic constant-Q transforms.

mod bank;
mod bins;
mod kernel;
mod padding;
mod plan;
#[cfg(test)]
mod tests;
mod transform;
mod work;

use etude_pipeline::flow::{Flow, SignalType};
use etude_pipeline::operator::{Body, Declare, Inputs, Invalid, Operator, Port, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::framed::{self, Framing};
use padding::Padding;

/// Turns mono clips into constant-Q spectrograms: bins a constant part of an octave apart.
///
/// Bin k is at f = `f_min` · 2^(k / `bins_per_octave`) Hz. It is the correlation with exp(2πift) under a periodic Hann
/// window of `filter_scale` · rate / (α · f + `gamma`) samples, rounded up, where α = (r² − 1) / (r² + 1) and
/// r = 2^(1 / `bins_per_octave`): with `gamma` 0 a constant number of periods (Brown 1991), with more a variable-Q
/// transform, whose low bins have shorter windows (Schörkhuber et al. 2014). This is librosa's definition. nnAudio has
/// r − 1 for α: for its transform, multiply `filter_scale` and `gamma` by α / (r − 1), 0.9704 for 12 bins an octave.
///
/// A clip has 1 + samples / `hop` frames, rounded down, each about a multiple of `hop`; one without samples has none.
/// Windows may be longer than the clip: `padding` continues it for as long as it takes. The output's channels are
/// planes of `n_bins` each: one for each of `harmonics`, or with `values: complex` two, first the real parts, then the
/// imaginary parts. Phases are those in the frame's middle.
///
/// It is computed by FFT, in single precision, and differs from direct correlation by less than 10⁻⁵ of the largest
/// value. (librosa goes down octave by octave and differs by 10⁻² and more.)
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cqt {
    /// Samples from one frame to the next, 2 to 65536.
    #[serde(default = "default_hop")]
    #[schemars(range(min = 2, max = 65536))]
    hop: u32,
    /// The lowest bin in Hz, more than 0; C1 by default.
    #[serde(default = "default_f_min")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    f_min: f64,
    /// Bins, 1 to 4096. All have to lie below half the rate, and all planes together have at most 65535.
    #[serde(default = "default_n_bins")]
    #[schemars(range(min = 1, max = 4096))]
    n_bins: u16,
    /// Bins of an octave, 1 to 1200.
    #[serde(default = "default_bins_per_octave")]
    #[schemars(range(min = 1, max = 1200))]
    bins_per_octave: u16,
    /// How much wider than with constant Q each bin is, in Hz, 0 to 10000.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10000))]
    gamma: f64,
    /// Lengthens all windows, 0.01 to 100.
    #[serde(default = "one")]
    #[schemars(range(min = 0.01, max = 100))]
    filter_scale: f64,
    /// What values are divided by.
    #[serde(default)]
    scale: Scale,
    /// What the clip is continued with at its begin and its end.
    #[serde(default)]
    padding: Padding,
    /// What of the complex correlation is given.
    #[serde(default)]
    values: Values,
    /// Factors of `f_min`, 1 to 32 of them, each more than 0 and at most 64, each a transform of its own: with
    /// [0.5, 1, 2, 3, 4, 5] a harmonic transform (Bittner et al. 2017).
    #[serde(default = "only_itself")]
    #[schemars(length(min = 1, max = 32))]
    harmonics: Vec<f64>,
}

/// What values are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Scale {
    /// The window's sum over the root of its length: a sinusoid of amplitude 1 at a bin's frequency has the magnitude
    /// √length / 2, and white noise has the same in all bins. librosa's `norm=1, scale=True`, nnAudio's `librosa`.
    #[default]
    Ortho,
    /// Half the window's sum: a sinusoid of amplitude 1 at a bin's frequency has the magnitude 1. nnAudio's `wrap`.
    Amplitude,
}

/// What of a complex number is given.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Values {
    /// Its absolute value.
    #[default]
    Magnitude,
    /// The square of that.
    Power,
    /// Real and imaginary part, in planes of their own.
    Complex,
}

fn default_hop() -> u32 {
    512
}

fn default_f_min() -> f64 {
    // 45 semitones below the A of 440 Hz.
    440.0 * 2f64.powf(-45.0 / 12.0)
}

fn default_n_bins() -> u16 {
    84
}

fn default_bins_per_octave() -> u16 {
    12
}

fn one() -> f64 {
    1.0
}

fn only_itself() -> Vec<f64> {
    vec![1.0]
}

impl Cqt {
    fn planes(&self) -> usize {
        self.harmonics.len() * if self.values == Values::Complex { 2 } else { 1 }
    }

    fn channels(&self) -> usize {
        self.planes() * usize::from(self.n_bins)
    }

    /// Frames are about multiples of `hop`, however long the windows.
    fn framing(&self) -> Framing {
        Framing { n_fft: 2, hop: self.hop as usize, padding: framed::Padding::Zero }
    }
}

impl Declare for Cqt {
    const NAME: &'static str = "cqt";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Cqt {
    fn check(&self) -> Result<(), Invalid> {
        let unless = Invalid::unless;
        unless((2..=65536).contains(&self.hop), "hop", "must be from 2 to 65536")?;
        unless(self.f_min > 0.0 && self.f_min.is_finite(), "f_min", "must be more than 0 Hz")?;
        unless((1..=4096).contains(&self.n_bins), "n_bins", "must be from 1 to 4096")?;
        unless((1..=1200).contains(&self.bins_per_octave), "bins_per_octave", "must be from 1 to 1200")?;
        unless((0.0..=10_000.0).contains(&self.gamma), "gamma", "must be from 0 to 10000 Hz")?;
        unless((0.01..=100.0).contains(&self.filter_scale), "filter_scale", "must be from 0.01 to 100")?;
        unless((1..=32).contains(&self.harmonics.len()), "harmonics", "must be from 1 to 32 factors")?;
        let factors = self.harmonics.iter().all(|factor| *factor > 0.0 && *factor <= 64.0);
        unless(factors, "harmonics", "must each be more than 0 and at most 64")?;
        let fit = self.channels() <= usize::from(u16::MAX);
        unless(fit, "n_bins", "times planes must be at most 65535")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = self.framing().output(crate::signal(inputs)?.audio()?.clips()?, self.channels())?;
        self.suits(signal.one_rate()?)?;
        Ok(Flow::Signal(SignalType { planes: self.planes() as u16, ..signal }))
    }

    fn memory(&self) -> u64 {
        work::memory(self)
    }

    fn body(&self) -> Body {
        work::body(self)
    }
}
