//! Low frequencies alone.

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::biquad::{self, Biquad};
use super::clip::Clip;
use super::drawing::Drawing;
use super::range::{Range, half, within};
use super::step::Change;

/// Takes high frequencies away: second-order Butterworth, 12 dB an octave.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LowPass {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Lowest and highest cutoff (−3 dB) in Hz, 1 to 192000. At or above half the rate nothing is taken away.
    #[serde(default = "cutoff")]
    cutoff: Range,
}

fn cutoff() -> Range {
    [150.0, 7500.0]
}

impl Change for LowPass {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.cutoff, (1.0, 192_000.0), "Hz", "cutoff")
    }

    fn draws(&self) -> &'static [&'static str] {
        &["cutoff_hz"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let (cutoff, rate) = (draw.number(0, self.cutoff), f64::from(draw.rate));
        if cutoff < rate / 2.0 {
            biquad::run([Biquad::low_pass(cutoff, rate)], clip);
        }
        Ok(())
    }
}
