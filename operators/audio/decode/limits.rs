//! What one recording may take.

use std::time::{Duration, Instant};

use etude_pipeline::operator::{Invalid, Stop};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one recording may take. Each limit is off unless it is given; a recording beyond one is rejected
/// with class `limit`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Seconds by the clock on the wall that one recording may take, with everything that happens to it
    /// up to the next stage that is kept. This is the one parameter that makes a result depend on the
    /// machine: leave it out unless a decoder hangs.
    #[serde(default)]
    seconds: Option<f64>,
    /// The largest file in bytes.
    #[serde(default)]
    bytes: Option<u64>,
    /// The most frames (samples of one channel, at the recording's own rate) that a recording may give.
    #[serde(default)]
    frames: Option<u64>,
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let seconds = self.seconds.is_none_or(|seconds| seconds > 0.0 && seconds.is_finite());
        Invalid::unless(seconds, "limits.seconds", "must be a number above 0")?;
        Invalid::unless(self.bytes != Some(0), "limits.bytes", "must be at least 1")?;
        Invalid::unless(self.frames != Some(0), "limits.frames", "must be at least 1")
    }

    /// Starts the clock.
    pub(super) fn begin(&self) -> Spent<'_> {
        Spent { limits: self, since: Instant::now() }
    }
}

/// What a recording has taken so far.
pub(super) struct Spent<'a> {
    limits: &'a Limits,
    since: Instant,
}

impl Spent<'_> {
    pub(super) fn bytes(&self, found: u64) -> Result<(), Stop> {
        match self.limits.bytes {
            Some(allowed) if found > allowed => Err(exceeded("bytes", &found, &allowed, "byte 0".into())),
            _ => Ok(()),
        }
    }

    pub(super) fn frames(&self, found: u64, offset: &dyn Fn() -> String) -> Result<(), Stop> {
        match self.limits.frames {
            Some(allowed) if found > allowed => Err(exceeded("frames", &found, &allowed, offset())),
            _ => Ok(()),
        }
    }

    pub(super) fn time(&self, offset: &dyn Fn() -> String) -> Result<(), Stop> {
        let Some(allowed) = self.limits.seconds else { return Ok(()) };
        // More seconds than a duration holds are never spent.
        let limit = Duration::try_from_secs_f64(allowed).unwrap_or(Duration::MAX);
        if self.since.elapsed() <= limit {
            return Ok(());
        }
        let found = format!("{:.1}", self.since.elapsed().as_secs_f64());
        Err(exceeded("seconds", &found, &allowed, offset()))
    }
}

fn exceeded(
    limit: &str,
    found: &dyn std::fmt::Display,
    allowed: &dyn std::fmt::Display,
    offset: String,
) -> Stop {
    Stop::Rejected {
        class: "limit",
        offset,
        message: format!("{found} {limit} so far, `limits.{limit}` allows {allowed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: Result<(), Stop>) -> String {
        match result {
            Err(Stop::Rejected { class: "limit", message, .. }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_limit_names_what_was_found_and_what_is_allowed() {
        let limits = Limits { seconds: Some(1e-9), bytes: Some(10), frames: Some(20) };
        let spent = limits.begin();
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(message(spent.bytes(11)), "11 bytes so far, `limits.bytes` allows 10");
        assert_eq!(message(spent.frames(21, &String::new)), "21 frames so far, `limits.frames` allows 20");
        assert!(message(spent.time(&String::new)).contains("`limits.seconds` allows"));
        spent.bytes(10).unwrap();
        spent.frames(20, &String::new).unwrap();
    }

    #[test]
    fn nothing_is_limited_unless_asked() {
        let limits = Limits::default();
        let spent = limits.begin();
        spent.bytes(u64::MAX).unwrap();
        spent.frames(u64::MAX, &String::new).unwrap();
        spent.time(&String::new).unwrap();
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        let limits = Limits { bytes: Some(0), ..Limits::default() };
        assert_eq!(limits.check().unwrap_err().parameter, "limits.bytes");
        let limits = Limits { seconds: Some(f64::NAN), ..Limits::default() };
        assert_eq!(limits.check().unwrap_err().parameter, "limits.seconds");
    }
}
