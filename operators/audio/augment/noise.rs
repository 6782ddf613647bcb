//! Noise.

use etude_pipeline::flow::Block;
use etude_pipeline::operator::Invalid;
use etude_pipeline::random::Random;
use rustfft::num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range::{Range, decibels, draw, half, within};
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

impl Noise {
    /// Noise of mean power 1.
    fn make(&self, frames: usize, random: &mut Random) -> Vec<f32> {
        let mut noise: Vec<f32> = (0..frames).map(|_| random.normal() as f32).collect();
        let exponent = match self.colour {
            Colour::White => return noise,
            Colour::Pink => -0.5,
            Colour::Brown => -1.0,
        };
        // Coloured in the frequency domain; a power of two is fast, and what is too long is cut off.
        let size = frames.next_power_of_two();
        noise.extend((frames..size).map(|_| random.normal() as f32));
        crate::spectrum::real(size, |forward, inverse| {
            let mut bins = forward.make_output_vec();
            // The lengths are those of the plans: nothing can be wrong.
            let _ = forward.process(&mut noise, &mut bins);
            for (bin, value) in bins.iter_mut().enumerate() {
                *value *= if bin == 0 { 0.0 } else { (bin as f32).powf(exponent) };
            }
            if let Some(last) = bins.last_mut() {
                *last = Complex::new(last.re, 0.0);
            }
            let _ = inverse.process(&mut bins, &mut noise);
        });
        noise.truncate(frames);
        let power = noise.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / frames.max(1) as f64;
        let scale = if power > 0.0 { power.sqrt().recip() as f32 } else { 0.0 };
        noise.iter_mut().for_each(|sample| *sample *= scale);
        noise
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

    fn apply(&self, clip: &mut Block, _: u32, random: &mut Random) {
        let ratio = match self.std_ratio {
            Some(range) => draw(range, random),
            None => decibels(draw(self.snr_db.unwrap_or(SNR_DB), random)).recip(),
        };
        let count = clip.samples().len().max(1) as f64;
        let power = clip.samples().iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / count;
        let deviation = (power.sqrt() * ratio) as f32;
        for channel in 0..clip.channels() {
            let noise = self.make(clip.frames(), random);
            clip.channel_mut(channel)
                .iter_mut()
                .zip(noise)
                .for_each(|(sample, noise)| *sample += deviation * noise);
        }
    }
}
