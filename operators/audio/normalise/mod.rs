//! Brings clips or whole recordings to the same level.

mod gain;
mod recording;
#[cfg(test)]
mod tests;

use etude_pipeline::flow::{Block, Flow, Header, Unit};
use etude_pipeline::operator::{
    self, Body, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step, Survey,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::held::Held;
use crate::measure::{self, Measure};
use gain::Gain;
use recording::Recording;

/// Brings clips or whole recordings to the same peak, RMS or loudness, by one gain for all channels.
///
/// Exactly one of `peak_db`, `rms_db` and `lufs` has to be given. Nothing is clipped or compressed; what
/// goes beyond full scale does so unless `limit_peak_db` says otherwise. Left as they are, and
/// counted: silence (`silent`; for `lufs` what is never louder than −70 LUFS), and what has samples
/// that are no numbers (`not_finite`). Counted as well: gains that `max_gain_db` (`gain_limited`) or
/// `limit_peak_db` (`peak_limited`) has lowered.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Normalise {
    /// The highest magnitude of a sample in dB of full scale, −120 to 0.
    #[serde(default)]
    #[schemars(range(min = -120, max = 0))]
    peak_db: Option<f64>,
    /// The RMS over all samples of all channels in dB of full scale (0 is a square wave at full scale,
    /// −3.01 a sine), −120 to 0.
    #[serde(default)]
    #[schemars(range(min = -120, max = 0))]
    rms_db: Option<f64>,
    /// The integrated loudness in LUFS (EBU R 128), −70 to 0. What is shorter than 0.4 s is measured
    /// as one block of its own length. Of more than 6 channels the first 6 count, without LFE.
    /// Recordings below 4 kHz are rejected.
    #[serde(default)]
    #[schemars(range(min = -70, max = 0))]
    lufs: Option<f64>,
    /// What is measured, and gets a gain of its own.
    #[serde(default)]
    of: Of,
    /// The highest gain in dB, 0 to 120; noise in what is almost silent is raised no further.
    #[serde(default = "max_gain_db")]
    #[schemars(range(min = 0, max = 120))]
    max_gain_db: f64,
    /// For `rms_db` and `lufs`: the gain is lowered until no sample is beyond this, in dB of full
    /// scale, −120 to 0. Without it nothing is lowered.
    #[serde(default)]
    #[schemars(range(min = -120, max = 0))]
    limit_peak_db: Option<f64>,
}

/// What is measured, and gets a gain of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Of {
    /// Each clip.
    #[default]
    Clip,
    /// The recording, or what the clips above hold of it: a frame that is in several clips counts once.
    /// It takes a second pass: what stands above works twice on every item.
    Recording,
}

fn max_gain_db() -> f64 {
    40.0
}

impl Declare for Normalise {
    const NAME: &'static str = "normalise";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Normalise {
    fn check(&self) -> Result<(), Invalid> {
        let targets = [("peak_db", self.peak_db), ("rms_db", self.rms_db), ("lufs", self.lufs)];
        let mut given = targets.iter().filter(|(_, target)| target.is_some());
        let Some((first, _)) = given.next() else {
            let message = "or one of `rms_db` and `lufs` must be given";
            return Invalid::unless(false, "peak_db", message);
        };
        if let Some((second, _)) = given.next() {
            let message = format!("cannot be given beside `{first}`: there is one target");
            return Invalid::unless(false, second, message);
        }
        let range = |name: &str, value: Option<f64>, low: f64, high: f64| {
            let inside = value.is_none_or(|value| (low..=high).contains(&value));
            Invalid::unless(inside, name, format!("must be from {low} to {high}"))
        };
        range("peak_db", self.peak_db, -120.0, 0.0)?;
        range("rms_db", self.rms_db, -120.0, 0.0)?;
        range("lufs", self.lufs, -70.0, 0.0)?;
        range("max_gain_db", Some(self.max_gain_db), 0.0, 120.0)?;
        range("limit_peak_db", self.limit_peak_db, -120.0, 0.0)?;
        let needless = self.peak_db.is_some() && self.limit_peak_db.is_some();
        Invalid::unless(!needless, "limit_peak_db", "is for `rms_db` and `lufs`: `peak_db` says it already")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?.audio()?.unmasked()?;
        if self.lufs.is_some() {
            measure::Loudness::check_rate(signal.rate).map_err(Invalid::by("lufs"))?;
        }
        let message = match self.of {
            Of::Clip if signal.unit != Unit::Clip => {
                "`of: clip` expects clips, not whole recordings: say `of: recording`, which takes a second pass, or put \
                 `op: segment` above it"
            }
            Of::Recording if signal.views != 1 => {
                "`of: recording` expects one view of each clip: put it above `op: crop`"
            }
            _ => return Ok(Flow::Signal(signal)),
        };
        Err(Invalid::of("of", message))
    }

    fn memory(&self) -> u64 {
        if self.lufs.is_some() { measure::MEMORY } else { 0 }
    }

    fn body(&self) -> Body {
        let normalise = self.clone();
        Body::Map(Box::new(move |_| match normalise.of {
            Of::Clip => Box::new(Clips {
                normalise: normalise.clone(),
                header: Header::default(),
                measure: None,
                held: Held::default(),
            }),
            Of::Recording => Box::new(Recordings {
                recording: Recording::new(normalise.lufs.is_some()),
                normalise: normalise.clone(),
            }),
        }))
    }
}

/// Gives each clip a gain of its own. A clip waits until it is whole.
struct Clips {
    normalise: Normalise,
    header: Header,
    measure: Option<Measure>,
    held: Held,
}

impl operator::Map for Clips {
    fn begin(&mut self, header: &Header, _: &mut dyn Output) -> Step {
        self.measure = Some(Measure::new(header, self.normalise.lufs.is_some())?);
        self.header.clone_from(header);
        self.held.clear();
        Ok(())
    }

    fn block(&mut self, block: &mut Block, _: &mut dyn Output) -> Step {
        let Some(measure) = &mut self.measure else { return Ok(()) };
        measure.add(block, 0, block.frames())?;
        self.held.push(block);
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        let Some(measure) = self.measure.take() else { return Ok(()) };
        let gain = Gain::of(&self.normalise, &measure);
        gain.count(output);
        output.begin(&self.header)?;
        self.held.give(output, |block| gain.apply(block))?;
        output.end()
    }
}

/// Gives all of a recording one gain, which a first pass over it has found.
struct Recordings {
    normalise: Normalise,
    recording: Recording,
}

impl operator::Map for Recordings {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        if let Some(gain) = self.recording.gain(header, |measure| Gain::of(&self.normalise, measure))? {
            gain.count(output);
        }
        output.begin(header)
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        self.recording.known().apply(block);
        output.block(block)
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        output.end()
    }

    fn survey(&mut self) -> Option<&mut dyn Survey> {
        Some(&mut self.recording)
    }
}
