//! The steps of a chain, and how they are put together.

use etude_pipeline::flow::Block;
use etude_pipeline::operator::Invalid;
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::band_pass::BandPass;
use super::clipping::Clipping;
use super::delay::Delay;
use super::gain::Gain;
use super::high_pass::HighPass;
use super::low_pass::LowPass;
use super::noise::Noise;
use super::pitch_shift::PitchShift;
use super::polarity::Polarity;
use super::range::half;
use super::reverb::Reverb;
use super::reverse::Reverse;
use super::shift::Shift;
use super::tanh_distortion::TanhDistortion;
use super::time_mask::TimeMask;

/// What a step draws with.
pub struct Draw<'a> {
    pub rate: u32,
    /// The numbers of the step at a place in the chain.
    pub random: &'a dyn Fn(&str) -> Random,
}

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

    /// Applies it to a clip of at least one frame.
    fn apply(&self, clip: &mut Block, rate: u32, random: &mut Random);
}

macro_rules! steps {
    ($($(#[$about:meta])* $variant:ident $name:literal,)*) => {
        /// A step of the chain.
        #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Step {
            $($(#[$about])* $variant($variant),)*
            /// Applies one of several steps, each as likely as the others.
            OneOf(OneOf),
            /// Applies several steps together, or none of them.
            Chain(Chain),
        }

        impl Step {
            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                    Self::OneOf(_) => "one_of",
                    Self::Chain(_) => "chain",
                }
            }

            /// A single change; nothing for what puts several together.
            fn change(&self) -> Option<&dyn Change> {
                match self {
                    $(Self::$variant(change) => Some(change),)*
                    Self::OneOf(_) | Self::Chain(_) => None,
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
    /// Adds the reverberation of a room.
    Reverb "reverb",
}

/// Applies one of several steps, each as likely as the others.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneOf {
    /// The probability that any is applied.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// The steps. That which is drawn applies whatever its own `p` is.
    of: Vec<Step>,
}

/// Applies several steps together, or none of them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// The probability that they are applied; each then with its own `p`.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// The steps, in order.
    of: Vec<Step>,
}

impl Step {
    fn p(&self) -> f64 {
        match self {
            Self::OneOf(OneOf { p, .. }) | Self::Chain(Chain { p, .. }) => *p,
            other => other.change().map_or(0.0, Change::p),
        }
    }

    fn check(&self, at: &str) -> Result<(), Invalid> {
        let at = format!("{at}.{}", self.name());
        Invalid::unless((0.0..=1.0).contains(&self.p()), &format!("{at}.p"), "must be from 0 to 1")?;
        match self {
            Self::OneOf(OneOf { of, .. }) | Self::Chain(Chain { of, .. }) => {
                check_all(of, &format!("{at}.of"), "of")
            }
            other => match other.change().map(Change::check) {
                Some(Err(Invalid { parameter, message })) => {
                    Err(Invalid { parameter: format!("{at}.{parameter}"), message })
                }
                _ => Ok(()),
            },
        }
    }

    /// Whether it can be applied at a rate.
    pub fn suits(&self, rate: u32) -> Result<(), String> {
        match self {
            Self::OneOf(OneOf { of, .. }) | Self::Chain(Chain { of, .. }) => {
                of.iter().try_for_each(|step| step.suits(rate))
            }
            other => other.change().map_or(Ok(()), |change| {
                change.suits(rate).map_err(|message| format!("{}: {message}", other.name()))
            }),
        }
    }

    /// Applies it with its probability, or in any case.
    fn apply(&self, always: bool, at: &str, clip: &mut Block, draw: &Draw<'_>) {
        let mut random = (draw.random)(at);
        if !random.chance(self.p()) && !always {
            return;
        }
        match self {
            Self::OneOf(OneOf { of, .. }) => {
                let chosen = random.below(of.len() as u64) as usize;
                of[chosen].apply(true, &format!("{at}.{chosen}"), clip, draw);
            }
            Self::Chain(Chain { of, .. }) => apply_all(of, at, clip, draw),
            other => {
                if let Some(change) = other.change().filter(|_| clip.frames() > 0) {
                    change.apply(clip, draw.rate, &mut random);
                }
            }
        }
    }
}

/// Errors: no steps, or a parameter of one out of its range.
pub fn check_all(steps: &[Step], at: &str, name: &str) -> Result<(), Invalid> {
    Invalid::unless(!steps.is_empty(), at, format!("`{name}` needs at least one step"))?;
    steps.iter().enumerate().try_for_each(|(index, step)| step.check(&format!("{at}.{index}")))
}

/// Applies steps in order.
pub fn apply_all(steps: &[Step], at: &str, clip: &mut Block, draw: &Draw<'_>) {
    for (index, step) in steps.iter().enumerate() {
        step.apply(false, &format!("{at}.{index}"), clip, draw);
    }
}
