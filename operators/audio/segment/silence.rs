//! Whether a clip is mostly silent.

use etude_pipeline::flow::Block;
use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::Level;

/// Seconds of a window.
const WINDOW: f64 = 0.05;

/// Leaves out clips that are mostly silent.
///
/// A clip is divided into windows of 50 ms from its first frame on, the last of which may be
/// shorter; what it is padded with counts as well.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Silence {
    /// A window is silent if its RMS, over all channels, is below this: dB of full scale, −120 to 0.
    #[serde(default = "below_db")]
    #[schemars(range(min = -120, max = 0))]
    below_db: f64,
    /// The share of windows that must not be silent for a clip to be kept; more than 0, at most 1.
    #[serde(default = "keep_ratio")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    keep_ratio: f64,
}

fn below_db() -> f64 {
    -60.0
}

fn keep_ratio() -> f64 {
    0.5
}

impl Silence {
    /// Ranges that the types do not express.
    pub fn check(&self) -> Result<(), Invalid> {
        let level = (-120.0..=0.0).contains(&self.below_db);
        Invalid::unless(level, "silence.below_db", "must be from -120 to 0")?;
        let share = self.keep_ratio > 0.0 && self.keep_ratio <= 1.0;
        Invalid::unless(share, "silence.keep_ratio", "must be more than 0 and at most 1")
    }

    /// Begins a clip.
    pub fn gauge(&self, channels: u16, rate: u32) -> Gauge {
        Gauge {
            window: ((WINDOW * f64::from(rate)).round() as u64).max(1),
            // The mean square that belongs to the RMS.
            power: 10f64.powf(self.below_db / 10.0),
            keep_ratio: self.keep_ratio,
            level: Level::new(usize::from(channels)),
            windows: 0,
            sounding: 0,
        }
    }
}

/// Counts the windows of one clip.
#[derive(Debug)]
pub(super) struct Gauge {
    window: u64,
    power: f64,
    keep_ratio: f64,
    level: Level,
    windows: u64,
    sounding: u64,
}

impl Gauge {
    fn room(&self) -> u64 {
        self.window - self.level.frames()
    }

    fn close(&mut self) {
        self.windows += 1;
        self.sounding += u64::from(self.level.power() >= self.power);
        self.level.reset();
    }

    /// Takes the frames `from..to` of a block.
    pub fn add(&mut self, block: &Block, mut from: usize, to: usize) {
        while from < to {
            let next = to.min(from.saturating_add(usize::try_from(self.room()).unwrap_or(usize::MAX)));
            self.level.add(block, from, next);
            from = next;
            if self.room() == 0 {
                self.close();
            }
        }
    }

    /// Takes so many frames of silence.
    pub fn add_silence(&mut self, mut frames: u64) {
        while frames > 0 {
            let next = frames.min(self.room());
            self.level.add_silence(next);
            frames -= next;
            if self.room() == 0 {
                self.close();
            }
        }
    }

    /// Whether the clip, which is complete, is to be kept.
    pub fn keeps(mut self) -> bool {
        if self.level.frames() > 0 {
            self.close();
        }
        self.windows > 0 && self.sounding as f64 / self.windows as f64 >= self.keep_ratio
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a clip of windows at those amplitudes is kept, at 1000 Hz: 50 frames a window.
    fn keeps(below_db: f64, keep_ratio: f64, amplitudes: &[f32], last: usize) -> bool {
        let silence = Silence { below_db, keep_ratio };
        let mut frames: Vec<f32> = amplitudes.iter().flat_map(|amplitude| [*amplitude; 50]).collect();
        frames.truncate(frames.len() - 50 + last);
        let answers = [1, 7, 50, 64, 1000].map(|block| {
            let mut gauge = silence.gauge(1, 1000);
            for part in frames.chunks(block) {
                gauge.add(&Block::planar(1, part.to_vec()), 0, part.len());
            }
            gauge.keeps()
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]), "it depends on blocks");
        answers[0]
    }

    #[test]
    fn a_share_of_windows_has_to_sound() {
        assert!(keeps(-40.0, 0.5, &[0.1, 0.0, 0.1, 0.0], 50));
        assert!(!keeps(-40.0, 0.5, &[0.1, 0.0, 0.0, 0.0], 50));
        assert!(keeps(-40.0, 1.0, &[0.1, 0.1], 50));
        assert!(!keeps(-40.0, 1.0, &[0.1, 0.001], 50));
        // 0.1 is −20 dB.
        assert!(keeps(-20.1, 1.0, &[0.1], 50));
        assert!(!keeps(-19.9, 0.1, &[0.1], 50));
    }

    #[test]
    fn the_last_window_may_be_shorter() {
        assert!(keeps(-40.0, 0.5, &[0.0, 0.1], 1));
        assert!(!keeps(-40.0, 0.6, &[0.0, 0.1], 1));
    }

    #[test]
    fn padding_is_silence() {
        let silence = Silence { below_db: -40.0, keep_ratio: 0.5 };
        for (padding, kept) in [(50, true), (51, false), (500_000, false)] {
            let mut gauge = silence.gauge(1, 1000);
            gauge.add(&Block::planar(1, vec![0.1; 50]), 0, 50);
            gauge.add_silence(padding);
            assert_eq!(gauge.keeps(), kept, "{padding} frames");
        }
        assert!(!silence.gauge(1, 1000).keeps(), "a clip of nothing");
    }
}
