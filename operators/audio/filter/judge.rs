//! What does not pass, and why.

use super::{Filter, Limits};
use crate::measure::Measure;

/// Why something does not pass.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    /// What a clip is counted under.
    pub name: &'static str,
    /// What is said of a recording.
    pub reason: String,
}

fn frames(seconds: f64, rate: u32) -> u64 {
    (seconds * f64::from(rate)).round() as u64
}

/// Below or above the limits; the first name is for what is too low.
fn outside(
    limits: Option<Limits>,
    value: f64,
    names: [&'static str; 2],
    (what, unit): (&str, &str),
) -> Option<Fault> {
    let Limits { min, max } = limits?;
    let fault = |name, bound: &str, limit: f64| Fault {
        name,
        reason: format!("{what} {value:.2} {unit}, expected {bound} {limit} {unit}"),
    };
    if let Some(min) = min.filter(|min| value < *min) {
        return Some(fault(names[0], "at least", min));
    }
    max.filter(|max| value > *max).map(|max| fault(names[1], "at most", max))
}

impl Filter {
    /// Frames of what is not too long.
    pub(super) fn most_frames(&self, rate: u32) -> u64 {
        self.duration.and_then(|limits| limits.max).map_or(u64::MAX, |max| frames(max, rate))
    }

    /// What is certain before the end: a peak stays, and so does length.
    pub(super) fn certain(&self, measure: &Measure, too_long: bool) -> Option<Fault> {
        if let Some(max) = self.peak_db.and_then(|limits| limits.max)
            && measure.level().peak_db() > max
        {
            // How high it is in the end is not known yet.
            return Some(Fault { name: "peak_too_high", reason: format!("peak of more than {max} dBFS") });
        }
        let max = self.duration.and_then(|limits| limits.max).filter(|_| too_long)?;
        Some(Fault { name: "too_long", reason: format!("longer than {max} s") })
    }

    /// What is wrong with a whole signal, besides what was certain before.
    pub(super) fn verdict(&self, measure: &Measure, rate: u32) -> Option<Fault> {
        let level = measure.level();
        if !level.is_finite() {
            return Some(Fault { name: "not_finite", reason: "has samples that are no numbers".into() });
        }
        if let Some(min) = self.duration.and_then(|limits| limits.min)
            && level.frames() < frames(min, rate)
        {
            let seconds = level.frames() as f64 / f64::from(rate);
            let reason = format!("lasts {seconds:.3} s, expected at least {min} s");
            return Some(Fault { name: "too_short", reason });
        }
        let peak = ["peak_too_low", "peak_too_high"];
        outside(self.peak_db, level.peak_db(), peak, ("peak", "dBFS"))
            .or_else(|| {
                let max = self.clipping?.max;
                let (name, share) = ("clipped", level.clipping());
                let reason = format!("clipping {share:.5}, expected at most {max}");
                (share > max).then_some(Fault { name, reason })
            })
            .or_else(|| {
                let names = ["rms_too_low", "rms_too_high"];
                outside(self.rms_db, level.rms_db(), names, ("RMS", "dBFS"))
            })
            .or_else(|| {
                let names = ["loudness_too_low", "loudness_too_high"];
                outside(self.loudness, measure.lufs(), names, ("loudness", "LUFS"))
            })
    }
}
