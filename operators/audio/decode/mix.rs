//! Takes the channels that are wanted out of what a decoder gives, in one pass.

use symphonia::core::audio::{Audio, GenericAudioBufferRef};

use super::Channels;

/// All bits of the exponent: what is not a number or infinite has them.
const EXPONENT: u32 = 0x7f80_0000;

/// Takes the channels that are wanted out of a packet; gives the number of samples that were not finite and
/// count as 0.
pub(super) fn take(packet: &GenericAudioBufferRef<'_>, wanted: Channels, planes: &mut Vec<Vec<f32>>) -> u64 {
    let count = packet.spec().channels().count();
    match packet {
        GenericAudioBufferRef::F32(buffer) => {
            let rows = Rows { count, row: |at| buffer.plane(at).unwrap_or_default(), value: |sample| sample };
            rows.take(wanted, planes);
            rows.clean(wanted, planes)
        }
        GenericAudioBufferRef::S32(buffer) => {
            let value = |sample: i32| sample as f32 / 2_147_483_648.0;
            Rows { count, row: |at| buffer.plane(at).unwrap_or_default(), value }.take(wanted, planes);
            0
        }
        other => {
            let mut all = Vec::new();
            other.copy_to_vecs_planar::<f32>(&mut all);
            mixed(&all, wanted, planes)
        }
    }
}

/// The same of samples that are there as floats.
pub(super) fn mixed(all: &[Vec<f32>], wanted: Channels, planes: &mut Vec<Vec<f32>>) -> u64 {
    let rows = Rows { count: all.len(), row: |at: usize| &all[at][..], value: |sample| sample };
    rows.take(wanted, planes);
    rows.clean(wanted, planes)
}

/// Sets samples that are not finite to 0 and gives their number.
pub(super) fn clean(planes: &mut [Vec<f32>]) -> u64 {
    let mut count = 0;
    for plane in planes.iter_mut().filter(|plane| !finite(plane)) {
        for sample in plane.iter_mut().filter(|sample| !sample.is_finite()) {
            *sample = 0.0;
            count += 1;
        }
    }
    count
}

/// Whether all are finite, in a pass without branches: nearly always they are.
fn finite(plane: &[f32]) -> bool {
    plane.iter().fold(0, |any, sample| any | u32::from(sample.to_bits() & EXPONENT == EXPONENT)) == 0
}

/// The channels of a packet as its decoder holds them.
struct Rows<Row, Value> {
    count: usize,
    row: Row,
    value: Value,
}

impl<'a, S: Copy + 'a, Row: Fn(usize) -> &'a [S], Value: Fn(S) -> f32 + Copy> Rows<Row, Value> {
    fn take(&self, wanted: Channels, planes: &mut Vec<Vec<f32>>) {
        let (row, value) = (&self.row, self.value);
        let mono = wanted == Channels::Mono && self.count > 1;
        let given = if wanted == Channels::Keep { self.count } else { self.count.min(1) };
        planes.resize_with(given, Vec::new);
        planes.iter_mut().for_each(Vec::clear);
        let share = 1.0 / self.count as f32;
        match planes.as_mut_slice() {
            [mean] if mono && self.count == 2 => {
                let both = row(0).iter().zip(row(1));
                mean.extend(both.map(|(left, right)| (value(*left) + value(*right)) * share));
            }
            [mean] if mono => {
                mean.extend(row(0).iter().map(|sample| value(*sample)));
                for channel in 1..self.count {
                    mean.iter_mut().zip(row(channel)).for_each(|(sum, sample)| *sum += value(*sample));
                }
                mean.iter_mut().for_each(|sum| *sum *= share);
            }
            planes => {
                for (channel, plane) in planes.iter_mut().enumerate() {
                    plane.extend(row(channel).iter().map(|sample| value(*sample)));
                }
            }
        }
    }

    /// What is not finite counts as 0, before it is mixed.
    fn clean(&self, wanted: Channels, planes: &mut [Vec<f32>]) -> u64 {
        let ([mean], Channels::Mono) = (&mut *planes, wanted) else { return clean(planes) };
        if finite(mean) {
            return 0;
        }
        let mut count = 0;
        for (at, mean) in mean.iter_mut().enumerate().filter(|(_, mean)| !mean.is_finite()) {
            let samples = (0..self.count).map(|channel| (self.value)((self.row)(channel)[at]));
            let kept = samples.filter(|sample| sample.is_finite());
            let (sum, finite) = kept.fold((0.0, 0), |(sum, count), sample| (sum + sample, count + 1));
            *mean = sum / self.count as f32;
            count += (self.count - finite) as u64;
        }
        // Sums may be too large all the same.
        count + clean(planes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(all: &[&[f32]], wanted: Channels) -> (Vec<Vec<f32>>, u64) {
        let all: Vec<Vec<f32>> = all.iter().map(|plane| plane.to_vec()).collect();
        // What was there before is replaced.
        let mut planes = vec![vec![9.0; 3]; 3];
        let count = mixed(&all, wanted, &mut planes);
        (planes, count)
    }

    #[test]
    fn channels_are_kept_mixed_or_left_out() {
        let all: [&[f32]; 3] = [&[1.0, 2.0], &[4.0, -2.0], &[1.0, 3.0]];
        assert_eq!(wanted(&all, Channels::Keep).0, all);
        assert_eq!(wanted(&all, Channels::First).0, [[1.0, 2.0]]);
        assert_eq!(wanted(&all, Channels::Mono).0, [[2.0, 1.0]]);
        assert_eq!(wanted(&all[..2], Channels::Mono).0, [[2.5, 0.0]]);
        assert_eq!(wanted(&all[..1], Channels::Mono).0, [[1.0, 2.0]]);
        assert!(wanted(&[], Channels::Mono).0.is_empty());
    }

    #[test]
    fn what_is_not_finite_becomes_zero_before_it_is_mixed() {
        let all: [&[f32]; 2] = [&[f32::NAN, 2.0, 1.0], &[1.0, f32::INFINITY, 1.0]];
        assert_eq!(wanted(&all, Channels::Mono), (vec![vec![0.5, 1.0, 1.0]], 2));
        assert_eq!(wanted(&all, Channels::First), (vec![vec![0.0, 2.0, 1.0]], 1));
        assert_eq!(wanted(&all, Channels::Keep).1, 2);
        assert_eq!(wanted(&[&[f32::MAX], &[f32::MAX]], Channels::Mono), (vec![vec![0.0]], 1));
    }
}
