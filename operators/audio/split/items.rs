//! The items of a table, by groups and strata.

use std::collections::{BTreeMap, HashMap};

/// What a group is named after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The value of a column.
    Group,
    /// The one item that is in it.
    Item,
}

impl Kind {
    /// What tells a group from an item of the same name.
    pub fn key(self) -> &'static [u8] {
        match self {
            Self::Group => b"group",
            Self::Item => b"item",
        }
    }
}

/// The items of a table.
#[derive(Debug, Default)]
pub struct Items {
    /// The groups, in the order of their names.
    pub groups: Vec<(Kind, String)>,
    /// The group of each item.
    pub group_of: HashMap<String, usize>,
    /// For each group the items of each value of `stratify`, null among them.
    values: Vec<BTreeMap<Option<String>, u64>>,
}

/// What a row says of its item: the values of `group` and `stratify`.
pub type Said = (Option<String>, Option<String>);

impl Items {
    /// Items from what is said of each.
    pub fn of(said: BTreeMap<String, Said>) -> Self {
        let mut groups: BTreeMap<(Kind, String), BTreeMap<Option<String>, u64>> = BTreeMap::new();
        let group = |item: &String, (group, _): &Said| match group {
            Some(group) => (Kind::Group, group.clone()),
            None => (Kind::Item, item.clone()),
        };
        for (item, said) in &said {
            *groups.entry(group(item, said)).or_default().entry(said.1.clone()).or_default() += 1;
        }
        let numbers: BTreeMap<&(Kind, String), usize> = groups.keys().zip(0..).collect();
        let of = |(item, said): (&String, &Said)| (item.clone(), numbers[&group(item, said)]);
        let group_of = said.iter().map(of).collect();
        let (groups, values) = groups.into_iter().unzip();
        Self { groups, group_of, values }
    }

    /// For each group its items by stratum. A stratum is a value, or all values that have fewer items than `least`.
    pub fn strata(&self, least: u64) -> Vec<Vec<(usize, u64)>> {
        let mut totals: BTreeMap<&Option<String>, u64> = BTreeMap::new();
        for (value, items) in self.values.iter().flatten() {
            *totals.entry(value).or_default() += items;
        }
        let large = totals.iter().filter(|(_, items)| **items >= least);
        let numbers: BTreeMap<&Option<String>, usize> = large.map(|(value, _)| *value).zip(1..).collect();
        let strata = |values: &BTreeMap<Option<String>, u64>| {
            let mut strata: BTreeMap<usize, u64> = BTreeMap::new();
            for (value, items) in values {
                *strata.entry(numbers.get(value).copied().unwrap_or(0)).or_default() += items;
            }
            strata.into_iter().collect()
        };
        self.values.iter().map(strata).collect()
    }
}
