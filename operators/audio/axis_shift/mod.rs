//! Moves clips along an axis, by a number that is drawn.

mod span;
#[cfg(test)]
mod tests;
mod work;

use etude_pipeline::flow::{Flow, SignalType};
use etude_pipeline::operator::{Body, Declare, Inputs, Invalid, Operator, Port, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use span::Span;
use work::Work;

use crate::Expect;

/// Moves each clip by whole bins or frames, drawn at random: a change of pitch where bins are evenly spaced in pitch
/// (cqt, vqt), or of time.
///
/// The number drawn, each as likely, is kept as `axis_shift_bins` or `axis_shift_frames`, keyed on (seed, stage, item,
/// start, epoch, view). Positive moves what is heard up in pitch, or to a later time: out[i] = in[i − shift]. Each
/// plane of the channels is moved alike. PESTO takes 264 of 296 bins with `{axis: pitch, by: [-16, 16], edge: crop}`;
/// STONE 84 of 99 with `by: [0, 15]`; Lattner's pairs are moved by `[-24, 24]` bins or `[-12, 12]` frames, and zeros
/// come in. A clip of which `crop` would leave no frame gives none and is counted (`too_short`).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AxisShift {
    /// What is moved: bins (of features) or frames (of features or audio).
    axis: Axis,
    /// The lowest and the highest shift, in whole bins or frames, −1000000 to 1000000. With `edge: crop`, 0 lies
    /// within.
    by: [i64; 2],
    /// What becomes of the edges.
    #[serde(default)]
    edge: Edge,
    /// The views that are moved; all by default. The others are moved by 0.
    #[serde(default)]
    views: Option<Vec<u32>>,
}

/// What is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Axis {
    /// Bins of each plane.
    Pitch,
    /// Frames.
    Time,
}

/// What becomes of the edges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Edge {
    /// What comes in is 0: n bins or frames stay n, and `start` stays.
    #[default]
    Zero,
    /// Only what is left at every shift is kept: n − (high − low) bins or frames, in[high − shift] and on. In time
    /// `start` moves along.
    Crop,
}

const MOST: i64 = 1_000_000;

impl Declare for AxisShift {
    const NAME: &'static str = "axis_shift";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for AxisShift {
    fn check(&self) -> Result<(), Invalid> {
        let [low, high] = self.by;
        let right = -MOST <= low && low <= high && high <= MOST;
        let message = "must be [low, high], whole numbers with −1000000 ≤ low ≤ high ≤ 1000000";
        Invalid::unless(right, "by", message)?;
        let right = self.edge == Edge::Zero || (low <= 0 && 0 <= high);
        Invalid::unless(right, "by", "must have 0 between low and high for `edge: crop`")?;
        crate::check_views(self.views.as_deref())
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?.clips()?.in_time()?;
        // What is masked in one view is told by another, which would be moved otherwise.
        let mut signal = if signal.views > 1 { signal.unmasked()? } else { signal };
        crate::suit_views(self.views.as_deref(), signal.views)?;
        signal.draws(self.name());
        match self.axis {
            Axis::Pitch => self.pitch(signal),
            Axis::Time => self.time(signal),
        }
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        let shift = self.clone();
        Body::Map(Box::new(move |context| Box::new(Work::new(shift.clone(), context))))
    }
}

impl AxisShift {
    /// The name of the number that is drawn.
    fn name(&self) -> &'static str {
        match self.axis {
            Axis::Pitch => "axis_shift_bins",
            Axis::Time => "axis_shift_frames",
        }
    }

    fn pitch(&self, signal: SignalType) -> Result<Flow, Invalid> {
        let message = "`axis: pitch` expects features, whose channels are bins, not audio";
        Invalid::unless(signal.hop != 1, "axis", message)?;
        let planes = signal.planes.max(1);
        let bins = signal.channels.ok_or("expects the same number of bins for all items")? / planes;
        let left = self.left(bins.into(), "bins")? as u16;
        Ok(Flow::Signal(SignalType { channels: Some(planes * left), ..signal }))
    }

    fn time(&self, signal: SignalType) -> Result<Flow, Invalid> {
        if let Some(frames) = signal.frames.or(signal.most_frames) {
            self.left(frames, "frames")?;
        }
        let left = |frames: u64| Span::of(self, frames, 0).map(|span| span.size());
        let (frames, most_frames) = (signal.frames.and_then(left), signal.most_frames.and_then(left));
        Ok(Flow::Signal(SignalType { frames, most_frames, ..signal }))
    }

    /// What is left of so many bins or frames.
    fn left(&self, size: u64, unit: &str) -> Result<u64, Invalid> {
        let [low, high] = self.by;
        let gone = self.edge == Edge::Zero && low.unsigned_abs().max(high.unsigned_abs()) >= size;
        let message = format!("`by` moves all of the {size} {unit} out of the clip: {low} to {high}");
        Invalid::unless(!gone, "by", message)?;
        let left = Span::of(self, size, 0).map(|span| span.size());
        left.ok_or_else(|| {
            Invalid::of("by", format!("`by` leaves nothing of the {size} {unit}: {low} to {high}"))
        })
    }
}
