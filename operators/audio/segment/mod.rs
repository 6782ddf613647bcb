//! Cuts recordings into clips.

mod plan;
mod silence;
#[cfg(test)]
mod tests;
mod waiting;
mod windows;
mod work;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use etude_pipeline::flow::{Flow, SignalType, Unit};
use etude_pipeline::operator::{Body, Declare, Inputs, Invalid, Operator, Port, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use silence::Silence;
use windows::Windows;
use work::Work;

use crate::Expect;

/// Cuts recordings into clips: all of a recording at even steps, or the windows that a table names.
///
/// Either `seconds` or `frames` says how long a clip is; with `windows` that have an end, both may
/// be left out. A recording that gives no clip is filtered, with the reason. Counted are clips that
/// are silent (`silent_clips`), windows that are left out because they reach beyond the recording
/// (`windows_outside`) or are too short (`windows_too_short`), tails that are too short
/// (`short_tails`), and clips of clips that gave none (`too_short`). A clip has to fit in memory; a
/// recording has not.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// The length of a clip in seconds, rounded to whole frames; more than 0 and at most 3600.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 3600))]
    seconds: Option<f64>,
    /// The length of a clip in frames, 1 to 1,382,400,000 (an hour at 384 kHz).
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_382_400_000))]
    frames: Option<u64>,
    /// From the start of a clip to the start of the next, in the unit of the length; the length by
    /// default.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0))]
    hop: Option<f64>,
    /// What becomes of the end that does not fill a clip, and of windows that reach beyond the
    /// recording. A window that lies wholly outside is left out in any case.
    #[serde(default)]
    tail: Tail,
    /// How much of the recording an end or a window has to hold to be a clip, in the unit of the
    /// length (seconds where there is none). For `tail: pad` and `keep`, and for windows that have an
    /// end. By default one frame.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0))]
    minimum: Option<f64>,
    /// Leaves out clips that are mostly silent.
    #[serde(default)]
    silence: Option<Silence>,
    /// A CSV file with a header, or a Parquet file, with the windows to cut: a column `item` (the key,
    /// as in the shards) and `start`, `start` and `end`, or `centre`, in seconds from the beginning of
    /// the recording. With `seconds` or `frames` a clip of that length begins at `start` or has `centre`
    /// in its middle (frame ⌊length / 2⌋), and `end` is not looked at; without, it lasts from `start` to
    /// `end`, at most 3600 s. Windows may overlap and come in any order; clips come in the order of
    /// their starts. A recording without windows is filtered; windows of items that there are not, and
    /// other columns, are ignored. The table has to fit in memory. A relative path is below the working
    /// directory.
    #[serde(default)]
    #[schemars(extend("x-kind" = "input"))]
    windows: Option<String>,
    /// The windows, once they have been read.
    #[serde(skip)]
    read: Arc<OnceLock<Result<Windows, String>>>,
}

/// What becomes of the end that does not fill a clip.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    /// It is left out.
    #[default]
    Drop,
    /// It is filled up with silence. A window that begins before the recording has the start 0.
    Pad,
    /// It is a shorter clip.
    Keep,
}

/// The longest clip.
const MOST_SECONDS: f64 = 3600.0;
const MOST_FRAMES: u64 = 1_382_400_000;

impl Declare for Segment {
    const NAME: &'static str = "segment";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Segment {
    fn check(&self) -> Result<(), Invalid> {
        match (self.seconds, self.frames) {
            (None, None) if self.windows.is_none() => {
                Invalid::unless(false, "seconds", "or `frames` must be given: the length of a clip")?;
            }
            (Some(_), Some(_)) => {
                let message = "cannot be given beside `seconds`: one of them is the length of a clip";
                Invalid::unless(false, "frames", message)?;
            }
            _ => {}
        }
        let right = |seconds: f64| seconds > 0.0 && seconds <= MOST_SECONDS;
        Invalid::unless(self.seconds.is_none_or(right), "seconds", "must be more than 0 and at most 3600")?;
        let right = |frames| (1..=MOST_FRAMES).contains(&frames);
        Invalid::unless(self.frames.is_none_or(right), "frames", "must be from 1 to 1382400000")?;
        self.check_length("hop", self.hop)?;
        let stepped = self.hop.is_none() || self.windows.is_none();
        Invalid::unless(stepped, "hop", "is not for `windows`, which say where clips begin")?;
        self.check_length("minimum", self.minimum)?;
        let length = self.seconds.or(self.frames.map(|frames| frames as f64));
        let within = self.minimum.zip(length).is_none_or(|(minimum, length)| minimum <= length);
        Invalid::unless(within, "minimum", "must be at most the length of a clip")?;
        let used = self.minimum.is_none() || self.tail != Tail::Drop || self.whole_windows();
        Invalid::unless(
            used,
            "minimum",
            "is for `tail: pad` and `tail: keep`: `drop` keeps whole clips alone",
        )?;
        self.silence.as_ref().map_or(Ok(()), Silence::check)?;
        // Whether the file is there is found when it is needed, as with other files.
        match &self.windows {
            Some(path) if Path::new(path).is_file() => self
                .table()
                .map(|_| ())
                .map_err(|message| Invalid::of("windows", format!("cannot be used: {message}"))),
            _ => Ok(()),
        }
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?.audio()?.one_view()?.unmasked()?;
        let whole = self.windows.is_none() || signal.unit == Unit::Recording;
        Invalid::unless(whole, "windows", "are cut from whole recordings, not from clips")?;
        if let Some(rate) = signal.rate {
            let short =
                |length: Option<f64>| length.is_some_and(|length| self.whole_frames(length, rate) < 1);
            for (name, length) in [("seconds", self.seconds), ("hop", self.hop)] {
                let right = self.frames.is_some() || !short(length);
                Invalid::unless(right, name, format!("must be at least one frame, 1/{rate} s"))?;
            }
        }
        let seconds =
            || self.seconds.zip(signal.rate).map(|(seconds, rate)| self.whole_frames(seconds, rate));
        let most_frames = self.frames.or_else(seconds);
        let frames = most_frames.filter(|_| self.tail != Tail::Keep);
        Ok(Flow::Signal(SignalType { unit: Unit::Clip, frames, most_frames, ..signal }))
    }

    fn body(&self) -> Body {
        let segment = self.clone();
        Body::Map(Box::new(move |context| Box::new(Work::new(segment.clone(), context))))
    }
}

impl Segment {
    /// Checks a length in the unit of the clips' length.
    fn check_length(&self, name: &str, length: Option<f64>) -> Result<(), Invalid> {
        let Some(length) = length else { return Ok(()) };
        if self.frames.is_some() {
            let whole = length >= 1.0 && length <= MOST_FRAMES as f64 && length.fract() == 0.0;
            return Invalid::unless(whole, name, "must be a whole number of frames, 1 to 1382400000");
        }
        Invalid::unless(length > 0.0 && length <= MOST_SECONDS, name, "must be more than 0 and at most 3600")
    }

    /// A length in its unit as frames; maybe none.
    fn whole_frames(&self, length: f64, rate: u32) -> u64 {
        if self.frames.is_some() { length as u64 } else { (length * f64::from(rate)).round() as u64 }
    }

    /// Frames of a clip, where all windows have the same.
    fn clip_frames(&self, rate: u32) -> Option<u64> {
        self.frames.or(self.seconds.map(|seconds| self.whole_frames(seconds, rate).max(1)))
    }

    /// Whether clips last from a window's start to its end.
    fn whole_windows(&self) -> bool {
        self.windows.is_some() && self.seconds.is_none() && self.frames.is_none()
    }

    /// The windows, which are read once for all threads.
    fn table(&self) -> Result<&Windows, String> {
        let path = Path::new(self.windows.as_deref().unwrap_or_default());
        let read = || Windows::read(path, self.whole_windows()).map_err(|problem| problem.to_string());
        self.read.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    /// What a recording without a clip is shorter than, for messages.
    fn least(&self) -> String {
        let minimum = self.minimum.filter(|_| self.tail != Tail::Drop);
        match (minimum, self.seconds, self.frames) {
            (Some(frames), _, Some(_)) => format!("`minimum`, {frames} frames"),
            (Some(seconds), ..) => format!("`minimum`, {seconds} s"),
            (_, Some(seconds), _) => format!("a clip of {seconds} s"),
            (.., frames) => format!("a clip of {} frames", frames.unwrap_or_default()),
        }
    }
}
