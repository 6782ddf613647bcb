//! Where the views of a clip lie to one another.

use etude_pipeline::operator::Invalid;
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the views of a clip lie to one another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// Each anywhere in the clip.
    #[default]
    Independent,
    /// All at one place, anywhere in the clip.
    Same,
    /// The first anywhere, the others near it.
    Adjacent(Adjacent),
}

/// The first anywhere, the others near it, before or behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adjacent {
    /// The least and the most seconds from the first view's start to another's, 0 to 3600. With the length of a crop as
    /// the least, views do not overlap the first.
    distance: [f64; 2],
}

impl Placement {
    /// Errors: distances out of range.
    pub fn check(&self) -> Result<(), Invalid> {
        let Self::Adjacent(Adjacent { distance: [least, most] }) = self else { return Ok(()) };
        let right = 0.0 <= *least && least <= most && *most <= 3600.0;
        Invalid::unless(
            right,
            "placement.adjacent.distance",
            "must be two numbers of seconds, 0 to 3600, the lower one first",
        )
    }

    /// Whether views can be placed where starts may be from 0 to `room` frames.
    pub fn fits(&self, room: u64, frames_a_second: f64) -> Result<(), Invalid> {
        let Self::Adjacent(adjacent) = self else { return Ok(()) };
        let least = adjacent.distance[0];
        let message = format!("views are to be {least} seconds apart, for which the clips are too short");
        Invalid::unless(adjacent.frames(frames_a_second).0 <= room, "placement.adjacent.distance", message)
    }

    /// Adds the starts of views, from 0 to `room` frames; says whether there is a place for all.
    pub fn draw(
        &self,
        views: u32,
        room: usize,
        frames_a_second: f64,
        random: &mut Random,
        starts: &mut Vec<usize>,
    ) -> bool {
        let room = room as u64;
        let mut anywhere = || random.below(room + 1);
        match self {
            Self::Independent => starts.extend((0..views).map(|_| anywhere() as usize)),
            Self::Same => starts.extend(std::iter::repeat_n(anywhere() as usize, views as usize)),
            Self::Adjacent(adjacent) => {
                let (least, most) = adjacent.frames(frames_a_second);
                let near = Near { least, most, room };
                let Some(first) = near.first(random) else { return false };
                starts.push(first as usize);
                for _ in 1..views {
                    let Some(other) = near.other(first, random) else { return false };
                    starts.push(other as usize);
                }
            }
        }
        true
    }
}

impl Adjacent {
    fn frames(&self, frames_a_second: f64) -> (u64, u64) {
        let [least, most] = self.distance.map(|seconds| (seconds * frames_a_second).round() as u64);
        (least, most)
    }
}

/// Places from `least` to `most` frames away, where places are from 0 to `room`.
#[derive(Debug, Clone, Copy)]
pub struct Near {
    pub least: u64,
    pub most: u64,
    pub room: u64,
}

impl Near {
    /// A place that has others near it, each such place as likely; none where there is none.
    pub fn first(self, random: &mut Random) -> Option<u64> {
        // Those from which one can go on, those from which one can go back, and those that are both.
        let reach = self.room.checked_sub(self.least)? + 1;
        let (ahead, back) = (reach, self.least.max(reach));
        let count = ahead + (self.room + 1).saturating_sub(back);
        let number = random.below(count);
        Some(if number < ahead { number } else { back + number - ahead })
    }

    /// A place near another, each as likely; none where there is none.
    pub fn other(self, from: u64, random: &mut Random) -> Option<u64> {
        let (low, high) = self.sides(from);
        let (left, right) = (low.map_or(0, count), high.map_or(0, count));
        // What is 0 away is on both sides, and counts once.
        let right_from = if self.least == 0 && left > 0 { 1 } else { 0 };
        let total = left + right.saturating_sub(right_from);
        if total == 0 {
            return None;
        }
        let number = random.below(total);
        match (low, high) {
            (Some((first, _)), _) if number < left => Some(first + number),
            (_, Some((first, _))) => Some(first + right_from + number - left),
            _ => None,
        }
    }

    /// The places before and behind, from the first to the last of each.
    fn sides(self, from: u64) -> (Option<Places>, Option<Places>) {
        let low = from.checked_sub(self.least).map(|last| (from.saturating_sub(self.most), last));
        let first = from + self.least;
        let high = (first <= self.room).then(|| (first, self.room.min(from.saturating_add(self.most))));
        (low, high)
    }
}

/// The first of several places, and the last.
type Places = (u64, u64);

fn count((first, last): Places) -> u64 {
    last - first + 1
}
