//! Mel-frequency cepstral coefficients.

mod cepstrum;
#[cfg(test)]
mod tests;

use cepstrum::Cepstrum;
use etude_pipeline::flow::{Flow, SignalType};
use etude_pipeline::operator::{Body, Declare, Inputs, Invalid, Operator, Port, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::compress::{Compress, Db};
use crate::mel::Mel;
use crate::whole::Both;

/// Turns mono audio into mel-frequency cepstral coefficients: the cosine transform (DCT-II) of a compressed mel
/// spectrogram over its bands.
///
/// A frame every `mel.hop` samples, of `n_mfcc` values. librosa's `feature.mfcc` is `mel: {n_fft: 2048, hop: 512,
/// n_mels: 128, scale: slaney, norm: slaney, padding: zero}`; torchaudio's `MFCC` is `n_mfcc: 40` with
/// `mel: {n_fft: 400, hop: 200, n_mels: 128, padding: reflect}`, and with `log_mels=True` also `compress: log`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mfcc {
    /// Coefficients, from the lowest, 1 to `mel.n_mels`.
    #[serde(default = "default_n_mfcc")]
    #[schemars(range(min = 1, max = 1024))]
    n_mfcc: usize,
    /// The mel spectrogram, without `compress` and `standardise`.
    #[serde(default)]
    mel: Mel,
    /// What the range of a band's values is compressed by. The default looks at whole clips; `{db: {}}` does not.
    #[serde(default = "default_compress")]
    compress: Compress,
    /// How the coefficients are scaled.
    #[serde(default)]
    norm: Norm,
    /// Above 0 the coefficient n, from 0 on, is multiplied by 1 + lifter / 2 · sin(π (n + 1) / lifter), which raises
    /// the higher ones (HTK's `CEPLIFTER`); 0 to 1000.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    lifter: f64,
}

/// How the coefficients of a cosine transform are scaled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Norm {
    /// By √(2 / n_mels), and the first by √(1 / n_mels): the transform is orthonormal.
    #[default]
    Ortho,
    /// Multiplied by 2.
    None,
}

fn default_n_mfcc() -> usize {
    20
}

fn default_compress() -> Compress {
    Compress::Db(Db { top_db: Some(80.0), ..Db::default() })
}

impl Declare for Mfcc {
    const NAME: &'static str = "mfcc";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Mfcc {
    fn check(&self) -> Result<(), Invalid> {
        let beside = "stands beside `mel` here, not in it";
        Invalid::unless(self.mel.compress.is_none(), "mel.compress", beside)?;
        let none = "is not for the bands of which coefficients are made: `op: standardise` may follow";
        Invalid::unless(self.mel.standardise.is_none(), "mel.standardise", none)?;
        self.mel.check_below("mel.")?;
        self.mel.check_compress(&self.compress, "compress")?;
        let right = (1..=self.mel.n_mels).contains(&self.n_mfcc);
        Invalid::unless(right, "n_mfcc", format!("must be from 1 to mel.n_mels, {}", self.mel.n_mels))?;
        Invalid::unless((0.0..=1000.0).contains(&self.lifter), "lifter", "must be from 0 to 1000")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = self.mel.compressed_output(crate::signal(inputs)?.audio()?, &self.compress, "mel.")?;
        let channels = Some(u16::try_from(self.n_mfcc).map_err(|error| error.to_string())?);
        Ok(Flow::Signal(SignalType { channels, ..signal }))
    }

    fn memory(&self) -> u64 {
        self.mel.framing().memory(self.mel.n_mels)
    }

    fn body(&self) -> Body {
        let mfcc = self.clone();
        Body::Map(Box::new(move |context| {
            let bands = mfcc.mel.compressed(&mfcc.compress, context);
            Both::of(bands, Some(Box::new(Cepstrum::new(&mfcc))))
        }))
    }
}
