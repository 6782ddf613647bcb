use etude_learning::encoder::Frames;
use etude_learning::train::Mask;
use etude_pipeline::flow;
use etude_pipeline::random::Random;
use tch::{Device, Tensor};

use crate::error::Error;
use crate::pass::Pass;

/// Frames of a batch that the encoder does not see: as many of each clip.
pub struct Masked {
    /// Those that it does not see, `[batch, frames]`: all of them, or a part, where something else stands in the others.
    pub unseen: Tensor,
    /// Their places in rising order, `[batch, masked]`.
    pub places: Tensor,
}

impl Masked {
    /// Draws which frames are masked.
    pub fn draw(parameters: &Mask, [batch, frames]: [usize; 2], pass: &Pass, device: Device) -> Self {
        let masks = pass.draw(|random| {
            let masks = (0..batch).map(|_| parameters.draw(frames, random)).collect();
            alike(masks, random)
        });
        Self::of(&masks, &masks, frames, device)
    }

    /// Masks the frames whose centres lie within spans of the clips' own frames, samples where they are audio, which came with the clips: from, and up to but not
    /// including.
    ///
    /// Errors: a clip without a masked frame.
    pub fn of_clips(
        clips: &[flow::Mask],
        frames: Frames,
        count: usize,
        pass: &Pass,
        device: Device,
    ) -> Result<Self, Error> {
        let count = frames.count(count);
        let within = |spans: &[(u64, u64)]| -> Vec<bool> {
            let centres = (0..count).map(|frame| (frame * frames.hop + frames.field / 2) as u64);
            centres.map(|centre| spans.iter().any(|(from, to)| (*from..*to).contains(&centre))).collect()
        };
        let masks: Vec<Vec<bool>> = clips.iter().map(|mask| within(&mask.covered)).collect();
        if masks.iter().any(|mask| !mask.contains(&true)) {
            return Err(Error::Input("a clip has no masked frame: raise `p` of what masks them".into()));
        }
        let masks = pass.draw(|random| alike(masks, random));
        // What is seen after all is not hidden either.
        let both = |(mask, clip): (&Vec<bool>, &flow::Mask)| {
            mask.iter().zip(within(&clip.unseen)).map(|(masked, unseen)| *masked && unseen).collect()
        };
        let unseen: Vec<Vec<bool>> = masks.iter().zip(clips).map(both).collect();
        Ok(Self::of(&masks, &unseen, count, device))
    }

    fn of(masks: &[Vec<bool>], unseen: &[Vec<bool>], frames: usize, device: Device) -> Self {
        let batch = masks.len();
        let unseen: Vec<bool> = unseen.iter().flatten().copied().collect();
        let places: Vec<i64> = masks
            .iter()
            .flat_map(|clip| {
                clip.iter().enumerate().filter(|(_, masked)| **masked).map(|(place, _)| place as i64)
            })
            .collect();
        Self {
            unseen: Tensor::from_slice(&unseen).reshape([batch as i64, frames as i64]).to_device(device),
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

/// Masks of as many frames each (fairseq's rule: the fewest of any; others are seen after all).
fn alike(mut masks: Vec<Vec<bool>>, random: &mut Random) -> Vec<Vec<bool>> {
    let count = |mask: &[bool]| mask.iter().filter(|masked| **masked).count();
    let fewest = masks.iter().map(|mask| count(mask)).min().unwrap_or(0);
    for mask in &mut masks {
        let mut places: Vec<usize> = (0..mask.len()).filter(|place| mask[*place]).collect();
        while places.len() > fewest {
            let seen = random.below(places.len() as u64) as usize;
            mask[places.swap_remove(seen)] = false;
        }
    }
    masks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_clips_have_as_many() {
        let mut random = Random::keyed(&[b"batch"]);
        for (clips, frames) in [(1, 5), (4, 49), (7, 12)] {
            let masks = (0..clips).map(|_| Mask::default().draw(frames, &mut random)).collect();
            let masks = alike(masks, &mut random);
            let counts: Vec<usize> =
                masks.iter().map(|mask| mask.iter().filter(|masked| **masked).count()).collect();
            assert!(counts.iter().all(|count| *count == counts[0] && *count > 0), "{counts:?}");
        }
    }

    #[test]
    fn frames_are_masked_by_their_centres() {
        // Frames of 10 samples, 5 apart, have their centres at 5, 10, 15 …
        let frames = Frames { field: 10, hop: 5, features: 1, width: 1 };
        let marked = |spans: &[(u64, u64)]| flow::Mask::marked(spans.into());
        let masks = [marked(&[(0, 6), (14, 16)]), marked(&[(20, 31)])];
        let masked = Masked::of_clips(&masks, frames, 40, &Pass::evaluation(), Device::Cpu).unwrap();
        let mask = Vec::<bool>::try_from(masked.unseen.flatten(0, -1)).unwrap();
        assert_eq!(mask[..7], [true, false, true, false, false, false, false]);
        // Of the three of the second clip as many are left.
        let second: Vec<usize> = (0..7).filter(|frame| mask[7 + frame]).collect();
        assert!(second.len() == 2 && second.iter().all(|frame| (3..6).contains(frame)), "{second:?}");
        // Of those that are to be predicted only some are hidden.
        let some = [flow::Mask { unseen: [(14, 16)].as_slice().into(), ..marked(&[(0, 6), (14, 16)]) }];
        let masked = Masked::of_clips(&some, frames, 40, &Pass::evaluation(), Device::Cpu).unwrap();
        let hidden = Vec::<bool>::try_from(masked.unseen.flatten(0, -1)).unwrap();
        assert_eq!(hidden[..4], [false, false, true, false]);
        assert_eq!(Vec::<i64>::try_from(masked.places.flatten(0, -1)).unwrap(), [0, 2]);
        let none = Masked::of_clips(&[marked(&[(0, 5)])], frames, 40, &Pass::evaluation(), Device::Cpu);
        assert!(none.err().unwrap().to_string().contains("no masked frame"));
    }
}
