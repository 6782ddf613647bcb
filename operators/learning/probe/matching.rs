//! Which items of the tables have a label, and into which fold they fall.

use std::collections::{BTreeMap, BTreeSet};

use super::folds;
use super::labels::{Label, Labels};

/// A line for people, with the values in it.
#[derive(Debug, PartialEq)]
pub struct Message {
    pub text: String,
    pub values: BTreeMap<String, f64>,
}

/// Rare classes that are named.
const TOLD: usize = 5;

/// What is known of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub class: usize,
    pub fold: usize,
}

/// Compares a table's items with those that have a label: what is left over, if anything is.
///
/// Errors: a table without rows, or of whose items none has a label.
pub fn compare(stage: &str, names: &BTreeSet<String>, labels: &Labels) -> Result<Option<Message>, String> {
    let Some(first) = names.first() else { return Err(format!("`{stage}` has no rows")) };
    let unlabelled: Vec<&String> = names.iter().filter(|name| !labels.items.contains_key(*name)).collect();
    let unused: Vec<&String> = labels.items.keys().filter(|name| !names.contains(*name)).collect();
    if unlabelled.len() == names.len() {
        let known = unused.first().map_or("", |name| name);
        return Err(format!(
            "no item of `{stage}` has a label: its items are named like `{first}`, \
             those of `labels` like `{known}`"
        ));
    }
    let rest = [("items without a label", unlabelled), ("labels without an item", unused)];
    let told = rest.iter().filter_map(|(what, names)| {
        names.first().map(|first| format!("{what}: {} (the first is `{first}`)", names.len()))
    });
    let told = told.collect::<Vec<_>>().join("; ");
    let values = rest.iter().map(|(what, names)| (what.replace(' ', "_"), names.len() as f64));
    Ok((!told.is_empty()).then(|| Message { text: format!("`{stage}`: {told}"), values: values.collect() }))
}

/// The items of all tables that have a label, in folds.
#[derive(Debug)]
pub struct Divided<'a> {
    pub known: BTreeMap<&'a str, Known>,
    /// What the folds cannot do justice to.
    pub warning: Option<Message>,
}

/// Divides the items that are present in some table into folds.
///
/// Errors: fewer groups than folds, or fewer than two classes.
pub fn divide<'a>(
    labels: &'a Labels,
    present: &BTreeSet<String>,
    folds: usize,
    seed: u64,
) -> Result<Divided<'a>, String> {
    let (names, items): (Vec<&str>, Vec<Label>) = labels
        .items
        .iter()
        .filter(|(name, _)| present.contains(*name))
        .map(|(name, label)| (name.as_str(), *label))
        .unzip();
    let mut classes: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for label in &items {
        classes.entry(label.class).or_default().insert(label.group);
    }
    let name = |class: &usize| labels.classes.get(*class).map_or("", String::as_str);
    if let (Some(class), 1) = (classes.keys().next(), classes.len()) {
        return Err(format!(
            "all items with a label are of the class `{}`; there must be two or more",
            name(class)
        ));
    }
    let unit = if labels.grouped { "groups" } else { "items" };
    let groups = items.iter().map(|label| label.group).collect::<BTreeSet<_>>().len();
    if groups < folds {
        return Err(format!("there are {groups} {unit} with a label, fewer than `folds`, {folds}"));
    }
    let rare: Vec<String> = classes
        .iter()
        .filter(|(_, groups)| groups.len() < folds)
        .map(|(class, groups)| format!("`{}` ({})", name(class), groups.len()))
        .collect();
    let warning = (!rare.is_empty()).then(|| Message {
        text: format!(
            "classes with fewer {unit} than there are folds ({folds}), so some folds lack them: {}{}",
            rare.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", "),
            if rare.len() > TOLD { ", …" } else { "" }
        ),
        values: BTreeMap::from([("rare_classes".to_owned(), rare.len() as f64)]),
    });
    let assigned = folds::assign(&items, folds, seed);
    let known = items.iter().zip(assigned).map(|(label, fold)| Known { class: label.class, fold });
    Ok(Divided { known: names.into_iter().zip(known).collect(), warning })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items of which each has its own group.
    fn labels(items: &[(&str, usize)]) -> Labels {
        let label = |(group, (name, class)): (usize, &(&str, usize))| {
            ((*name).to_owned(), Label { class: *class, group })
        };
        Labels {
            classes: vec!["jazz".into(), "rock".into()],
            grouped: false,
            items: items.iter().enumerate().map(label).collect(),
        }
    }

    fn names(items: &[&str]) -> BTreeSet<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn what_is_left_over_is_counted() {
        let labels = labels(&[("a", 0), ("b", 1), ("c", 1)]);
        assert_eq!(compare("v", &names(&["a", "b", "c"]), &labels), Ok(None));
        let said = compare("v", &names(&["a", "x", "y"]), &labels).unwrap().unwrap();
        assert_eq!(
            said.text,
            "`v`: items without a label: 2 (the first is `x`); labels without an item: 2 (the first is `b`)"
        );
        assert_eq!((said.values["items_without_a_label"], said.values["labels_without_an_item"]), (2.0, 2.0));
        let said = compare("v", &names(&["a", "b"]), &labels).unwrap().unwrap();
        assert_eq!(said.text, "`v`: labels without an item: 1 (the first is `c`)");
    }

    #[test]
    fn labels_that_do_not_match_are_told_by_example() {
        let labels = labels(&[("a", 0), ("b", 1)]);
        assert_eq!(
            compare("v", &names(&["music/a.wav", "music/b.wav"]), &labels).unwrap_err(),
            "no item of `v` has a label: its items are named like `music/a.wav`, those of `labels` like `a`"
        );
        assert_eq!(compare("v", &names(&[]), &labels).unwrap_err(), "`v` has no rows");
    }

    #[test]
    fn too_little_to_divide_is_an_error() {
        let labels = labels(&[("a", 0), ("b", 1), ("c", 1)]);
        let divide = |present: &[&str], folds| divide(&labels, &names(present), folds, 0);
        assert_eq!(
            divide(&["b", "c"], 2).unwrap_err(),
            "all items with a label are of the class `rock`; there must be two or more"
        );
        assert_eq!(
            divide(&["a", "b", "c"], 4).unwrap_err(),
            "there are 3 items with a label, fewer than `folds`, 4"
        );
        let divided = divide(&["a", "b", "c", "d"], 2).unwrap();
        assert_eq!(divided.known.keys().copied().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(
            divided.warning.unwrap().text,
            "classes with fewer items than there are folds (2), so some folds lack them: `jazz` (1)"
        );
    }
}
