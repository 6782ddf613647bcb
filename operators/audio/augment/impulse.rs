//! The reverberation of a place that was recorded.

use std::cell::RefCell;
use std::sync::Arc;

use etude_pipeline::flow::Block;
use etude_pipeline::operator::{Invalid, Port, Step, Stop};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clip::Clip;
use super::convolution::Response;
use super::drawing::Drawing;
use super::level::energy;
use super::range::{Range, half, within};
use super::side;
use super::sounds::{Shape, Sounds};
use super::step::Change;

/// Plays it in a place: convolves it with a random impulse response of the stage at `impulses`, which has the same rate,
/// and one channel or as many.
///
/// The response's strongest sample, which is the direct sound, comes to lie on the clip's own, so nothing is late; what
/// rings on behind the clip's end is cut off. It stays as loud as it was (RMS). A silent response changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Impulse {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Least and most of it, 0 (the clip as it was) to 1 (as it sounds in that place). In between they are mixed.
    #[serde(default = "mix")]
    mix: Range,
}

fn mix() -> Range {
    [1.0, 1.0]
}

thread_local!(static DRY: RefCell<Vec<f32>> = RefCell::default());

impl Change for Impulse {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.mix, (0.0, 1.0), "", "mix")
    }

    fn port(&self) -> Option<&'static Port> {
        Some(&side::IMPULSES)
    }

    fn draws(&self) -> &'static [&'static str] {
        &["mix", "row"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let Some(impulses) = &mut draw.side.impulses else { return Err(side::missing(&side::IMPULSES)) };
        let mix = draw.random.range(self.mix[0], self.mix[1]);
        let row = draw.random.below(impulses.sounds.count());
        let Some(response) = impulses.response(row, clip, draw.rate)? else { return Ok(()) };
        DRY.with_borrow_mut(|dry| {
            dry.clear();
            dry.extend_from_slice(clip.samples());
            response.run(clip);
            let ratio = (energy(dry) / energy(clip.samples())).sqrt();
            // Of what is silent there is nothing to make louder.
            let factor = if ratio.is_finite() { mix * ratio } else { 0.0 } as f32;
            let rest = (1.0 - mix) as f32;
            clip.samples_mut().iter_mut().zip(dry).for_each(|(wet, dry)| *wet = factor * *wet + rest * *dry);
        });
        draw.note(0, mix);
        draw.note(1, row as f64);
        Ok(())
    }
}

/// Bytes of impulse responses that a worker keeps.
pub const KEPT: usize = 32 << 20;

/// Impulse responses, and those that were used last as they are needed.
pub struct Impulses {
    sounds: Box<dyn Sounds>,
    /// Bytes that are kept at most.
    limit: usize,
    /// The last used comes last.
    kept: Vec<Kept>,
}

struct Kept {
    row: u64,
    /// The length of the clips that it is for.
    frames: usize,
    shape: Shape,
    /// None of one that is silent.
    response: Option<Arc<Response>>,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.response.as_ref().map_or(0, |response| response.bytes())
    }
}

impl Impulses {
    pub fn new(sounds: Box<dyn Sounds>, limit: usize) -> Self {
        Self { sounds, limit, kept: Vec::new() }
    }

    /// The impulse response in a row, for a clip.
    fn response(&mut self, row: u64, clip: &Block, rate: u32) -> Result<Option<Arc<Response>>, Stop> {
        let frames = clip.frames();
        let kept = match self.kept.iter().position(|kept| (kept.row, kept.frames) == (row, frames)) {
            Some(at) => self.kept.remove(at),
            None => self.read(row, frames)?,
        };
        kept.shape.suits(side::IMPULSES.name, rate, clip.channels())?;
        let response = kept.response.clone();
        self.kept.push(kept);
        while self.bytes() > self.limit {
            self.kept.remove(0);
        }
        Ok(response)
    }

    /// Bytes of what is kept.
    pub fn bytes(&self) -> usize {
        self.kept.iter().map(Kept::bytes).sum()
    }

    fn read(&mut self, row: u64, frames: usize) -> Result<Kept, Stop> {
        let shape = self.sounds.shape(row)?;
        let impulse = self.sounds.read(row, 0..shape.frames)?;
        Ok(Kept { row, frames, shape, response: Response::of(&impulse, frames).map(Arc::new) })
    }
}
