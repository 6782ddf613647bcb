//! A band of frequencies alone.

use etude_pipeline::operator::{Invalid, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::biquad::{self, Biquad};
use super::clip::Clip;
use super::drawing::Drawing;
use super::range::{Range, half, within};
use super::step::Change;

/// Keeps a band of frequencies: a second-order Butterworth high-pass at its lower edge and a low-pass at its upper
/// one, 12 dB an octave each.
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
        within(self.bandwidth_fraction, (0.01, 1.99), "", "bandwidth_fraction")
    }

    fn suits(&self, rate: u32) -> Result<(), String> {
        let half = f64::from(rate) / 2.0;
        if self.centre[1] < half {
            return Ok(());
        }
        Err(format!("`centre` must stay below half the rate, {half} Hz"))
    }

    fn draws(&self) -> &'static [&'static str] {
        &["centre_hz", "bandwidth_fraction"]
    }

    fn apply(&self, clip: &mut Clip, draw: &mut Drawing<'_>) -> Step {
        let clip = clip.whole();
        let (centre, rate) = (draw.number(0, self.centre), f64::from(draw.rate));
        let half_width = centre * draw.number(1, self.bandwidth_fraction) / 2.0;
        let high_pass = Biquad::high_pass(centre - half_width, rate);
        if centre + half_width < rate / 2.0 {
            biquad::run([high_pass, Biquad::low_pass(centre + half_width, rate)], clip);
        } else {
            biquad::run([high_pass], clip);
        }
        Ok(())
    }
}
