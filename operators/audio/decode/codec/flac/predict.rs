//! Samples out of residuals: RFC 9639, sections 9.2.5 and 9.2.6.

#[cfg(target_arch = "x86_64")]
mod narrow;

use super::sample::Sample;
use super::subframe::Subframe;

/// Makes samples of the residuals of two channels.
pub(super) fn both(first: &mut [i32], one: &Subframe, second: &mut [i32], two: &Subframe) {
    #[cfg(target_arch = "x86_64")]
    if let Some(from) = narrow::both(first, one, second, two) {
        rest(first, one, from);
        rest(second, two, from);
        return;
    }
    rest(first, one, one.order);
    rest(second, two, two.order);
}

/// Makes samples of the residuals of a channel.
pub(super) fn one<S: Sample>(samples: &mut [S], of: &Subframe) {
    rest(samples, of, of.order);
}

/// Makes samples of the residuals from a place on.
fn rest<S: Sample>(samples: &mut [S], of: &Subframe, from: usize) {
    match of.order {
        0 => {}
        1..=4 => run::<S, 4>(samples, of, from),
        5..=8 => run::<S, 8>(samples, of, from),
        9..=12 => run::<S, 12>(samples, of, from),
        _ => run::<S, 32>(samples, of, from),
    }
    if of.wasted > 0 {
        samples.iter_mut().for_each(|sample| *sample = sample.shifted(of.wasted));
    }
}

fn run<S: Sample, const ORDER: usize>(samples: &mut [S], of: &Subframe, from: usize) {
    // That of the last sample comes last, as the samples stand.
    let mut weights = [0; ORDER];
    weights.iter_mut().rev().zip(&of.weights).for_each(|(weight, of)| *weight = *of);
    let predicted = |last: &[S], weights: &[i32]| {
        let terms = last.iter().zip(weights).map(|(last, weight)| {
            let last: i64 = (*last).into();
            last.wrapping_mul(i64::from(*weight))
        });
        S::wrapped(terms.fold(0, i64::wrapping_add) >> of.shift)
    };
    for at in from..samples.len() {
        let sum = match samples[..at].last_chunk::<ORDER>() {
            Some(last) => predicted(last, &weights),
            None => predicted(&samples[..at], &weights[ORDER - at..]),
        };
        samples[at] = samples[at].plus(sum);
    }
}
