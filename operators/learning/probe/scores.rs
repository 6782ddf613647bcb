//! What predictions are worth.

use std::collections::BTreeMap;

/// What was told of an item while it was in a fold that was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    pub fold: usize,
    pub class: usize,
    pub predicted: usize,
}

/// What predictions are worth, each a share from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    pub classes: usize,
    pub items: usize,
    /// Items whose class was told.
    pub accuracy: f64,
    /// The mean over classes of their items whose class was told.
    pub balanced_accuracy: f64,
    /// The mean over classes of the harmonic mean of precision and recall.
    pub macro_f1: f64,
    /// The largest class: what is right by chance when it is always told.
    pub majority: f64,
    /// The standard deviation (of the population) of the folds' accuracies.
    pub deviation: f64,
}

/// How often a class was there, was told, and was told rightly.
#[derive(Debug, Clone, Copy, Default)]
struct Class {
    there: u64,
    told: u64,
    right: u64,
}

impl Scores {
    /// The scores of at least one outcome. Classes are those that were there: no other can be told, for
    /// all items of a table are in some fold.
    pub fn of(outcomes: &[Outcome]) -> Self {
        let mut classes: BTreeMap<usize, Class> = BTreeMap::new();
        let mut folds: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for outcome in outcomes {
            let right = u64::from(outcome.class == outcome.predicted);
            let class = classes.entry(outcome.class).or_default();
            class.there += 1;
            class.right += right;
            classes.entry(outcome.predicted).or_default().told += 1;
            let fold = folds.entry(outcome.fold).or_default();
            fold.0 += right;
            fold.1 += 1;
        }
        let of_classes = |share: fn(&Class) -> f64| mean(classes.values().map(share));
        let right: u64 = classes.values().map(|class| class.right).sum();
        let largest = classes.values().map(|class| class.there).max().unwrap_or_default();
        let accuracies = folds.values().map(|(right, all)| share(*right, *all));
        let middle = mean(accuracies.clone());
        Self {
            classes: classes.len(),
            items: outcomes.len(),
            accuracy: share(right, outcomes.len() as u64),
            balanced_accuracy: of_classes(|class| share(class.right, class.there)),
            macro_f1: of_classes(|class| share(2 * class.right, class.there + class.told)),
            majority: share(largest, outcomes.len() as u64),
            deviation: mean(accuracies.map(|accuracy| (accuracy - middle).powi(2))).sqrt(),
        }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_by_hand() {
        let told = [(0, 0, 0), (0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 2, 0)];
        let outcomes = told.map(|(fold, class, predicted)| Outcome { fold, class, predicted });
        let scores = Scores::of(&outcomes);
        let near =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        assert_eq!((scores.classes, scores.items), (3, 5));
        near(scores.accuracy, 0.6);
        near(scores.majority, 0.6);
        near(scores.balanced_accuracy, (2.0 / 3.0 + 1.0 + 0.0) / 3.0);
        near(scores.macro_f1, (4.0 / 6.0 + 2.0 / 3.0 + 0.0) / 3.0);
        near(scores.deviation, (2.0 / 3.0 - 0.5) / 2.0);
    }
}
