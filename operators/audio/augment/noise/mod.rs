//! Noise.

mod normal;

use std::cell::RefCell;

use etude_pipeline::operator::{Invalid, Step};
use rustfft::num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::normal::Normal;
use super::clip::Clip;
use super::drawing::Drawing;
use super::level::{power, rms};
use super::range::{Range, decibels, half, within};
use super::step::Change;

/// Adds noise.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// How its power falls with frequency.
    #[serde(default)]
    colour: Colour,
    /// Lowest and highest ratio of the clip's mean power to the noise's, in dB, −120 to 120. A silent clip stays silent.
    /// 5 to 40 where `std_ratio` is not given either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snr_db: Option<Range>,
    /// The same as the noise's standard deviation over the clip's, 0 to 1000 (torchaudio-augmentations calls that SNR).
    /// Not beside `snr_db`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    std_ratio: Option<Range>,
}

/// How a noise's power falls with frequency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Colour {
    /// Not at all; the samples are Gaussian.
    #[default]
    White,
    /// 3 dB an octave.
    Pink,
    /// 6 dB an octave.
    Brown,
}

const SNR_DB: Range = [5.0, 40.0];

/// What a thread makes noise in, kept from clip to clip.
#[derive(Default)]
struct Work {
    noise: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

thread_local!(static WORK: RefCell<Work> = RefCell::default());

impl Work {
    /// Noise of mean power 1.
    fn make(&mut self, colour: Colour, frames: usize, normal: &mut Normal) -> &[f32] {
        match colour {
            Colour::White => {
                self.noise.resize(frames, 0.0);
                normal.fill(&mut self.noise);
            }
            Colour::Pink => self.colour(|bin| bin.sqrt().recip(), frames, normal),
            Colour::Brown => self.colour(f32::recip, frames, normal),
        }
        &self.noise
    }

    /// Noise whose amplitude falls with the bin, made in the frequency domain: a power of two is fast, and what is too long
    /// is cut off.
    fn colour(&mut self, fall: impl Fn(f32) -> f32, frames: usize, normal: &mut Normal) {
        let size = frames.next_power_of_two().max(2);
        self.noise.resize(size + 2, 0.0);
        normal.fill(&mut self.noise);
        self.bins.clear();
        let pairs = self.noise.as_chunks::<2>().0.iter().zip(0i32..);
        self.bins.extend(pairs.map(|([re, im], bin)| Complex::new(*re, *im) * fall(bin as f32)));
        // Nothing at 0 Hz; of a real signal the last bin is real.
        self.bins[0] = Complex::default();
        self.bins[size / 2].im = 0.0;
        self.noise.truncate(size);
        crate::spectrum::real(size, |_, inverse| {
            self.scratch.resize(inverse.get_scratch_len(), Complex::default());
            // The lengths are those of the plan: nothing can be wrong.
            let _ = inverse.process_with_scratch(&mut self.bins, &mut self.noise, &mut self.scratch);
        });
        self.noise.truncate(frames);
        let loudness = rms(&self.noise);
        let scale = if loudness > 0.0 { loudness.recip() as f32 } else { 0.0 };
        self.noise.iter_mut().for_each(|sample| *sample *= scale);
    }
}

impl Change for Noise {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        match (self.snr_db, self.std_ratio) {
            (Some(_), Some(_)) => {
                Invalid::unless(false, "std_ratio", "is another unit of `snr_db`: give one of them")
            }
            (_, Some(ratio)) => within(ratio, (0.0, 1000.0), "", "std_ratio"),
            (snr, None) => within(snr.unwrap_or(SNR_DB), (-120.0, 120.0), "dB", "snr_db"),
        }
    }

    fn draws(&self) -> &'static [&'static str] {
        if self.std_ratio.is_some() { &["std_ratio"] } else { &["snr_db"] }
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let ratio = match self.std_ratio {
            Some(range) => draw.number(0, range),
            None => decibels(draw.number(0, self.snr_db.unwrap_or(SNR_DB))).recip(),
        };
        let deviation = (power(clip.samples()).sqrt() * ratio) as f32;
        let mut normal = Normal::new(&mut draw.random);
        WORK.with_borrow_mut(|work| {
            for channel in 0..clip.channels() {
                let noise = work.make(self.colour, clip.frames(), &mut normal);
                let samples = clip.channel_mut(channel).iter_mut().zip(noise);
                samples.for_each(|(sample, noise)| *sample += deviation * noise);
            }
        });
        Ok(())
    }
}
