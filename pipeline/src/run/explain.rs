//! Why a stage has to be computed: the exact parameter, version or items, old → new.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::operator::{Item, Link};
use crate::store::{Snapshot, StageRecord};

/// What a stage's chain was and is.
pub struct Change<'a> {
    pub old: &'a StageRecord,
    pub chain: &'a [Link],
    /// The same with parameters as they are written, which name files.
    pub links: &'a [Link],
    /// The scans that find the items.
    pub sources: &'a [Link],
    /// The seed, where something random is drawn.
    pub seed: Option<u64>,
    /// The digests of the stages that are read.
    pub reads: &'a BTreeMap<String, String>,
}

/// The differences that make a stage stale, in words.
///
/// Of items, new and changed ones are told only if they are computed, where that is known.
pub fn explain(
    change: &Change<'_>,
    snapshot: Option<&Snapshot>,
    items: Option<&[Item]>,
    computed: Option<&HashSet<&str>>,
) -> Vec<String> {
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
                let written = change.links.iter().find(|written| written.stage == link.stage);
                let written = written.map_or(&Value::Null, |written| &written.parameters);
                differences(&link.stage, &other.parameters, &link.parameters, written, &mut why);
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
        let items = item_differences(snapshot, items, computed);
        if !items.is_empty() {
            for link in change.sources {
                if let Some(other) = change.old.sources.iter().find(|other| other.stage == link.stage) {
                    differences(&link.stage, &other.parameters, &link.parameters, &Value::Null, &mut why);
                }
            }
        }
        why.extend(items);
    } else {
        for (stage, digest) in change.reads {
            if change.old.reads.get(stage).is_some_and(|old| old != digest) {
                why.push(format!("the output of {stage} changed"));
            }
        }
    }
    why
}

/// `written` is what the file says in the place of `new`.
fn differences(path: &str, old: &Value, new: &Value, written: &Value, why: &mut Vec<String>) {
    match (old, new) {
        _ if old == new => {}
        _ if digest_in(old).is_some() && digest_in(new).is_some() => {
            let file = written.as_str().map_or_else(String::new, |file| format!("{file} "));
            let [old, new] = [old, new].map(|value| short(digest_in(value).unwrap_or_default()));
            why.push(format!("{path}: {file}changed (blake3 {old} → {new})"));
        }
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let (a, b) = (a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null));
                let written = written.get(name).unwrap_or(&Value::Null);
                differences(&format!("{path}.{name}"), a, b, written, why);
            }
        }
        (a, b) => why.push(format!("{path} {a} → {b}")),
    }
}

/// The digest that stands for a file.
fn digest_in(value: &Value) -> Option<&str> {
    value.as_object().filter(|object| object.len() == 1)?.get("blake3")?.as_str()
}

/// Digits of a digest that are shown.
const DIGITS: usize = 12;

/// A digest as it is shown.
pub fn short(digest: &str) -> &str {
    digest.get(..DIGITS).unwrap_or(digest)
}

/// Items of the last run against those of now.
#[derive(Debug, Default)]
pub struct ItemChanges<'a> {
    pub added: Vec<(&'a str, &'a str)>,
    /// The key, the digest before, the digest now.
    pub changed: Vec<(&'a str, &'a str, &'a str)>,
    pub removed: Vec<&'a str>,
}

impl<'a> ItemChanges<'a> {
    /// What changed since a snapshot. Both are sorted by key.
    pub fn of(snapshot: &'a Snapshot, items: &'a [Item]) -> Self {
        let mut changes = Self::default();
        let mut old = sorted(snapshot).into_iter().peekable();
        for item in items {
            let (key, digest) = (&*item.key, &*item.digest);
            while let Some((gone, _)) = old.next_if(|(old, _)| *old < key) {
                changes.removed.push(gone);
            }
            match old.next_if(|(old, _)| *old == key) {
                None => changes.added.push((key, digest)),
                Some((_, before)) if before != digest => changes.changed.push((key, before, digest)),
                Some(_) => {}
            }
        }
        changes.removed.extend(old.map(|(gone, _)| gone));
        changes
    }
}

impl ItemChanges<'_> {
    /// Leaves out new and changed items that are known all the same, such as after a change back.
    pub fn only(&mut self, computed: Option<&HashSet<&str>>) {
        if let Some(computed) = computed {
            self.added.retain(|(key, _)| computed.contains(key));
            self.changed.retain(|(key, ..)| computed.contains(key));
        }
    }
}

/// Key and digest of what went in, of all items that a snapshot accounts for.
pub fn snapshot_inputs(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &str)> {
    let kept = snapshot.items.iter().map(|entry| (&*entry.item, &*entry.input));
    let filtered = snapshot.filtered.iter().map(|entry| (&*entry.item, &*entry.input));
    let rejected = snapshot.rejected.iter().map(|entry| (&*entry.item, &*entry.input));
    kept.chain(filtered).chain(rejected)
}

/// The same, sorted by key.
fn sorted(snapshot: &Snapshot) -> Vec<(&str, &str)> {
    let mut inputs: Vec<_> = snapshot_inputs(snapshot).collect();
    inputs.sort();
    inputs
}

fn item_differences(snapshot: &Snapshot, items: &[Item], computed: Option<&HashSet<&str>>) -> Vec<String> {
    let mut changes = ItemChanges::of(snapshot, items);
    changes.only(computed);
    let added = changes.added.iter().map(|(key, _)| *key).collect();
    let changed = changes.changed.iter().map(|(key, ..)| *key).collect();
    let mut why = Vec::new();
    let all: [(&str, Vec<&str>); 3] = [("new", added), ("changed", changed), ("removed", changes.removed)];
    for (what, keys) in all {
        match keys.as_slice() {
            [] => {}
            [key] => why.push(format!("item {key} is {what}")),
            keys => why.push(format!("{} items are {what}, such as {}", keys.len(), keys[0])),
        }
    }
    why
}
