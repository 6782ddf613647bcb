//! What stands before and behind a clip.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a clip is continued with.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Silence.
    #[default]
    Zero,
    /// The clip backwards, without its outermost sample, as often as it takes.
    Reflect,
}

impl Padding {
    /// Copies the clip from that sample on, continued to either side.
    pub fn copy(self, clip: &[f32], from: isize, to: &mut [f32]) {
        let count = to.len() as isize;
        let inside = (-from).clamp(0, count);
        let behind = (clip.len() as isize - from).clamp(inside, count);
        if inside < behind {
            let clip = &clip[(from + inside) as usize..(from + behind) as usize];
            to[inside as usize..behind as usize].copy_from_slice(clip);
        }
        for place in (0..inside).chain(behind..count) {
            to[place as usize] = self.at(clip, from + place);
        }
    }

    /// A sample outside of the clip.
    fn at(self, clip: &[f32], place: isize) -> f32 {
        match self {
            Padding::Zero => 0.0,
            Padding::Reflect => {
                let period = (2 * (clip.len() as isize - 1)).max(1);
                let place = place.rem_euclid(period);
                clip[place.min(period - place) as usize]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(padding: Padding, clip: &[f32], from: isize, length: usize) -> Vec<f32> {
        let mut samples = vec![9.0; length];
        padding.copy(clip, from, &mut samples);
        samples
    }

    #[test]
    fn silence_or_the_clip_backwards() {
        let clip = [1.0, 2.0, 3.0];
        assert_eq!(copied(Padding::Zero, &clip, -2, 7), [0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
        // As numpy.pad(clip, 5, "reflect").
        let reflected = [2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0];
        assert_eq!(copied(Padding::Reflect, &clip, -5, 13), reflected);
        for (at, sample) in reflected.into_iter().enumerate() {
            assert_eq!(copied(Padding::Reflect, &clip, at as isize - 5, 1), [sample]);
        }
        assert_eq!(copied(Padding::Zero, &clip, 4, 2), [0.0; 2]);
        assert_eq!(copied(Padding::Zero, &clip, -9, 2), [0.0; 2]);
        assert_eq!(copied(Padding::Reflect, &[5.0], -2, 4), [5.0; 4]);
    }
}
