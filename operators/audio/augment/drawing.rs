//! What a step draws, and what is noted of it.

use etude_pipeline::random::Random;

use super::range::Range;
use super::side::Side;

/// What a step gets beside the clip.
pub struct Drawing<'a> {
    /// Samples a second of the clip.
    pub rate: u32,
    /// The step's own numbers.
    pub random: Random,
    /// Clips of other stages.
    pub side: &'a mut Side,
    /// What it has drawn, in the order of its names.
    pub drawn: &'a mut [Option<f64>],
}

impl Drawing<'_> {
    /// Draws from a range, and notes it under the name at that place in [`super::step::Change::draws`].
    pub fn number(&mut self, name: usize, range: Range) -> f64 {
        let number = self.random.range(range[0], range[1]);
        self.note(name, number);
        number
    }

    /// Notes a number that was drawn otherwise.
    pub fn note(&mut self, name: usize, number: f64) {
        self.drawn[name] = Some(number);
    }
}
