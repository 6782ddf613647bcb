//! How steep a filter is.

use etude_pipeline::operator::Invalid;

use super::drawing::Drawing;
use super::range::{Range, within};

/// What each order of a filter gives, in dB an octave.
const ORDER: f64 = 6.0;

/// audiomentations'.
pub fn rolloff() -> Range {
    [2.0 * ORDER, 4.0 * ORDER]
}

/// Errors: it is not within 6 and 96 dB an octave, or no multiple of 6.
pub fn check(rolloff: Range) -> Result<(), Invalid> {
    within(rolloff, (ORDER, 16.0 * ORDER), "dB an octave", "rolloff")?;
    let whole = rolloff.iter().all(|side| side % ORDER == 0.0);
    Invalid::unless(whole, "rolloff", "must be multiples of 6 dB an octave")
}

/// Draws the order of a filter, and notes how steep it is.
pub fn draw([least, most]: Range, name: usize, draw: &mut Drawing<'_>) -> usize {
    let further = draw.random.below(((most - least) / ORDER) as u64 + 1);
    let order = (least / ORDER) as usize + further as usize;
    draw.note(name, order as f64 * ORDER);
    order
}
