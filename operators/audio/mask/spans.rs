//! Which frames are masked.

use std::ops::Range;

use etude_pipeline::operator::Invalid;
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Spans of frames that are not seen (wav2vec 2.0, section 3.1).
///
/// A share `p` of the frames, drawn without repetition, begin a span: ⌊p · frames + a number drawn from [0, 1)⌋ of
/// them. 0.065 and 10 mask 49 % of a long clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spans {
    /// The share of frames that begin a span, above 0 and at most 1: fairseq's `mask_prob` over its `mask_length`.
    #[serde(default = "default_p")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub p: f64,
    /// Frames of a span, 1 to 1000000.
    #[serde(default = "default_length")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub length: usize,
    /// The least number of spans, 1 to 1000.
    #[serde(default = "default_least")]
    #[schemars(range(min = 1, max = 1000))]
    pub least: usize,
    /// Whether spans may overlap. If not, every way in which they fit is as likely, and there are no more than fit.
    #[serde(default = "yes")]
    pub overlap: bool,
}

fn default_p() -> f64 {
    0.065
}

fn default_length() -> usize {
    10
}

fn default_least() -> usize {
    2
}

fn yes() -> bool {
    true
}

impl Default for Spans {
    fn default() -> Self {
        Self { p: default_p(), length: default_length(), least: default_least(), overlap: yes() }
    }
}

impl Spans {
    /// Checks the ranges; `prefix` leads to the parameters, such as `mask.`.
    pub fn check(&self, prefix: &str) -> Result<(), Invalid> {
        let at = |name: &str| format!("{prefix}{name}");
        let unless = Invalid::unless;
        unless(self.p > 0.0 && self.p <= 1.0, &at("p"), "must be more than 0 and at most 1")?;
        unless((1..=1_000_000).contains(&self.length), &at("length"), "must be from 1 to 1000000")?;
        unless((1..=1000).contains(&self.least), &at("least"), "must be from 1 to 1000")
    }

    /// Draws which of so many frames are masked.
    pub fn draw(&self, frames: usize, random: &mut Random) -> Vec<bool> {
        let mut mask = vec![false; frames];
        self.draw_into(&mut mask, &mut Vec::new(), random);
        mask
    }

    /// The same where none is masked yet. `all` is memory to work in.
    pub fn draw_into(&self, mask: &mut [bool], all: &mut Vec<usize>, random: &mut Random) {
        let frames = mask.len();
        if frames == 0 {
            return;
        }
        let length = self.length.min(frames);
        let wanted = ((self.p * frames as f64 + random.uniform()) as usize).max(self.least);
        // Spans that do not overlap: so many of one frame, among what is left when they shrink to it.
        let (count, starts) = match self.overlap {
            true => (wanted.min(frames - length + 1), frames - length + 1),
            false => {
                let count = wanted.min(frames / length);
                (count, frames - count * (length - 1))
            }
        };
        all.clear();
        all.extend(0..starts);
        for place in 0..count {
            let other = place + random.below((starts - place) as u64) as usize;
            all.swap(place, other);
        }
        all.truncate(count);
        if !self.overlap {
            all.sort_unstable();
            all.iter_mut().enumerate().for_each(|(before, start)| *start += before * (length - 1));
        }
        all.iter().for_each(|start| mask[*start..*start + length].fill(true));
    }
}

/// Blocks of equal length, one behind the other from the clip's begin, each masked or not (MusicFM, BEST-RQ on
/// waveforms); one of them in any case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blocks {
    /// The probability that a block is masked, above 0 and at most 1.
    #[serde(default = "default_share")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    p: f64,
    /// The length of a block in seconds, above 0 and at most 60, rounded to whole frames.
    #[serde(default = "default_seconds")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 60))]
    seconds: f64,
}

fn default_share() -> f64 {
    0.6
}

fn default_seconds() -> f64 {
    0.4
}

impl Blocks {
    pub fn check(&self, prefix: &str) -> Result<(), Invalid> {
        let at = |name: &str| format!("{prefix}{name}");
        Invalid::unless(self.p > 0.0 && self.p <= 1.0, &at("p"), "must be more than 0 and at most 1")?;
        let right = self.seconds > 0.0 && self.seconds <= 60.0;
        Invalid::unless(right, &at("seconds"), "must be more than 0 and at most 60")
    }

    /// Draws which frames are masked, where none is yet; the last block may be a short one.
    pub fn draw_into(&self, mask: &mut [bool], frames_a_second: f64, random: &mut Random) {
        let length = ((self.seconds * frames_a_second).round() as usize).max(1);
        mask.chunks_mut(length).filter(|_| random.chance(self.p)).for_each(|block| block.fill(true));
        if !mask.contains(&true) {
            let chosen = random.below(mask.len().div_ceil(length) as u64) as usize;
            mask.chunks_mut(length).skip(chosen).take(1).for_each(|block| block.fill(true));
        }
    }
}

/// The runs of masked frames.
pub fn runs(mask: &[bool]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    mask.chunk_by(|a, b| a == b).filter_map(move |run| {
        let from = at;
        at += run.len();
        run[0].then_some(from..at)
    })
}

/// The same as a header has them.
pub fn spans(mask: &[bool]) -> impl Iterator<Item = (u64, u64)> {
    runs(mask).map(|run| (run.start as u64, run.end as u64))
}
