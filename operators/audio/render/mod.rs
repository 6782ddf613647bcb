//! Renders MIDI files into audio.

mod draw;
mod font;
#[cfg(test)]
mod tests;
mod work;

use etude_pipeline::flow::{Flow, SignalType, Unit};
use etude_pipeline::operator::{Body, Declare, Inputs, Invalid, Operator, Port, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use font::Font;
use work::Work;

/// Renders Standard MIDI Files, formats 0 and 1, into audio with the sounds of a SoundFont.
///
/// The synthesizer is rustysynth: notes, programs, banks, pitch bend with its range and tuning, volume, expression,
/// pan, modulation, the sustain pedal, and the tempos of all tracks. Time begins at tick 0, so that `notes` of the
/// same items names onsets in the recording; an event takes effect within half a millisecond of its time. At most 256
/// voices (two for a note of a stereo sample) sound at once, beyond which the quietest ends. Channel 9, counted from
/// 0, plays drums.
///
/// A file without notes is filtered; one that is broken is rejected (class `midi`), and so is one that is longer than
/// `max_seconds` (class `limit`). Samples may go beyond ±1, where `gain_db` or `normalise` help.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Render {
    /// The SoundFont: a file of format 2 (`.sf2`), its samples not compressed. A program that it does not have is
    /// played as that of bank 0, and where it has none there as its first preset. A relative path is below the working
    /// directory. All of it is held in memory.
    #[schemars(extend("x-kind" = "input"))]
    soundfont: String,
    /// Samples a second, 44100 to 192000. For less put `resample` below: the synthesizer takes nothing away of what
    /// lies above half its rate, which would alias.
    #[serde(default = "rate")]
    #[schemars(range(min = 44_100, max = 192_000))]
    rate: u32,
    /// Both channels, or one.
    #[serde(default)]
    channels: Channels,
    /// A factor of all samples, in dB, −60 to 60.
    #[serde(default)]
    #[schemars(range(min = -60, max = 60))]
    gain_db: f64,
    /// Whether there is reverb and chorus, as much as the SoundFont and the file ask for (controllers 91 and 93;
    /// without them 40 and 0 of 127).
    #[serde(default = "effects")]
    effects: bool,
    /// Seconds after the end of the last track, for what still sounds, 0 to 60.
    #[serde(default = "tail")]
    #[schemars(range(min = 0, max = 60))]
    tail: f64,
    /// Programs of General MIDI, 0 to 127, one of which plays all channels but the drums: drawn for each item, keyed
    /// on (seed, stage, item), and kept as `program` among what was drawn. None by default: the file's own.
    #[serde(default)]
    #[schemars(inner(range(min = 0, max = 127)))]
    programs: Vec<u8>,
    /// Semitones by which all notes but the drums are moved, a range [low, high] within −48 to 48: a whole number is
    /// drawn for each item and kept as `transpose` among what was drawn. A note that would leave 0 to 127 is left out
    /// and counted (`notes_outside`). [0, 0] by default: nothing is moved or kept.
    #[serde(default)]
    #[schemars(inner(range(min = -48, max = 48)))]
    transpose: [i32; 2],
    /// The longest recording in seconds, its tail aside; more than 0 and at most 86400.
    #[serde(default = "max_seconds")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 86400))]
    max_seconds: f64,
    /// The SoundFont, once it has been read.
    #[serde(skip)]
    font: Font,
}

/// Both channels, or one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// Left and right.
    #[default]
    Stereo,
    /// Their mean.
    Mono,
}

fn rate() -> u32 {
    44_100
}

fn effects() -> bool {
    true
}

fn tail() -> f64 {
    2.0
}

fn max_seconds() -> f64 {
    3600.0
}

impl Declare for Render {
    const NAME: &'static str = "render";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] =
        &[Port { name: "from", many: false, optional: false, about: "the items of a scan" }];
}

impl Operator for Render {
    fn check(&self) -> Result<(), Invalid> {
        let rate = (44_100..=192_000).contains(&self.rate);
        Invalid::unless(rate, "rate", "must be from 44100 to 192000")?;
        Invalid::unless(self.gain_db.abs() <= 60.0, "gain_db", "must be from -60 to 60")?;
        Invalid::unless((0.0..=60.0).contains(&self.tail), "tail", "must be from 0 to 60")?;
        let programs = self.programs.iter().all(|program| *program < 128);
        Invalid::unless(programs, "programs", "must be numbers from 0 to 127")?;
        let [low, high] = self.transpose;
        let transpose = -48 <= low && low <= high && high <= 48;
        Invalid::unless(transpose, "transpose", "must be [low, high] with -48 ≤ low ≤ high ≤ 48 semitones")?;
        let max_seconds = self.max_seconds > 0.0 && self.max_seconds <= 86_400.0;
        Invalid::unless(max_seconds, "max_seconds", "must be more than 0 and at most 86400")?;
        // Whether the file is there is found when it is needed, as with other files.
        let usable = self.font.check(&self.soundfont);
        usable.map_err(Invalid::by("soundfont"))
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        match inputs.one("from")? {
            Flow::Items => {}
            other => return Err(format!("expects the items of a scan, not {other}").into()),
        }
        let mut signal = SignalType::audio(Some(self.rate), Some(self.channels.count()), Unit::Recording);
        self.names(&mut signal);
        Ok(Flow::Signal(signal))
    }

    fn random(&self) -> bool {
        self.programs.len() > 1 || self.transpose[0] != self.transpose[1]
    }

    fn body(&self) -> Body {
        let render = self.clone();
        Body::Read(Box::new(move |context| Box::new(Work::new(render.clone(), context))))
    }
}

impl Channels {
    fn count(self) -> u16 {
        match self {
            Self::Stereo => 2,
            Self::Mono => 1,
        }
    }
}
