//! Windows near one another in time, and farther away.

use etude_pipeline::flow::{Block, Flow, Header, SignalType};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step,
};
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::collected::Collected;
use crate::crop::{Near, cut};
use crate::drawn::Notes;

/// Draws anchors from each clip, and for each of them positives and negatives at given distances in time (Buisson et
/// al. 2024).
///
/// The views of a clip are, for one anchor after another, the anchor itself and then, for one band after another, its
/// positives and its negatives. Each carries what it is: `anchor` (its number), `band` (none of an anchor), `role` (0
/// anchor, 1 positive, 2 negative) and `distance` in seconds (negative: before the anchor). A clip in which some
/// anchor has no room gives none and is counted (`too_short`).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Neighbours {
    /// The length of a window in seconds, above 0 and at most 3600, rounded to whole frames.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 3600))]
    seconds: f64,
    /// Anchors of a clip, 1 to 256.
    #[serde(default = "sixteen")]
    #[schemars(range(min = 1, max = 256))]
    anchors: u32,
    /// Positives of an anchor in each band, 1 to 256.
    #[serde(default = "sixteen")]
    #[schemars(range(min = 1, max = 256))]
    positives: u32,
    /// Negatives of an anchor in each band, 1 to 256.
    #[serde(default = "sixteen")]
    #[schemars(range(min = 1, max = 256))]
    negatives: u32,
    /// Where positives and negatives lie, in bands from the finest to the coarsest, 1 to 16 of them.
    bands: Vec<Band>,
}

/// Where positives and negatives lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Band {
    /// The least and the most seconds from an anchor's start to a positive's, before or behind, 0 to 3600.
    positive: [f64; 2],
    /// The same of a negative.
    negative: [f64; 2],
}

fn sixteen() -> u32 {
    16
}

/// What a view is, and the numbers that say so.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Role {
    anchor: u32,
    band: Option<u32>,
    role: u32,
    /// In frames.
    distance: i64,
}

impl Neighbours {
    fn views(&self) -> u32 {
        self.anchors * (1 + self.bands.len() as u32 * (self.positives + self.negatives))
    }

    fn frames(&self, rate: u32, hop: u32) -> u64 {
        ((self.seconds * f64::from(rate) / f64::from(hop)).round() as u64).max(1)
    }

    /// Adds starts and roles of all views in a clip with places from 0 to `room`; none where some have no place.
    fn draw(
        &self,
        room: u64,
        frames_a_second: f64,
        random: &mut Random,
        views: &mut Vec<(u64, Role)>,
    ) -> Option<()> {
        let near = |[least, most]: [f64; 2]| {
            let [least, most] = [least, most].map(|seconds| (seconds * frames_a_second).round() as u64);
            Near { least, most, room }
        };
        let all = self.bands.iter().flat_map(|band| [near(band.positive), near(band.negative)]);
        // What has room at the greatest of the least distances has room at all of them.
        let farthest = all.max_by_key(|near| near.least)?;
        for anchor in 0..self.anchors {
            let start = farthest.first(random)?;
            views.push((start, Role { anchor, band: None, role: 0, distance: 0 }));
            for (number, band) in (0..).zip(&self.bands) {
                let positives = std::iter::repeat_n((1, near(band.positive)), self.positives as usize);
                let negatives = std::iter::repeat_n((2, near(band.negative)), self.negatives as usize);
                for (role, near) in positives.chain(negatives) {
                    let place = near.other(start, random)?;
                    let distance = place as i64 - start as i64;
                    views.push((place, Role { anchor, band: Some(number), role, distance }));
                }
            }
        }
        Some(())
    }
}

impl Declare for Neighbours {
    const NAME: &'static str = "neighbours";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Neighbours {
    fn check(&self) -> Result<(), Invalid> {
        let right = self.seconds > 0.0 && self.seconds <= 3600.0;
        Invalid::unless(right, "seconds", "must be more than 0 and at most 3600")?;
        for (name, number) in
            [("anchors", self.anchors), ("positives", self.positives), ("negatives", self.negatives)]
        {
            Invalid::unless((1..=256).contains(&number), name, "must be from 1 to 256")?;
        }
        Invalid::unless((1..=16).contains(&self.bands.len()), "bands", "must be from 1 to 16 bands")?;
        for (number, band) in self.bands.iter().enumerate() {
            for (name, [least, most]) in [("positive", band.positive), ("negative", band.negative)] {
                let right = 0.0 <= least && least <= most && most <= 3600.0;
                let message = "must be two numbers of seconds, 0 to 3600, the lower one first";
                Invalid::unless(right, &format!("bands.{number}.{name}"), message)?;
            }
        }
        Ok(())
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?.clips()?.in_time()?;
        let most_frames = signal.rate.map(|rate| self.frames(rate, signal.hop));
        let frames = most_frames.filter(|_| signal.frames.is_some());
        if let (Some(clip), Some(window)) = (signal.frames, frames)
            && window > clip
        {
            let message = format!("`seconds` is longer than the clips, {window} frames of {clip}");
            return Err(Invalid::of("seconds", message));
        }
        let views = signal.views.saturating_mul(self.views());
        let mut signal = SignalType { frames, most_frames, views, ..signal };
        NAMES.iter().for_each(|name| signal.draws(name));
        Ok(Flow::Signal(signal))
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        let neighbours = self.clone();
        Body::Map(Box::new(move |context| {
            Box::new(Work {
                neighbours: neighbours.clone(),
                context,
                notes: Notes::new(NAMES),
                header: Header::default(),
                begun: Header::default(),
                drawn: Vec::new(),
                clip: Collected::default(),
            })
        }))
    }
}

/// What each view carries.
const NAMES: [&str; 4] = ["anchor", "band", "role", "distance"];

/// Windows overlap and are many: the clip is kept, and each is cut from it.
struct Work {
    neighbours: Neighbours,
    context: Context,
    notes: Notes,
    header: Header,
    /// That of the view that is given.
    begun: Header,
    /// Starts and roles of the views.
    drawn: Vec<(u64, Role)>,
    clip: Collected,
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, _: &mut dyn Output) -> Step {
        self.clip.begin(header);
        self.header.clone_from(header);
        Ok(())
    }

    fn block(&mut self, block: &mut Block, _: &mut dyn Output) -> Step {
        self.clip.push(block);
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        let header = &self.header;
        let window = self.neighbours.frames(header.rate, header.hop);
        let frames = self.clip.clip().frames() as u64;
        let frames_a_second = f64::from(header.rate) / f64::from(header.hop);
        let mut random = self.context.random(&header.item, header.start, header.view);
        let room = frames.checked_sub(window);
        self.drawn.clear();
        let drawn =
            room.and_then(|room| self.neighbours.draw(room, frames_a_second, &mut random, &mut self.drawn));
        if drawn.is_none() {
            output.count("too_short", 1);
            return Ok(());
        }
        let first = header.view * self.neighbours.views();
        for ((start, role), view) in self.drawn.iter().zip(first..) {
            cut(header, *start, window, view, &mut self.begun);
            let numbers = [
                Some(role.anchor.into()),
                role.band.map(f64::from),
                Some(role.role.into()),
                Some(role.distance as f64 / frames_a_second),
            ];
            self.notes.note(&mut self.begun, numbers);
            output.begin(&self.begun)?;
            let (from, to) = (*start as usize, (*start + window) as usize);
            self.clip.cut(from, to, self.context.block, output)?;
            output.end()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::harness::{clip, operator, run, wrong};

    fn neighbours(change: &[(&str, Value)]) -> Neighbours {
        let mut parameters = json!({
            "seconds": 0.1, "anchors": 3, "positives": 2, "negatives": 4,
            "bands": [
                {"positive": [0.1, 0.5], "negative": [0.6, 1.0]},
                {"positive": [0.5, 1.0], "negative": [1.5, 3.0]},
            ],
        });
        change.iter().for_each(|(name, value)| parameters[*name] = value.clone());
        operator(parameters)
    }

    fn ramp(frames: usize) -> Vec<f32> {
        (0..frames).map(|i| i as f32).collect()
    }

    #[test]
    fn every_view_lies_in_its_band() {
        let operator = neighbours(&[]);
        for number in 0..20 {
            let signals = run(&operator, &[clip(number * 10_000, &ramp(5000))]).signals;
            assert_eq!(signals.len(), 3 * (1 + 2 * (2 + 4)));
            let mut anchor = 0.0;
            for (view, (header, planes)) in signals.iter().enumerate() {
                let said: Vec<Option<f64>> = header.drawn.iter().map(|(_, number)| *number).collect();
                assert_eq!((header.view, planes[0].len()), (view as u32, 100));
                let start = f64::from(planes[0][0]);
                assert_eq!(header.start, number * 10_000 + start as u64);
                let place = view % 13;
                assert_eq!(said[0], Some((view / 13) as f64));
                if place == 0 {
                    anchor = start;
                    assert_eq!(said[1..], [None, Some(0.0), Some(0.0)]);
                    continue;
                }
                let (band, role) = ((place - 1) / 6, if (place - 1) % 6 < 2 { 1 } else { 2 });
                assert_eq!(said[1..3], [Some(band as f64), Some(f64::from(role))]);
                let distance = (start - anchor) / 1000.0;
                assert!((said[3].unwrap() - distance).abs() < 1e-9);
                let Band { positive, negative } = &operator.bands[band];
                let [least, most] = if role == 1 { positive } else { negative };
                assert!((*least..=*most).contains(&distance.abs()), "{distance} in band {band}");
            }
        }
    }

    #[test]
    fn each_parameter_counts() {
        let views = |change: &[(&str, Value)]| run(&neighbours(change), &[clip(0, &ramp(5000))]).signals;
        assert_eq!(views(&[("anchors", json!(5))]).len(), 5 * 13);
        assert_eq!(views(&[("positives", json!(1))]).len(), 3 * 11);
        assert_eq!(views(&[("negatives", json!(1))]).len(), 3 * 7);
        assert_eq!(views(&[("seconds", json!(0.2))])[0].1[0].len(), 200);
        let one = json!([{"positive": [0, 0], "negative": [2, 2]}]);
        for (header, _) in views(&[("bands", one)]) {
            let distance = header.drawn[3].1.unwrap().abs();
            assert_eq!(distance, if header.drawn[2].1 == Some(2.0) { 2.0 } else { 0.0 });
        }
    }

    #[test]
    fn without_room_there_is_none() {
        let outcome = run(&neighbours(&[]), &[clip(0, &ramp(1500))]);
        assert_eq!((outcome.signals.len(), outcome.counts["too_short"]), (0, 1));
        let outcome = run(&neighbours(&[]), &[clip(0, &ramp(50))]);
        assert_eq!((outcome.signals.len(), outcome.counts["too_short"]), (0, 1));
    }

    #[test]
    fn ranges_are_enforced() {
        let wrong = |name: &str, value: Value| wrong(&neighbours(&[(name, value)]));
        for seconds in [0, 3601] {
            assert_eq!(wrong("seconds", json!(seconds)), Some("seconds".into()));
        }
        for name in ["anchors", "positives", "negatives"] {
            assert_eq!(wrong(name, json!(0)), Some(name.into()));
            assert_eq!(wrong(name, json!(257)), Some(name.into()));
        }
        let band = json!({"positive": [1, 2], "negative": [1, 2]});
        for bands in [vec![], vec![band; 17]] {
            assert_eq!(wrong("bands", json!(bands)), Some("bands".into()));
        }
        for (positive, negative, wrong_one) in
            [([-1, 2], [1, 2], "positive"), ([1, 3601], [1, 2], "positive"), ([1, 2], [1, 3601], "negative")]
        {
            let bands = json!([{"positive": positive, "negative": negative}]);
            assert_eq!(wrong("bands", bands), Some(format!("bands.0.{wrong_one}")));
        }
        let band = json!([{"positive": [1, 2], "negative": [3, 2]}]);
        assert_eq!(wrong("bands", band), Some("bands.0.negative".into()));
    }
}
