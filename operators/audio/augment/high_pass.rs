//! High frequencies alone.

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::biquad;
use super::clip::Clip;
use super::drawing::Drawing;
use super::range::{Range, half, within};
use super::rolloff;
use super::step::Change;

/// Takes low frequencies away: Butterworth.
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
    /// Least and most it falls by beyond the cutoff, in dB an octave: multiples of 6, of which one is drawn, 6 to 96.
    #[serde(default = "rolloff::rolloff")]
    rolloff: Range,
}

fn cutoff() -> Range {
    [20.0, 2400.0]
}

impl Change for HighPass {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.cutoff, (1.0, 192_000.0), "Hz", "cutoff")?;
        rolloff::check(self.rolloff)
    }

    fn suits(&self, rate: u32) -> Result<(), String> {
        let half = f64::from(rate) / 2.0;
        if self.cutoff[1] < half {
            return Ok(());
        }
        Err(format!("`cutoff` must stay below half the rate, {half} Hz"))
    }

    fn draws(&self) -> &'static [&'static str] {
        &["cutoff_hz", "rolloff_db"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let cutoff = draw.number(0, self.cutoff);
        let order = rolloff::draw(self.rolloff, 1, draw);
        biquad::run(biquad::high_pass(cutoff, f64::from(draw.rate), order), clip);
        Ok(())
    }
}
