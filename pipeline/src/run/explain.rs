//! Why a stage has to be computed: the exact parameter, version or items, old → new.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::operator::{Item, Link};
use crate::store::{Snapshot, StageRecord};

/// What a stage's chain was and is.
pub struct Change<'a> {
    pub old: &'a StageRecord,
    pub chain: &'a [Link],
    /// The seed, where something random is drawn.
    pub seed: Option<u64>,
    /// The digests of the stages that are read.
    pub reads: &'a BTreeMap<String, String>,
}

/// The differences that make a stage stale, in words.
pub fn explain(change: &Change<'_>, snapshot: Option<&Snapshot>, items: Option<&[Item]>) -> Vec<String> {
    let mut why = Vec::new();
    let (old, new) = (&change.old.chain, change.chain);
    for link in new {
        match old.iter().find(|other| other.stage == link.stage) {
            None => why.push(format!("{}: {} is new", link.stage, link.operator)),
            Some(other) if other.operator != link.operator => {
                why.push(format!("{}: operator {} → {}", link.stage, other.operator, link.operator));
            }
            Some(other) => {
                if other.version != link.version {
                    why.push(format!(
                        "{}: operator {} version {} → {}",
                        link.stage, link.operator, other.version, link.version
                    ));
                }
                differences(&link.stage, &other.parameters, &link.parameters, &mut why);
            }
        }
    }
    for link in old.iter().filter(|link| !new.iter().any(|other| other.stage == link.stage)) {
        why.push(format!("{}: {} is gone", link.stage, link.operator));
    }
    if let Some(seed) = change.seed.filter(|seed| *seed != change.old.seed) {
        why.push(format!("seed {} → {seed}", change.old.seed));
    }
    if let (Some(snapshot), Some(items)) = (snapshot, items) {
        why.extend(item_differences(snapshot, items));
    } else {
        for (stage, digest) in change.reads {
            if change.old.reads.get(stage).is_some_and(|old| old != digest) {
                why.push(format!("the output of {stage} changed"));
            }
        }
    }
    why
}

fn differences(path: &str, old: &Value, new: &Value, why: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let (a, b) = (a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null));
                differences(&format!("{path}.{name}"), a, b, why);
            }
        }
        (a, b) if a != b => why.push(format!("{path} {a} → {b}")),
        _ => {}
    }
}

fn item_differences(snapshot: &Snapshot, items: &[Item]) -> Vec<String> {
    let old: BTreeMap<&str, &str> = snapshot
        .items
        .iter()
        .map(|entry| (entry.item.as_str(), entry.input.as_str()))
        .chain(snapshot.filtered.iter().map(|entry| (entry.item.as_str(), entry.input.as_str())))
        .chain(snapshot.rejected.iter().map(|entry| (entry.item.as_str(), entry.input.as_str())))
        .collect();
    let new: BTreeMap<&str, &str> = items.iter().map(|item| (&*item.key, item.digest.as_str())).collect();
    let added: Vec<&str> = new.keys().filter(|key| !old.contains_key(*key)).copied().collect();
    let removed: Vec<&str> = old.keys().filter(|key| !new.contains_key(*key)).copied().collect();
    let changed: Vec<&str> = new
        .iter()
        .filter(|(key, digest)| old.get(*key).is_some_and(|old| old != *digest))
        .map(|(key, _)| *key)
        .collect();
    let mut why = Vec::new();
    for (what, keys) in [("new", added), ("changed", changed), ("removed", removed)] {
        match keys.as_slice() {
            [] => {}
            [key] => why.push(format!("item {key} is {what}")),
            keys => why.push(format!("{} items are {what}, such as {}", keys.len(), keys[0])),
        }
    }
    why
}
