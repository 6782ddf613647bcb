//! A part of a recording.

use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of each recording, which is sought instead of decoding what lies before it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Where it begins, in seconds from the begin of the recording.
    #[serde(default)]
    start: f64,
    /// How long it is, in seconds: to the end of the recording unless given. What lies behind the end of
    /// the recording is left out.
    #[serde(default)]
    duration: Option<f64>,
}

impl Range {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let start = self.start >= 0.0 && self.start.is_finite();
        Invalid::unless(start, "range.start", "must be a number of at least 0")?;
        let duration = self.duration.is_none_or(|duration| duration > 0.0 && duration.is_finite());
        Invalid::unless(duration, "range.duration", "must be a number above 0")
    }

    /// The first frame, and the one behind the last.
    pub(super) fn frames(&self, rate: u32) -> (u64, Option<u64>) {
        let frames = |seconds: f64| (seconds * f64::from(rate)).round() as u64;
        let start = frames(self.start);
        (start, self.duration.map(|duration| start.saturating_add(frames(duration))))
    }

    /// For messages.
    pub(super) fn describe(&self) -> String {
        match self.duration {
            Some(duration) => format!("{} s from {} s on", duration, self.start),
            None => format!("from {} s on", self.start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_nearest() {
        let range = Range { start: 1.5, duration: Some(0.25) };
        assert_eq!(range.frames(44_100), (66_150, Some(77_175)));
        assert_eq!(Range { start: 1e300, duration: Some(1.0) }.frames(8000), (u64::MAX, Some(u64::MAX)));
    }

    #[test]
    fn a_range_of_nothing_is_refused() {
        let range = Range { start: 0.0, duration: Some(0.0) };
        assert_eq!(range.check().unwrap_err().parameter, "range.duration");
        let range = Range { start: -1.0, duration: None };
        assert_eq!(range.check().unwrap_err().parameter, "range.start");
    }
}
