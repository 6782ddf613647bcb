//! How far parts are from what they should be.

use super::assign::Group;

/// What the parts' sizes weigh against the strata within them, all of these together.
const SIZES: f64 = 2.0;

/// The distance of all parts from their shares: (found − share)² / share, where what is found is the part's share of
/// the items of a stratum. The mean over strata, and `SIZES` times the same of all items, are added up.
///
/// Items are counted in whole numbers, so that no order of steps leaves a trace.
pub struct Balance {
    /// For each part: the items of each stratum and, last, of all.
    found: Vec<Vec<i64>>,
    /// Likewise the items that it should have.
    expected: Vec<Vec<f64>>,
    /// Likewise what the square of an item too many adds.
    weights: Vec<Vec<f64>>,
    /// The place of all items.
    all: usize,
}

impl Balance {
    /// That of groups in these parts.
    pub fn new(groups: &[Group], parts: &[usize], shares: &[f64]) -> Self {
        let strata = groups.iter().flat_map(|group| &group.strata).map(|(stratum, _)| stratum + 1).max();
        let all = strata.unwrap_or(0);
        let mut totals = vec![0; all + 1];
        let mut found = vec![vec![0; all + 1]; shares.len()];
        for (group, part) in groups.iter().zip(parts) {
            for (place, items) in places(group, all) {
                totals[place] += items;
                found[*part][place] += items;
            }
        }
        let expected = |share: &f64| totals.iter().map(|total| share * *total as f64).collect();
        let strata = totals[..all].iter().filter(|total| **total > 0).count().max(1) as f64;
        let weights = |share: &f64| {
            let weight = |(place, total): (usize, &i64)| {
                let weight = if place == all { SIZES } else { 1.0 / strata };
                weight / (share * (*total).max(1) as f64 * (*total).max(1) as f64)
            };
            totals.iter().enumerate().map(weight).collect()
        };
        Self {
            found,
            expected: shares.iter().map(expected).collect(),
            weights: shares.iter().map(weights).collect(),
            all,
        }
    }

    /// What a move adds to the distance.
    pub fn change(&self, group: &Group, from: usize, to: usize) -> f64 {
        let beyond = |part: usize, place: usize| self.found[part][place] as f64 - self.expected[part][place];
        let change = |(place, items): (usize, i64)| {
            let items = items as f64;
            items * (items - 2.0 * beyond(from, place)) * self.weights[from][place]
                + items * (items + 2.0 * beyond(to, place)) * self.weights[to][place]
        };
        places(group, self.all).map(change).sum()
    }

    /// Moves a group.
    pub fn shift(&mut self, group: &Group, from: usize, to: usize) {
        for (place, items) in places(group, self.all) {
            self.found[from][place] -= items;
            self.found[to][place] += items;
        }
    }
}

/// The items of a group: of each of its strata and of all.
fn places(group: &Group, all: usize) -> impl Iterator<Item = (usize, i64)> {
    let items = |(stratum, items): &(usize, u64)| (*stratum, *items as i64);
    group.strata.iter().map(items).chain([(all, group.items() as i64)])
}
