//! A part of an axis.

use std::ops::Range;

use etude_pipeline::random::Random;

/// Draws a part of an axis of that size: its width, from the least to the most, at most `limit`; then its place, each
/// at which it fits as likely. The paper leaves out the last place.
pub fn part([least, most]: [u64; 2], limit: usize, size: usize, random: &mut Random) -> Range<usize> {
    let most = most.min(limit as u64).min(size as u64);
    let least = least.min(most);
    let width = (least + random.below(most - least + 1)) as usize;
    let from = random.below((size - width) as u64 + 1) as usize;
    from..from + width
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each width came, and each place of it, when drawn so often.
    fn counts(width: [u64; 2], limit: usize, size: usize, times: u32) -> Vec<Vec<u32>> {
        let mut random = Random::keyed(&[b"part"]);
        let mut counts: Vec<Vec<u32>> = (0..=size).map(|width| vec![0; size - width + 1]).collect();
        for _ in 0..times {
            let part = part(width, limit, size, &mut random);
            counts[part.len()][part.start] += 1;
        }
        counts
    }

    #[test]
    fn every_width_is_as_likely_and_every_place_of_it() {
        for (width, limit, size, range) in [
            ([0, 4], 9, 9, 0..=4),
            ([2, 4], 9, 9, 2..=4),
            ([0, 20], 9, 9, 0..=9),
            ([0, 20], 3, 9, 0..=3),
            ([5, 6], 3, 9, 3..=3),
            ([7, 7], 9, 7, 7..=7),
        ] {
            let widths = range.clone().count() as u32;
            let counts = counts(width, limit, size, 20_000 * widths);
            for (width, places) in counts.iter().enumerate() {
                let total: u32 = places.iter().sum();
                if !range.contains(&width) {
                    assert_eq!(total, 0, "{width} of {range:?}");
                    continue;
                }
                assert!((19_300..=20_700).contains(&total), "width {width}: {total}");
                // Pearson's statistic: its mean is the degrees of freedom, its deviation √(2 · that).
                let (mean, free) = (f64::from(total) / places.len() as f64, places.len() as f64 - 1.0);
                let squares: f64 = places.iter().map(|count| (f64::from(*count) - mean).powi(2) / mean).sum();
                assert!(squares <= free + 4.0 * (2.0 * free).sqrt(), "width {width}: {places:?}");
            }
        }
    }

    #[test]
    fn of_nothing_there_is_nothing() {
        assert_eq!(part([3, 5], 0, 0, &mut Random::keyed(&[b"part"])), 0..0);
    }
}
