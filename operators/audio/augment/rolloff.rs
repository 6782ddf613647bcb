//! How steep a filter is.

use etude_pipeline::operator::Invalid;

use super::drawing::Drawing;
use super::range::{Range, within};

/// What a section of second order gives, in dB an octave.
const SECTION: f64 = 12.0;

pub fn rolloff() -> Range {
    [SECTION, 2.0 * SECTION]
}

/// Errors: it is not within 12 and 96 dB an octave, or no multiple of 12.
pub fn check(rolloff: Range) -> Result<(), Invalid> {
    within(rolloff, (SECTION, 8.0 * SECTION), "dB an octave", "rolloff")?;
    let whole = rolloff.iter().all(|side| side % SECTION == 0.0);
    Invalid::unless(whole, "rolloff", "must be multiples of 12 dB an octave")
}

/// Draws how many sections of second order a filter has, and notes how steep it is.
pub fn draw([least, most]: Range, name: usize, draw: &mut Drawing<'_>) -> usize {
    let further = draw.random.below(((most - least) / SECTION) as u64 + 1);
    let sections = (least / SECTION) as usize + further as usize;
    draw.note(name, sections as f64 * SECTION);
    sections
}
