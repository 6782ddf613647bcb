//! Where centroids begin: k-means++ (Arthur and Vassilvitskii 2007, "k-means++: the advantages of careful seeding").

use etude_pipeline::random::Random;
use tokio_util::sync::CancellationToken;

use super::threads::on_parts;
use crate::tokens::{LANES, Lanes, Vectors, transpose};

/// Why there are no centroids.
#[derive(Debug, PartialEq)]
pub enum Missing {
    Cancelled,
    /// Only so many frames differ.
    Frames(usize),
}

/// As many of the frames as there are to be centroids. Each is drawn with a probability in proportion to its squared
/// distance from those before it, as the best of 2 + ln k that are drawn so: the one that lessens the sum most.
pub fn centres(
    frames: &[f32],
    width: usize,
    clusters: usize,
    mut random: Random,
    threads: usize,
    cancel: &CancellationToken,
) -> Result<Vec<f32>, Missing> {
    let count = frames.len() / width;
    if count == 0 {
        return Err(Missing::Frames(0));
    }
    let mut panels = vec![[0.0; LANES]; count.div_ceil(LANES) * width];
    for (panel, frames) in panels.chunks_exact_mut(width).zip(frames.chunks(LANES * width)) {
        transpose(frames, panel);
    }
    let frame = |at: usize| &frames[at * width..(at + 1) * width];
    let candidates = 2 + (clusters as f64).ln() as usize;
    let mut centres = frame(random.below(count as u64) as usize).to_vec();
    // How far each frame is from the nearest centroid.
    let mut least = vec![[f32::INFINITY; LANES]; panels.len() / width];
    least = nearer(&panels, width, &centres, &least, threads);
    for found in 1..clusters {
        if cancel.is_cancelled() {
            return Err(Missing::Cancelled);
        }
        let sums = cumulated(&least.as_flattened()[..count]);
        let sum = sums.last().copied().unwrap_or(0.0);
        if sum <= 0.0 {
            return Err(Missing::Frames(found));
        }
        let mut drawn = Vec::with_capacity(candidates);
        for _ in 0..candidates {
            let below = random.uniform() * sum;
            drawn.push(sums.partition_point(|sum| *sum <= below).min(count - 1));
        }
        let values: Vec<f32> = drawn.iter().flat_map(|at| frame(*at)).copied().collect();
        let nearer = nearer(&panels, width, &values, &least, threads);
        let sum_of = |candidate: usize| -> f64 {
            let rows = nearer.iter().skip(candidate).step_by(candidates);
            rows.flatten().take(count).map(|distance| f64::from(*distance)).sum()
        };
        let sums: Vec<f64> = (0..candidates).map(sum_of).collect();
        let best = (1..candidates).fold(0, |best, next| if sums[next] < sums[best] { next } else { best });
        centres.extend_from_slice(frame(drawn[best]));
        least = nearer.into_iter().skip(best).step_by(candidates).collect();
    }
    Ok(centres)
}

/// The sums of all values up to and with each.
fn cumulated(values: &[f32]) -> Vec<f64> {
    let mut sum = 0.0;
    let add = |value: &f32| {
        sum += f64::from(*value);
        sum
    };
    values.iter().map(add).collect()
}

/// How far frames would be from the nearest centroid if one of some candidates were one as well: for each panel of
/// frames a row a candidate.
fn nearer(panels: &[Lanes], width: usize, candidates: &[f32], least: &[Lanes], threads: usize) -> Vec<Lanes> {
    let candidates = Vectors::new(candidates, width);
    let count = candidates.count();
    let mut nearer = vec![[0.0; LANES]; least.len() * count];
    on_parts(threads, &mut nearer, count, |first, part| {
        for (index, rows) in part.chunks_exact_mut(count).enumerate() {
            let panel = first + index;
            candidates.distances(&panels[panel * width..(panel + 1) * width], rows);
            for row in rows {
                row.iter_mut()
                    .zip(&least[panel])
                    .for_each(|(distance, least)| *distance = distance.min(*least));
            }
        }
    });
    nearer
}
