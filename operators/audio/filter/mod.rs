//! Leaves recordings or clips out by what is measured of them.

mod judge;
#[cfg(test)]
mod tests;

use etude_pipeline::flow::{Block, Flow, Header};
use etude_pipeline::operator::{
    self, Body, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step, Stop,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::held::Held;
use crate::measure::{self, Measure};

/// Leaves out what is too short, too long, too quiet, too loud or clipped.
///
/// A recording passes on while it is measured, and is taken back with the reason if it does not
/// pass; one that is too long, or has too high a peak, ends there. Of clips, those that do not
/// pass are left out and counted under the reason: `too_short`, `too_long`, `peak_too_low`,
/// `peak_too_high`, `rms_too_low`, `rms_too_high`, `loudness_too_low`, `loudness_too_high`, `clipped`,
/// or `not_finite` for samples that are no numbers. Of several reasons the first is told: what is
/// certain before the end (peak too high, too long), then not finite, too short, peak, clipping, RMS,
/// loudness. At least one limit has to be given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// The duration in seconds, rounded to whole frames; 0 or more.
    #[serde(default)]
    duration: Option<Limits>,
    /// The RMS over all samples of all channels in dB of full scale: 0 is a square wave at full scale,
    /// −3.01 a sine.
    #[serde(default)]
    rms_db: Option<Limits>,
    /// The highest magnitude of a sample in dB of full scale. It is no true peak: nothing is oversampled.
    #[serde(default)]
    peak_db: Option<Limits>,
    /// The integrated loudness in LUFS (EBU R 128). What is shorter than 0.4 s is measured as one
    /// block of its own length; what is never louder than −70 LUFS has −∞. Of more than 6 channels the
    /// first 6 count, without LFE. Recordings below 4 kHz are rejected.
    #[serde(default)]
    loudness: Option<Limits>,
    /// The share of samples, of all channels, at or beyond 0.999 of full scale. Resampling and a
    /// change of gain move them away from there: filter above `resample`.
    #[serde(default)]
    clipping: Option<Clipping>,
}

/// What is allowed; at least one of both.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Limits {
    /// The least.
    #[serde(default)]
    min: Option<f64>,
    /// The most.
    #[serde(default)]
    max: Option<f64>,
}

/// How much may be clipped.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Clipping {
    /// The highest share, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    max: f64,
}

impl Limits {
    fn check(&self, name: &str) -> Result<(), Invalid> {
        Invalid::unless(self.min.is_some() || self.max.is_some(), name, "needs `min` or `max`")?;
        for (bound, value) in [("min", self.min), ("max", self.max)] {
            let finite = value.is_none_or(f64::is_finite);
            Invalid::unless(finite, &format!("{name}.{bound}"), "must be a finite number")?;
        }
        let ordered = self.min.zip(self.max).is_none_or(|(min, max)| min <= max);
        Invalid::unless(ordered, &format!("{name}.min"), "must be at most `max`")
    }
}

impl Declare for Filter {
    const NAME: &'static str = "filter";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Filter {
    fn check(&self) -> Result<(), Invalid> {
        let levels = [("rms_db", self.rms_db), ("peak_db", self.peak_db), ("loudness", self.loudness)];
        let limits = [("duration", self.duration)].into_iter().chain(levels);
        Invalid::unless(
            limits.clone().any(|(_, limits)| limits.is_some()) || self.clipping.is_some(),
            "duration",
            "or one of `rms_db`, `peak_db`, `loudness` and `clipping` must be given",
        )?;
        for (name, limits) in limits {
            limits.map_or(Ok(()), |limits| limits.check(name))?;
        }
        if let Some(Limits { min, max }) = self.duration {
            for (name, value) in [("duration.min", min), ("duration.max", max)] {
                Invalid::unless(value.is_none_or(|value| value >= 0.0), name, "must be 0 or more")?;
            }
        }
        let share = self.clipping.is_none_or(|clipping| (0.0..=1.0).contains(&clipping.max));
        Invalid::unless(share, "clipping.max", "must be from 0 to 1")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?.audio()?;
        if signal.views != 1 {
            return Err("would part the views of a clip: put it above `op: crop`".into());
        }
        if self.loudness.is_some() {
            measure::Loudness::check_rate(signal.rate).map_err(Invalid::by("loudness"))?;
        }
        Ok(Flow::Signal(signal))
    }

    fn memory(&self) -> u64 {
        if self.loudness.is_some() { measure::MEMORY } else { 0 }
    }

    fn body(&self) -> Body {
        let filter = self.clone();
        Body::Map(Box::new(move |_| {
            Box::new(Work { filter: filter.clone(), signal: None, held: Held::default() })
        }))
    }
}

struct Work {
    filter: Filter,
    /// What is being measured; none when it is left out already.
    signal: Option<Signal>,
    /// The blocks of a clip, which wait for the verdict. Those of a recording are gone already.
    held: Held,
}

struct Signal {
    header: Header,
    measure: Measure,
}

impl Signal {
    /// Whole recordings, whose length is known only at their end, do not wait.
    fn is_clip(&self) -> bool {
        self.header.frames.is_some()
    }
}

impl Work {
    /// Leaves out what did not pass: a recording for good, a clip by not giving it.
    fn refuse(&mut self, signal: &Signal, fault: judge::Fault, output: &mut dyn Output) -> Step {
        if !signal.is_clip() {
            return Err(Stop::Filtered { reason: fault.reason });
        }
        output.count(fault.name, 1);
        Ok(())
    }
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        let measure = Measure::new(header, self.filter.loudness.is_some())?;
        self.held.clear();
        let signal = Signal { header: header.clone(), measure };
        if !signal.is_clip() {
            output.begin(header)?;
        }
        self.signal = Some(signal);
        Ok(())
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        let Some(mut signal) = self.signal.take() else { return Ok(()) };
        // Frames beyond the longest duration are not looked at, so that the reason does not depend on
        // where a block ends.
        let room =
            self.filter.most_frames(signal.header.rate).saturating_sub(signal.measure.level().frames());
        let taken = usize::try_from(room).unwrap_or(usize::MAX).min(block.frames());
        signal.measure.add(block, 0, taken)?;
        if let Some(fault) = self.filter.certain(&signal.measure, taken < block.frames()) {
            return self.refuse(&signal, fault, output);
        }
        if signal.is_clip() {
            self.held.push(block);
        } else {
            output.block(block)?;
        }
        self.signal = Some(signal);
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        let Some(signal) = self.signal.take() else { return Ok(()) };
        if let Some(fault) = self.filter.verdict(&signal.measure, signal.header.rate) {
            return self.refuse(&signal, fault, output);
        }
        if signal.is_clip() {
            output.begin(&signal.header)?;
            self.held.give(output, |_| {})?;
        }
        output.end()
    }
}
