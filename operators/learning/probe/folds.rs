//! Stratified group k-fold: parts of equal size and with equal shares of each class, as far as groups,
//! which are never split, allow it.
//!
//! The greedy assignment is that of scikit-learn's `StratifiedGroupKFold`: the groups whose classes are
//! least balanced come first, and each goes where the classes' shares then differ least between folds.

use std::collections::BTreeMap;

use etude_pipeline::random::Random;

use super::labels::Label;

/// How many items of each class a group has.
#[derive(Debug, Clone)]
struct Group {
    number: usize,
    counts: Vec<u64>,
}

impl Group {
    /// The variance of the counts, times the square of how many there are.
    fn imbalance(&self) -> u64 {
        let squares: u64 = self.counts.iter().map(|count| count * count).sum();
        let sum: u64 = self.counts.iter().sum();
        self.counts.len() as u64 * squares - sum * sum
    }
}

/// The fold of each item, 0 to `folds` − 1. Between groups that are equally balanced the seed decides
/// which comes first.
pub fn assign(items: &[Label], folds: usize, seed: u64) -> Vec<usize> {
    let mut groups = groups(items);
    let mut random = Random::keyed(&[&seed.to_le_bytes(), b"folds"]);
    for last in (1..groups.len()).rev() {
        groups.swap(last, random.below(last as u64 + 1) as usize);
    }
    spread(items, groups, folds)
}

/// The groups in the order of their numbers.
fn groups(items: &[Label]) -> Vec<Group> {
    let classes = items.iter().map(|label| label.class + 1).max().unwrap_or(0);
    let mut groups: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for label in items {
        groups.entry(label.group).or_insert_with(|| vec![0; classes])[label.class] += 1;
    }
    groups.into_iter().map(|(number, counts)| Group { number, counts }).collect()
}

/// Spreads the groups over the folds; of equally balanced ones the first comes first.
fn spread(items: &[Label], mut groups: Vec<Group>, folds: usize) -> Vec<usize> {
    groups.sort_by_key(|group| std::cmp::Reverse(group.imbalance()));
    let mut tally = Tally::new(&groups, folds);
    let mut fold_of = BTreeMap::new();
    for group in &groups {
        let fold = tally.best(&group.counts);
        tally.add(fold, &group.counts);
        fold_of.insert(group.number, fold);
    }
    items.iter().map(|label| fold_of.get(&label.group).copied().unwrap_or_default()).collect()
}

/// How many items of each class each fold has so far.
struct Tally {
    /// All items of each class, assigned or not.
    totals: Vec<u64>,
    folds: Vec<Vec<u64>>,
    /// Of each class, the sum over the folds and that of the squares.
    sums: Vec<u64>,
    squares: Vec<u64>,
}

impl Tally {
    fn new(groups: &[Group], folds: usize) -> Self {
        let classes = groups.first().map_or(0, |group| group.counts.len());
        let mut totals = vec![0; classes];
        for group in groups {
            totals.iter_mut().zip(&group.counts).for_each(|(total, count)| *total += count);
        }
        let none = vec![0; classes];
        Self { totals, folds: vec![none.clone(); folds], sums: none.clone(), squares: none }
    }

    /// How unequal the shares of the classes would be with `counts` in a fold: the mean of the classes'
    /// standard deviations. What differs is counted in whole numbers, so that equal costs are equal.
    fn cost(&self, fold: &[u64], counts: &[u64]) -> f64 {
        let count = self.folds.len() as u64;
        let (mut cost, mut classes) = (0.0, 0.0);
        for class in (0..counts.len()).filter(|class| self.totals[*class] > 0) {
            let (before, after) = (fold[class], fold[class] + counts[class]);
            let sum = self.sums[class] + counts[class];
            let squares = self.squares[class] - before * before + after * after;
            cost += ((count * squares - sum * sum) as f64).sqrt() / (count * self.totals[class]) as f64;
            classes += 1.0;
        }
        cost / f64::max(classes, 1.0)
    }

    /// The fold where a group costs least; of about equal ones the smallest.
    fn best(&self, counts: &[u64]) -> usize {
        let (mut best, mut least, mut smallest) = (0, f64::INFINITY, u64::MAX);
        for (index, fold) in self.folds.iter().enumerate() {
            let cost = self.cost(fold, counts);
            let size = fold.iter().sum();
            if cost < least || (is_close(cost, least) && size < smallest) {
                (best, least, smallest) = (index, cost, size);
            }
        }
        best
    }

    fn add(&mut self, fold: usize, counts: &[u64]) {
        for (class, count) in counts.iter().enumerate() {
            let at = &mut self.folds[fold][class];
            self.squares[class] -= *at * *at;
            *at += count;
            self.squares[class] += *at * *at;
            self.sums[class] += count;
        }
    }
}

/// Numpy's `isclose`.
fn is_close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-8 + 1e-5 * other.abs()
}

/// The folds without shuffling, for the comparison with scikit-learn.
#[cfg(test)]
pub fn unshuffled(items: &[Label], folds: usize) -> Vec<usize> {
    spread(items, groups(items), folds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items with classes and groups that depend on the seed alone.
    fn items(seed: u64) -> Vec<Label> {
        let mut random = Random::keyed(&[&seed.to_le_bytes(), b"items"]);
        let (classes, groups) = (2 + random.below(6), 20 + random.below(60));
        let count = groups + random.below(200);
        (0..count)
            .map(|item| Label {
                class: random.below(classes) as usize,
                group: if item < groups { item as usize } else { random.below(groups) as usize },
            })
            .collect()
    }

    #[test]
    fn groups_are_never_split_and_no_fold_is_out_of_range() {
        for seed in 0..200 {
            let (items, folds) = (items(seed), 2 + (seed as usize % 19));
            let assigned = assign(&items, folds, seed);
            assert_eq!(assigned.len(), items.len());
            let mut of_group = BTreeMap::new();
            for (label, fold) in items.iter().zip(&assigned) {
                assert!(*fold < folds);
                assert_eq!(*of_group.entry(label.group).or_insert(*fold), *fold, "seed {seed}");
            }
            let used: std::collections::BTreeSet<_> = assigned.iter().collect();
            assert_eq!(used.len(), folds, "seed {seed}: a fold is empty");
        }
    }

    #[test]
    fn the_seed_alone_decides() {
        let items = items(3);
        assert_eq!(assign(&items, 5, 1), assign(&items, 5, 1));
        assert_ne!(assign(&items, 5, 1), assign(&items, 5, 2));
    }

    #[test]
    fn classes_are_spread_evenly_where_no_group_hinders() {
        for seed in 0..20 {
            let items: Vec<Label> = (0..103).map(|item| Label { class: item % 4, group: item }).collect();
            let assigned = assign(&items, 5, seed);
            for class in 0..4 {
                let count = |fold: usize| {
                    let both = items.iter().zip(&assigned);
                    both.filter(|(label, found)| label.class == class && **found == fold).count()
                };
                assert!((0..5).all(|fold| (5..=6).contains(&count(fold))), "seed {seed}, class {class}");
            }
        }
    }
}
