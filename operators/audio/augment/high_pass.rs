//! High frequencies alone.

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::biquad::{self, Biquad};
use super::clip::Clip;
use super::drawing::Drawing;
use super::range::{Range, half, within};
use super::step::Change;

/// Takes low frequencies away: second-order Butterworth, 12 dB an octave.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HighPass {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Lowest and highest cutoff (−3 dB) in Hz, 1 to 192000 and below half the rate.
    #[serde(default = "cutoff")]
    cutoff: Range,
}

fn cutoff() -> Range {
    [20.0, 2400.0]
}

impl Change for HighPass {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.cutoff, (1.0, 192_000.0), "Hz", "cutoff")
    }

    fn suits(&self, rate: u32) -> Result<(), String> {
        let half = f64::from(rate) / 2.0;
        if self.cutoff[1] < half {
            return Ok(());
        }
        Err(format!("`cutoff` must stay below half the rate, {half} Hz"))
    }

    fn draws(&self) -> &'static [&'static str] {
        &["cutoff_hz"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let cutoff = draw.number(0, self.cutoff);
        biquad::run([Biquad::high_pass(cutoff, f64::from(draw.rate))], clip);
        Ok(())
    }
}
