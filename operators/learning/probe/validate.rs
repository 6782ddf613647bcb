//! Cross-validation: each fold is classified by what the others teach.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};

use etude_pipeline::Error;
use tokio_util::sync::CancellationToken;

use super::logistic::{Example, Model};
use super::samples::{Sample, Samples};
use super::scores::Outcome;

/// The outcomes of all items, fold by fold.
#[derive(Debug, Default, PartialEq)]
pub struct Validated {
    pub outcomes: Vec<Outcome>,
    /// Classifiers that did not converge.
    pub unfinished: usize,
}

/// Classifies each item once; none where there is nothing to learn: one class, or all items in one fold.
/// Folds are worked on at once; how many threads there are changes nothing.
pub fn validate(
    samples: &Samples,
    folds: usize,
    weight_decay: f64,
    threads: usize,
    cancel: &CancellationToken,
) -> Result<Option<Validated>, Error> {
    let varied = |of: fn(&Sample) -> usize| {
        let mut values = samples.items.iter().map(of);
        values.next().is_some_and(|first| values.any(|value| value != first))
    };
    if !varied(|sample| sample.known.class) || !varied(|sample| sample.known.fold) {
        return Ok(None);
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let fold = next.fetch_add(1, Ordering::Relaxed);
            if fold >= folds {
                return Ok::<_, Error>(done);
            }
            done.push((fold, test(samples, fold, weight_decay, cancel)?));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.clamp(1, folds.max(1))).map(|_| scope.spawn(work)).collect();
        let mut done = Vec::new();
        for thread in threads {
            done.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok::<_, Error>(done)
    })?;
    done.sort_by_key(|(fold, _)| *fold);
    let mut all = Validated::default();
    for (_, validated) in done {
        all.outcomes.extend(validated.outcomes);
        all.unfinished += validated.unfinished;
    }
    Ok(Some(all))
}

/// Classifies the items of one fold.
fn test(
    samples: &Samples,
    fold: usize,
    weight_decay: f64,
    cancel: &CancellationToken,
) -> Result<Validated, Error> {
    let (tested, taught): (Vec<&Sample>, Vec<&Sample>) =
        samples.items.iter().partition(|sample| sample.known.fold == fold);
    if tested.is_empty() {
        return Ok(Validated::default());
    }
    let examples: Vec<Example> = taught
        .iter()
        .flat_map(|sample| sample.rows.clone().map(|row| Example { row, class: sample.known.class }))
        .collect();
    let model = Model::fit(&samples.vectors, &examples, weight_decay, cancel)?;
    let outcomes = tested.into_iter().map(|sample| {
        let mut probabilities = vec![0.0; model.classes.len()];
        for row in sample.rows.clone() {
            model.add_probabilities(samples.vectors.row(row), &mut probabilities);
        }
        let predicted = model.classes[highest(&probabilities)];
        Outcome { fold, class: sample.known.class, predicted }
    });
    Ok(Validated { outcomes: outcomes.collect(), unfinished: usize::from(!model.converged) })
}

/// The place of the highest value, the first of equal ones.
fn highest(values: &[f64]) -> usize {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = at;
        }
    }
    best
}
