//! What parameters of a mel spectrogram are refused.

use etude_pipeline::operator::Invalid;

use super::Mel;
use crate::compress::{Compress, Db, Of};
use crate::framed::Padding;
use crate::stft::window;

impl Mel {
    /// Checks the ranges; `prefix` leads to the parameters, such as `mel.`.
    pub fn check_below(&self, prefix: &str) -> Result<(), Invalid> {
        let at = |name: &str| format!("{prefix}{name}");
        self.framing().check(prefix)?;
        window::check_length(self.window_length, self.n_fft, prefix)?;
        Invalid::unless((1..=2).contains(&self.power), &at("power"), "must be 1 or 2")?;
        Invalid::unless((1..=1024).contains(&self.n_mels), &at("n_mels"), "must be from 1 to 1024")?;
        Invalid::unless(self.f_min >= 0.0 && self.f_min.is_finite(), &at("f_min"), "must be 0 Hz or more")?;
        let right = self.f_max.is_none_or(|f_max| f_max > self.f_min && f_max.is_finite());
        Invalid::unless(right, &at("f_max"), "must be above f_min")?;
        self.check_compress(&self.compress(), &at("compress"))
    }

    /// Checks what compresses the bands, which stands at `place`.
    pub fn check_compress(&self, compress: &Compress, place: &str) -> Result<(), Invalid> {
        compress.check(place)?;
        let (of, name) = if self.power == 2 { (Of::Power, "power") } else { (Of::Magnitude, "magnitude") };
        let right = !matches!(compress, Compress::Db(Db { of: said, .. }) if *said != of);
        let message = format!("must be `{name}`, which is what the bands are with `power: {}`", self.power);
        Invalid::unless(right, &format!("{place}.db.of"), message)
    }

    /// Checks the bands against a rate; `prefix` leads to the parameters.
    pub fn check_rate(&self, rate: u32, prefix: &str) -> Result<(), Invalid> {
        let nyquist = f64::from(rate) / 2.0;
        let at = |name: &str| format!("{prefix}{name}");
        let (low, high) = (self.f_min, self.f_max.unwrap_or(nyquist));
        let message = format!("`f_max` must not lie above half the rate, {nyquist} Hz");
        Invalid::unless(high <= nyquist, &at("f_max"), message)?;
        let message = format!("`f_min` must lie below half the rate, {nyquist} Hz");
        Invalid::unless(low < high, &at("f_min"), message)
    }

    /// Checks the bands against a rate, and that a clip of so many samples has a frame.
    pub fn check_clip(&self, rate: u32, samples: u64) -> Result<(), String> {
        self.check_rate(rate, "").map_err(|invalid| invalid.message)?;
        if self.frames(samples) > 0 {
            return Ok(());
        }
        Err(match self.padding {
            Padding::Reflect => {
                format!(
                    "clips of {samples} samples are too short to be mirrored: more than `n_fft` / 2 are needed"
                )
            }
            _ => format!("clips of {samples} samples are shorter than `n_fft`, {}", self.n_fft),
        })
    }
}
