//! Changes clips at random.

mod filter;

use etude_pipeline::flow::{Block, Flow, Header};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step,
};
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use filter::{Biquad, Pass};

/// Changes clips at random, by a chain of steps in the order in which they are given.
///
/// Each step applies with its own probability `p` and draws its own numbers, keyed on (seed, stage,
/// item, start, epoch, view). Ranges are audiomentations' defaults (gain ±12 dB, noise 5–40 dB, low-pass 150–7500 Hz, high-pass 20–2400 Hz, p 0.5).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// The steps, each a name with its parameters.
    chain: Vec<Change>,
}

/// A range [low, high] that a number is drawn from, uniformly.
type Range = [f64; 2];

/// A step of the chain.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Change {
    /// Makes it louder or softer.
    Gain(Gain),
    /// Turns it upside down.
    Polarity(Polarity),
    /// Adds white Gaussian noise.
    Noise(Noise),
    /// Takes high frequencies away: second-order Butterworth, 12 dB an octave.
    LowPass(LowPass),
    /// Takes low frequencies away: second-order Butterworth, 12 dB an octave.
    HighPass(HighPass),
}

/// Makes it louder or softer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Gain {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Lowest and highest gain in dB, −120 to 120.
    #[serde(default = "gain_db")]
    db: Range,
}

/// Turns it upside down.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Polarity {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
}

/// Adds white Gaussian noise.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Noise {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Lowest and highest ratio of the clip's mean power to the noise's, in dB, −120 to 120.
    /// A silent clip stays silent.
    #[serde(default = "noise_db")]
    snr_db: Range,
}

/// Takes high frequencies away.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LowPass {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Lowest and highest cutoff (−3 dB) in Hz, above 0. At or above half the rate nothing is taken away.
    #[serde(default = "low_pass_hz")]
    cutoff: Range,
}

/// Takes low frequencies away.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HighPass {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Lowest and highest cutoff (−3 dB) in Hz, above 0 and below half the rate.
    #[serde(default = "high_pass_hz")]
    cutoff: Range,
}

fn half() -> f64 {
    0.5
}

fn gain_db() -> Range {
    [-12.0, 12.0]
}

fn noise_db() -> Range {
    [5.0, 40.0]
}

fn low_pass_hz() -> Range {
    [150.0, 7500.0]
}

fn high_pass_hz() -> Range {
    [20.0, 2400.0]
}

impl Change {
    fn name(&self) -> &'static str {
        match self {
            Self::Gain(_) => "gain",
            Self::Polarity(_) => "polarity",
            Self::Noise(_) => "noise",
            Self::LowPass(_) => "low_pass",
            Self::HighPass(_) => "high_pass",
        }
    }

    fn p(&self) -> f64 {
        match self {
            Self::Gain(Gain { p, .. })
            | Self::Polarity(Polarity { p })
            | Self::Noise(Noise { p, .. })
            | Self::LowPass(LowPass { p, .. })
            | Self::HighPass(HighPass { p, .. }) => *p,
        }
    }

    fn check(&self, index: usize) -> Result<(), Invalid> {
        let at = |name: &str| format!("chain.{index}.{}.{name}", self.name());
        Invalid::unless((0.0..=1.0).contains(&self.p()), &at("p"), "must be from 0 to 1")?;
        let range = |name: &str, range: &Range, low: f64, high: f64, unit: &str| {
            let right = low <= range[0] && range[0] <= range[1] && range[1] <= high;
            let message = format!("must be [low, high] with {low} ≤ low ≤ high ≤ {high} {unit}");
            Invalid::unless(right, &at(name), message)
        };
        match self {
            Self::Gain(gain) => range("db", &gain.db, -120.0, 120.0, "dB"),
            Self::Polarity(_) => Ok(()),
            Self::Noise(noise) => range("snr_db", &noise.snr_db, -120.0, 120.0, "dB"),
            Self::LowPass(LowPass { cutoff, .. }) | Self::HighPass(HighPass { cutoff, .. }) => {
                range("cutoff", cutoff, 1.0, 192_000.0, "Hz")
            }
        }
    }

    /// Applies the step to a whole clip. What is drawn is drawn in any case, so that what one step
    /// does leaves the numbers of the next ones alone.
    fn apply(&self, clip: &mut Block, rate: u32, random: &mut Random) {
        let applies = random.chance(self.p());
        let mut draw = |range: &Range| random.range(range[0], range[1]);
        match self {
            Self::Gain(gain) => {
                let factor = decibels(draw(&gain.db)) as f32;
                if applies {
                    clip.samples_mut().iter_mut().for_each(|sample| *sample *= factor);
                }
            }
            Self::Polarity(_) if applies => {
                clip.samples_mut().iter_mut().for_each(|sample| *sample = -*sample)
            }
            Self::Polarity(_) => {}
            Self::Noise(noise) => {
                let snr = decibels(draw(&noise.snr_db));
                if applies {
                    let count = clip.samples().len().max(1) as f64;
                    let power =
                        clip.samples().iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / count;
                    let deviation = power.sqrt() / snr;
                    clip.samples_mut()
                        .iter_mut()
                        .for_each(|sample| *sample += (deviation * random.normal()) as f32);
                }
            }
            Self::LowPass(low) => {
                let cutoff = draw(&low.cutoff);
                if applies {
                    filter(clip, Pass::Low, cutoff, rate);
                }
            }
            Self::HighPass(high) => {
                let cutoff = draw(&high.cutoff);
                if applies {
                    filter(clip, Pass::High, cutoff, rate);
                }
            }
        }
    }
}

/// dB of amplitude as a factor.
fn decibels(db: f64) -> f64 {
    10f64.powf(db / 20.0)
}

fn filter(clip: &mut Block, pass: Pass, cutoff: f64, rate: u32) {
    let Some(biquad) = Biquad::butterworth(pass, cutoff, f64::from(rate)) else { return };
    for channel in 0..clip.channels() {
        biquad.run(clip.channel_mut(channel));
    }
}

impl Declare for Augment {
    const NAME: &'static str = "augment";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Augment {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.chain.is_empty(), "chain", "needs at least one step")?;
        self.chain.iter().enumerate().try_for_each(|(index, change)| change.check(index))
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, String> {
        let signal = crate::clips(inputs)?;
        for change in &self.chain {
            if let (Change::HighPass(high), Some(rate)) = (change, signal.rate)
                && high.cutoff[1] >= f64::from(rate) / 2.0
            {
                return Err(format!(
                    "high_pass: `cutoff` must stay below half the rate, {} Hz",
                    f64::from(rate) / 2.0
                ));
            }
        }
        Ok(Flow::Signal(signal))
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        let augment = self.clone();
        Body::Map(Box::new(move |context| {
            Box::new(Work { augment: augment.clone(), context, header: None, planes: Vec::new() })
        }))
    }
}

/// Noise depends on the power of the whole clip, so a clip is collected first.
struct Work {
    augment: Augment,
    context: Context,
    header: Option<Header>,
    planes: Vec<Vec<f32>>,
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, _: &mut dyn Output) -> Step {
        self.planes = vec![Vec::new(); usize::from(header.channels)];
        self.header = Some(header.clone());
        Ok(())
    }

    fn block(&mut self, block: Block, _: &mut dyn Output) -> Step {
        for (channel, plane) in self.planes.iter_mut().enumerate() {
            plane.extend_from_slice(block.channel(channel));
        }
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        let Some(header) = self.header.take() else { return Ok(()) };
        let mut clip = Block::planar(self.planes.len(), std::mem::take(&mut self.planes).concat());
        let mut random = self.context.random(&header.item, header.start, header.view);
        for change in &self.augment.chain {
            change.apply(&mut clip, header.rate, &mut random);
        }
        output.begin(&header)?;
        crate::give(&clip, self.context.block, output)?;
        output.end()
    }
}

#[cfg(test)]
mod tests;
