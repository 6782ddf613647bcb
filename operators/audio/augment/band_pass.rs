//! A band of frequencies alone.

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::biquad;
use super::clip::Clip;
use super::drawing::Drawing;
use super::range::{Range, half, within};
use super::rolloff;
use super::step::Change;

/// Keeps a band of frequencies: a Butterworth high-pass at its lower edge and a low-pass at its upper one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BandPass {
    /// The probability.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// Lowest and highest centre in Hz, 1 to 192000 and below half the rate.
    #[serde(default = "centre")]
    centre: Range,
    /// Narrowest and widest band as a fraction of the centre, 0.01 to 1.99. The edges are half of it below the centre and
    /// half of it above; at or above half the rate nothing is taken away.
    #[serde(default = "bandwidth_fraction")]
    bandwidth_fraction: Range,
    /// Least and most it falls by beyond each edge, in dB an octave: multiples of 6, of which one is drawn, 6 to 96.
    #[serde(default = "rolloff::rolloff")]
    rolloff: Range,
}

fn centre() -> Range {
    [200.0, 4000.0]
}

fn bandwidth_fraction() -> Range {
    [0.5, 1.99]
}

impl Change for BandPass {
    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self) -> Result<(), Invalid> {
        within(self.centre, (1.0, 192_000.0), "Hz", "centre")?;
        within(self.bandwidth_fraction, (0.01, 1.99), "", "bandwidth_fraction")?;
        rolloff::check(self.rolloff)
    }

    fn suits(&self, rate: u32) -> Result<(), String> {
        let half = f64::from(rate) / 2.0;
        if self.centre[1] < half {
            return Ok(());
        }
        Err(format!("`centre` must stay below half the rate, {half} Hz"))
    }

    fn draws(&self) -> &'static [&'static str] {
        &["centre_hz", "bandwidth_fraction", "rolloff_db"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let (centre, rate) = (draw.number(0, self.centre), f64::from(draw.rate));
        let half_width = centre * draw.number(1, self.bandwidth_fraction) / 2.0;
        let order = rolloff::draw(self.rolloff, 2, draw);
        let high_pass = biquad::high_pass(centre - half_width, rate, order);
        let above = centre + half_width;
        // Nothing lies above half the rate.
        let low_pass = (above < rate / 2.0).then(|| biquad::low_pass(above, rate, order));
        biquad::run(high_pass.chain(low_pass.into_iter().flatten()), clip);
        Ok(())
    }
}
