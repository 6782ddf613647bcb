//! The steps of a chain.

use etude_pipeline::operator::{Invalid, Port, Step as Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::background::Background;
use super::band_pass::BandPass;
use super::chain::{Apply, OneOf};
use super::clip::Clip;
use super::clipping::Clipping;
use super::delay::Delay;
use super::drawing::Drawing;
use super::gain::Gain;
use super::high_pass::HighPass;
use super::impulse::Impulse;
use super::low_pass::LowPass;
use super::noise::Noise;
use super::pitch_shift::PitchShift;
use super::polarity::Polarity;
use super::reverb::Reverb;
use super::reverse::Reverse;
use super::shift::Shift;
use super::tanh_distortion::TanhDistortion;
use super::time_mask::TimeMask;
use super::time_stretch::TimeStretch;

/// A change of a clip, whose length stays.
pub trait Change {
    /// The probability that it applies.
    fn p(&self) -> f64;

    /// Errors: a parameter out of its range, by its name.
    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }

    /// Whether it can be applied at a rate.
    fn suits(&self, rate: u32) -> Result<(), String> {
        let _ = rate;
        Ok(())
    }

    /// Where it takes other clips from.
    fn port(&self) -> Option<&'static Port> {
        None
    }

    /// The names of the numbers that it notes where it applies, with their units.
    fn draws(&self) -> &'static [&'static str];

    /// Applies it to a clip of at least one frame.
    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Outcome;
}

macro_rules! steps {
    ($($(#[$about:meta])* $variant:ident $name:literal,)*) => {
        /// A step of the chain.
        #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Step {
            $($(#[$about])* $variant($variant),)*
            /// Applies one of several steps.
            OneOf(OneOf),
            /// Applies several steps together, or none of them.
            Apply(Apply),
        }

        /// What a step does.
        pub enum Does<'a> {
            Change(&'a dyn Change),
            OneOf(&'a OneOf),
            Apply(&'a Apply),
        }

        impl Step {
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                    Self::OneOf(_) => "one_of",
                    Self::Apply(_) => "apply",
                }
            }

            pub fn does(&self) -> Does<'_> {
                match self {
                    $(Self::$variant(change) => Does::Change(change),)*
                    Self::OneOf(one_of) => Does::OneOf(one_of),
                    Self::Apply(apply) => Does::Apply(apply),
                }
            }
        }
    };
}

steps! {
    /// Makes it louder or softer.
    Gain "gain",
    /// Turns it upside down.
    Polarity "polarity",
    /// Adds noise.
    Noise "noise",
    /// Mixes in another recording.
    Background "background",
    /// Takes high frequencies away.
    LowPass "low_pass",
    /// Takes low frequencies away.
    HighPass "high_pass",
    /// Keeps a band of frequencies.
    BandPass "band_pass",
    /// Adds the clip once more, later.
    Delay "delay",
    /// Plays it backwards.
    Reverse "reverse",
    /// Silences a part of it.
    TimeMask "time_mask",
    /// Moves it in time.
    Shift "shift",
    /// Cuts off its peaks.
    Clipping "clipping",
    /// Saturates it.
    TanhDistortion "tanh_distortion",
    /// Makes it higher or lower at the same speed.
    PitchShift "pitch_shift",
    /// Makes it faster or slower at the same pitch.
    TimeStretch "time_stretch",
    /// Adds the reverberation of a room.
    Reverb "reverb",
    /// Plays it in a room whose impulse response was recorded.
    Impulse "impulse",
}
