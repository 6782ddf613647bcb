use etude_learning::train::Mask;
use etude_pipeline::random::Random;
use tch::{Device, Tensor};

use crate::pass::Pass;

/// Frames of a batch that the encoder does not see: as many of each clip.
pub struct Masked {
    /// Which, `[batch, frames]`.
    pub mask: Tensor,
    /// Their places in rising order, `[batch, masked]`.
    pub places: Tensor,
}

impl Masked {
    /// Draws which frames are masked.
    pub fn draw(parameters: &Mask, [batch, frames]: [usize; 2], pass: &Pass, device: Device) -> Self {
        let spans = pass.draw(|random| masks(parameters, batch, frames, random));
        let mask: Vec<bool> = spans.iter().flatten().copied().collect();
        let places: Vec<i64> = spans
            .iter()
            .flat_map(|clip| {
                clip.iter().enumerate().filter(|(_, masked)| **masked).map(|(place, _)| place as i64)
            })
            .collect();
        Self {
            mask: Tensor::from_slice(&mask).reshape([batch as i64, frames as i64]).to_device(device),
            places: Tensor::from_slice(&places).reshape([batch as i64, -1]).to_device(device),
        }
    }

    /// The masked ones of `[batch, frames, width]`, `[batch, masked, width]`.
    pub fn pick(&self, frames: &Tensor) -> Tensor {
        let (batch, masked) = (self.places.size()[0], self.places.size()[1]);
        let index = self.places.unsqueeze(-1).expand([batch, masked, frames.size()[2]], false);
        frames.gather(1, &index, false)
    }
}

/// A mask for each clip, of as many frames each (fairseq's rule: the fewest of any; others are seen after all).
fn masks(parameters: &Mask, clips: usize, frames: usize, random: &mut Random) -> Vec<Vec<bool>> {
    let mut masks: Vec<Vec<bool>> = (0..clips).map(|_| spans(parameters, frames, random)).collect();
    let count = |mask: &[bool]| mask.iter().filter(|masked| **masked).count();
    let fewest = masks.iter().map(|mask| count(mask)).min().unwrap_or(0);
    for mask in &mut masks {
        let mut places: Vec<usize> = (0..frames).filter(|place| mask[*place]).collect();
        while places.len() > fewest {
            let seen = random.below(places.len() as u64) as usize;
            mask[places.swap_remove(seen)] = false;
        }
    }
    masks
}

/// Spans that may overlap; their starts are drawn without repetition.
fn spans(parameters: &Mask, frames: usize, random: &mut Random) -> Vec<bool> {
    let length = parameters.length.min(frames);
    let starts = frames - length + 1;
    let wanted = (parameters.p * frames as f64 + random.uniform()) as usize;
    let count = wanted.max(parameters.least).min(starts);
    let mut all: Vec<usize> = (0..starts).collect();
    let mut mask = vec![false; frames];
    for place in 0..count {
        let other = place + random.below((starts - place) as u64) as usize;
        all.swap(place, other);
        mask[all[place]..all[place] + length].fill(true);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(parameters: &Mask, frames: usize) -> f64 {
        let mut random = Random::keyed(&[b"mask"]);
        let masks: Vec<Vec<bool>> = (0..2000).map(|_| spans(parameters, frames, &mut random)).collect();
        let masked: usize = masks.iter().flatten().filter(|masked| **masked).count();
        masked as f64 / (2000 * frames) as f64
    }

    #[test]
    fn masks_what_wav2vec2_masks() {
        // wav2vec 2.0, section 4.2: p 0.065 and 10 frames mask about 49 % of a clip.
        let share = share(&Mask::default(), 750);
        assert!((share - 0.491).abs() < 0.01, "{share}");
    }

    #[test]
    fn each_parameter_counts() {
        let mask = |p, length, least| Mask { p, length, least };
        assert!(share(&mask(0.1, 10, 2), 200) > share(&mask(0.05, 10, 2), 200) + 0.1);
        assert!(share(&mask(0.05, 20, 2), 200) > share(&mask(0.05, 10, 2), 200) + 0.1);
        assert!(share(&mask(0.001, 10, 9), 200) > share(&mask(0.001, 10, 2), 200) + 0.1);
    }

    #[test]
    fn all_clips_have_as_many() {
        let mut random = Random::keyed(&[b"batch"]);
        for (clips, frames) in [(1, 5), (4, 49), (7, 12)] {
            let masks = masks(&Mask::default(), clips, frames, &mut random);
            let counts: Vec<usize> =
                masks.iter().map(|mask| mask.iter().filter(|masked| **masked).count()).collect();
            assert!(counts.iter().all(|count| *count == counts[0] && *count > 0), "{counts:?}");
        }
    }
}
