//! The gain that leads to a target.

use etude_pipeline::flow::Block;
use etude_pipeline::operator::Output;

use super::Normalise;
use crate::measure::{Measure, from_db};

/// A factor, and what there is to count of how it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Gain {
    factor: f32,
    counts: [Option<&'static str>; 2],
}

impl Default for Gain {
    fn default() -> Self {
        Self { factor: 1.0, counts: [None; 2] }
    }
}

impl Gain {
    /// What brings something that measures so to its target.
    pub(super) fn of(normalise: &Normalise, measure: &Measure) -> Self {
        let level = measure.level();
        let as_it_is = |why| Self { counts: [Some(why), None], ..Self::default() };
        if !level.is_finite() {
            return as_it_is("not_finite");
        }
        let (target, found) = match (normalise.peak_db, normalise.rms_db, normalise.lufs) {
            (Some(target), ..) => (target, level.peak_db()),
            (_, Some(target), _) => (target, level.rms_db()),
            (.., target) => (target.unwrap_or_default(), measure.lufs()),
        };
        if found == f64::NEG_INFINITY {
            return as_it_is("silent");
        }
        let mut gain = target - found;
        let mut counts = [None; 2];
        if gain > normalise.max_gain_db {
            gain = normalise.max_gain_db;
            counts[0] = Some("gain_limited");
        }
        if let Some(room) =
            normalise.limit_peak_db.map(|limit| limit - level.peak_db()).filter(|room| gain > *room)
        {
            gain = room;
            counts[1] = Some("peak_limited");
        }
        Self { factor: from_db(gain) as f32, counts }
    }

    /// Counts what there is to count.
    pub(super) fn count(&self, output: &mut dyn Output) {
        self.counts.iter().flatten().for_each(|what| output.count(what, 1));
    }

    /// Changes a block.
    pub(super) fn apply(&self, block: &mut Block) {
        if self.factor != 1.0 {
            block.samples_mut().iter_mut().for_each(|sample| *sample *= self.factor);
        }
    }
}
