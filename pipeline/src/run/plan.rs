//! What a run would do, and why.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::before::Before;
use super::engine::Engine;
use super::explain::{Change, ItemChanges, explain, snapshot_inputs};
use super::footer::Fate;
use super::resolve::{Known, Resolved};
use super::reuse::{Again, Task};
use super::unit::Unit;
use crate::error::Error;
use crate::event::Status;
use crate::operator::{Item, Link};
use crate::spec::Pipeline;
use crate::store::Snapshot;

/// Records that an estimate is made from.
const PAST: usize = 20;

/// What a run would do with a stage.
#[derive(Debug, Clone, Serialize)]
pub struct Planned {
    #[serde(skip)]
    pub stage: String,
    pub operator: &'static str,
    #[serde(serialize_with = "action")]
    pub action: Status,
    pub items: ItemCounts,
    pub why: Vec<String>,
    /// What it ends with, where that is in the store: fingerprint and inputs.
    #[serde(skip)]
    pub output: Option<(String, String)>,
    /// From what past runs took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
}

/// The items of a stage against those of the last run. `new` and `changed` are computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ItemCounts {
    pub reused: u64,
    pub new: u64,
    pub changed: u64,
    pub removed: u64,
}

/// What computing a stage may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Estimate {
    pub seconds: f64,
    pub bytes: u64,
}

fn action<S: serde::Serializer>(action: &Status, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match action {
        Status::Computed => "compute",
        Status::Partial => "partial",
        Status::Reused => "reuse",
    })
}

/// What a plan says of a unit.
pub(super) struct Verdict {
    pub action: Status,
    pub items: ItemCounts,
    pub why: Vec<String>,
    pub estimate: Option<Estimate>,
    pub before: Option<Before>,
    pub resolved: Option<Resolved>,
    pub tasks: Vec<Task>,
}

impl Engine {
    /// What a run would do, stage by stage, in the order of the file. Writes nothing.
    pub fn plan(&self, pipeline: &Pipeline) -> Result<Vec<Planned>, Error> {
        let mut known = Known::default();
        let mut planned: BTreeMap<usize, Planned> = BTreeMap::new();
        let units = self.units(pipeline)?;
        for (index, unit) in units.iter().enumerate() {
            let verdict = self.verdict(pipeline, unit, &mut known)?;
            known.keep_for(pipeline, &units[index + 1..]);
            for stage in unit.stages() {
                let own = stage == unit.stage;
                let why = match verdict.action {
                    Status::Reused => Vec::new(),
                    _ if own => verdict.why.clone(),
                    _ => vec![format!("part of {}", pipeline.stages[unit.stage].name)],
                };
                let entry = Planned {
                    stage: pipeline.stages[stage].name.clone(),
                    operator: pipeline.stages[stage].declaration.name,
                    action: verdict.action,
                    items: verdict.items,
                    why,
                    output: verdict
                        .resolved
                        .as_ref()
                        .filter(|_| own && verdict.action == Status::Reused)
                        .map(|resolved| (resolved.fingerprint.clone(), resolved.inputs.clone())),
                    estimate: verdict.estimate.filter(|_| own),
                };
                match planned.get(&stage) {
                    Some(before) if before.action != Status::Reused => {}
                    _ => {
                        planned.insert(stage, entry);
                    }
                }
            }
        }
        for (stage, reused) in &known.scanned {
            let reused = *reused;
            let entry = Planned {
                stage: pipeline.stages[*stage].name.clone(),
                operator: pipeline.stages[*stage].declaration.name,
                action: Status::Reused,
                items: ItemCounts { reused, ..ItemCounts::default() },
                why: Vec::new(),
                output: None,
                estimate: None,
            };
            planned.insert(*stage, entry);
        }
        Ok(planned.into_values().collect())
    }

    /// What a run would do with a unit; what it leaves is then known, as far as it can be.
    pub(super) fn verdict(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        known: &mut Known,
    ) -> Result<Verdict, Error> {
        let resolved = self.resolve(pipeline, unit, known)?;
        let stage = &pipeline.stages[unit.stage];
        let again = self.again(pipeline, unit);
        let now = resolved.as_ref().and_then(|resolved| resolved.snapshot.as_ref());
        let before = self.before(pipeline, unit, now)?;
        let mut verdict = Verdict {
            action: Status::Computed,
            items: ItemCounts::default(),
            why: Vec::new(),
            estimate: None,
            before,
            resolved: None,
            tasks: Vec::new(),
        };
        let Some(resolved) = resolved else {
            let mut stale: Vec<&str> = unit
                .heads()
                .filter(|head| !known.snapshots.contains_key(head))
                .map(|head| pipeline.stages[head].name.as_str())
                .collect();
            stale.dedup();
            let are = if stale.len() > 1 { "are" } else { "is" };
            verdict.why = vec![format!("reads {}, which {are} to be computed", stale.join(", "))];
            known.reasons.insert(unit.stage, roots(unit, known));
            let changed = verdict.before.as_ref().map_or(0, |before| before.record.items);
            verdict.items = ItemCounts { changed, ..ItemCounts::default() };
            verdict.estimate = self.estimate(pipeline, unit, changed)?;
            return Ok(verdict);
        };
        let there = resolved.snapshot.clone().filter(|_| again == Again::Nothing);
        if let Some(snapshot) = there {
            let old = verdict.before.as_ref().and_then(|before| before.snapshot.as_ref());
            let removed = match old {
                Some(old) if !Arc::ptr_eq(old, &snapshot) => removed(old, snapshot_keys(&snapshot)),
                _ => 0,
            };
            verdict.action = Status::Reused;
            verdict.items =
                ItemCounts { reused: self.count(unit, &snapshot, known), removed, ..ItemCounts::default() };
            known.snapshots.insert(unit.stage, snapshot);
        } else if unit.items {
            let old = verdict.before.as_ref().and_then(|before| before.snapshot.as_deref());
            let tasks = self.tasks(self.buckets(pipeline, unit, &resolved), again, old)?;
            let items = resolved.items.as_ref().map_or(&[][..], |items| items.get().as_slice());
            verdict.items = counts(&tasks, old, items);
            let computed = verdict.items.new + verdict.items.changed;
            // Without any item to be computed there is still a listing to be written.
            verdict.action = if verdict.items.reused > 0 { Status::Partial } else { Status::Computed };
            verdict.why = self.why(pipeline, unit, &resolved, verdict.before.as_ref(), Some(&tasks));
            verdict.estimate = self.estimate(pipeline, unit, computed)?;
            if tasks.iter().all(|task| !task.due()) {
                // The digests of the files are not asked for in a plan.
                let snapshot = self.assemble(unit, &resolved, &tasks, |_| Ok(String::new()))?;
                known.snapshots.insert(unit.stage, Arc::new(snapshot));
            } else {
                known.provisional.insert(unit.stage, Arc::new(provisional(&tasks)));
            }
            verdict.tasks = tasks;
        } else {
            let count: u64 =
                unit.feeds().filter_map(|feed| known.snapshots.get(&feed.head)).map(|head| size(head)).sum();
            verdict.why = self.why(pipeline, unit, &resolved, verdict.before.as_ref(), None);
            verdict.items = match verdict.before {
                Some(_) => ItemCounts { changed: count, ..ItemCounts::default() },
                None => ItemCounts { new: count, ..ItemCounts::default() },
            };
            verdict.estimate = self.estimate(pipeline, unit, count)?;
        }
        if verdict.action != Status::Reused {
            // Items of a stage that is to be computed change because of that stage.
            let mut reasons = roots(unit, known);
            let above = !reasons.is_empty();
            let own = verdict.why.iter().filter(|why| !(above && is_of_items(why)));
            reasons.extend(own.map(|why| format!("{}: {why}", stage.name)));
            known.reasons.insert(unit.stage, reasons);
        }
        verdict.resolved = Some(resolved);
        Ok(verdict)
    }

    /// The items that a unit's snapshot accounts for.
    fn count(&self, unit: &Unit, snapshot: &Snapshot, known: &Known) -> u64 {
        match unit.items {
            true => snapshot_keys(snapshot).count() as u64,
            false => {
                unit.feeds().filter_map(|feed| known.snapshots.get(&feed.head)).map(|head| size(head)).sum()
            }
        }
    }

    /// What computing that many items may take, from the last run that computed any.
    fn estimate(&self, pipeline: &Pipeline, unit: &Unit, items: u64) -> Result<Option<Estimate>, Error> {
        let stage = &pipeline.stages[unit.stage].name;
        // Of the last runs the one that computed most, for what a run costs besides its items is in it as well.
        let past = self.store.last_records(&pipeline.name, stage, PAST)?;
        let past = past.into_iter().filter(|record| record.computed > 0).max_by_key(|record| record.computed);
        Ok(past.map(|past| {
            // A dataset stage takes what it took; an item stage what its items take.
            let share = if unit.items { items as f64 / past.computed as f64 } else { 1.0 };
            let bytes = if unit.items {
                past.bytes as f64 / past.items.max(1) as f64 * items as f64
            } else {
                past.bytes as f64
            };
            Estimate { seconds: past.seconds * share, bytes: bytes as u64 }
        }))
    }

    /// The files that a stage's output consists of. Of a store behind a URL they are brought here.
    pub fn paths(&self, pipeline: &Pipeline, stage: &str) -> Result<Vec<PathBuf>, Error> {
        let target = pipeline.find(stage)?;
        if !pipeline.stages[target].materialises() {
            return Err(Error::stage(
                stage,
                "keeps nothing: its output goes straight on to the stages below it",
            ));
        }
        let mut known = Known::default();
        for unit in Unit::of(pipeline)? {
            let snapshot = self.resolve(pipeline, &unit, &mut known)?.and_then(|resolved| resolved.snapshot);
            if unit.stage == target {
                let snapshot = snapshot.ok_or_else(|| {
                    Error::stage(stage, "is not in the store as the pipeline stands now; run it first")
                })?;
                return snapshot.files.iter().map(|file| self.store.fetch(&file.path)).collect();
            }
            if let Some(snapshot) = snapshot {
                known.snapshots.insert(unit.stage, snapshot);
            }
        }
        Err(Error::stage(stage, "is not part of the pipeline"))
    }

    /// Why a unit has to be computed, in words.
    pub(super) fn why(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        resolved: &Resolved,
        before: Option<&Before>,
        tasks: Option<&[Task]>,
    ) -> Vec<String> {
        match self.again(pipeline, unit) {
            Again::Everything => return vec!["it is forced".into()],
            // Where all is there, there is no other reason.
            Again::Rejected if resolved.snapshot.is_some() => {
                return vec!["rejected items are tried again".into()];
            }
            Again::Rejected | Again::Nothing => {}
        }
        let Some(Before { record, snapshot }) = before else { return vec!["not computed before".into()] };
        let chain = unit.recorded(pipeline);
        let links: Vec<Link> = unit.stages().into_iter().map(|stage| pipeline.stages[stage].link()).collect();
        let random = unit.stages().into_iter().any(|stage| pipeline.stages[stage].operator.random());
        let seed = random.then_some(pipeline.seed);
        let sources = unit.sources(pipeline);
        let change = Change {
            old: record,
            chain: &chain,
            links: &links,
            sources: &sources,
            seed,
            reads: &resolved.reads,
        };
        let items = resolved.items.as_ref().map(|items| items.get().as_slice());
        let computed: Option<HashSet<&str>> = tasks.map(computed_keys);
        let why = explain(&change, snapshot.as_deref(), items, computed.as_ref());
        match () {
            () if !why.is_empty() => why,
            () if record.fingerprint != resolved.fingerprint => {
                vec!["what it reads is read in another way, or has other columns".into()]
            }
            () if record.inputs != resolved.inputs => {
                vec!["the items that it reads are spread over shards in another way".into()]
            }
            () if self.store.is_damaged(&record.fingerprint, &record.inputs) => {
                vec!["the list of its files in the store is damaged; it is made again".into()]
            }
            () => vec!["its output is no longer in the store".into()],
        }
    }
}

fn snapshot_keys(snapshot: &Snapshot) -> impl Iterator<Item = &str> {
    snapshot_inputs(snapshot).map(|(key, _)| key)
}

/// Why what a unit reads is to be computed, each cause once.
fn roots(unit: &Unit, known: &Known) -> Vec<String> {
    let mut reasons: Vec<String> =
        unit.heads().filter_map(|head| known.reasons.get(&head)).flatten().cloned().collect();
    reasons.sort();
    reasons.dedup();
    reasons
}

/// Whether a cause is that items are new, changed or removed.
pub(super) fn is_of_items(why: &str) -> bool {
    why.starts_with("item ") || why.contains(" items are ")
}

/// How many items of an old snapshot are no longer there.
fn removed<'a>(old: &Snapshot, now: impl Iterator<Item = &'a str>) -> u64 {
    let now: HashSet<&str> = now.collect();
    snapshot_keys(old).filter(|key| !now.contains(key)).count() as u64
}

fn counts(tasks: &[Task], old: Option<&Snapshot>, items: &[Item]) -> ItemCounts {
    let mut computed = computed_keys(tasks);
    let all = computed.len() as u64;
    let mut counts = ItemCounts::default();
    if let Some(old) = old {
        snapshot_keys(old).filter(|key| computed.remove(key)).for_each(drop);
        counts.removed = ItemChanges::of(old, items).removed.len() as u64;
    }
    counts.new = computed.len() as u64;
    counts.changed = all - counts.new;
    counts.reused = items.len() as u64 - all;
    counts
}

/// The items that a unit will leave. Of those that are to be computed neither digest nor size is known, nor
/// whether they will be left at all.
fn provisional(tasks: &[Task]) -> Vec<Item> {
    let mut items = Vec::with_capacity(tasks.iter().map(|task| task.bucket.items.len()).sum());
    for task in tasks {
        // In the order of keys, like the bucket.
        let entries = match &task.shard {
            Some(shard) if !task.due() => shard.0.items.as_slice(),
            _ => &[],
        };
        let mut entries = entries.iter().peekable();
        for (item, known) in task.bucket.items.iter().zip(&task.known) {
            let entry = match known {
                Some(known) => match &known.fate {
                    Fate::Kept(entry, _) => Some(entry),
                    _ => continue,
                },
                None if task.due() => None,
                None => match entries.next_if(|entry| entry.item == item.key) {
                    Some(entry) => Some(entry),
                    None => continue,
                },
            };
            let (digest, size) =
                entry.map_or(("".into(), item.size), |entry| (entry.output.clone(), entry.bytes));
            items.push(Item { digest, size, stamp: None, rows: None, ..item.clone() });
        }
    }
    items.sort_by(|a, b| a.key.cmp(&b.key));
    items
}

/// The keys of the items that are to be computed.
pub(super) fn computed_keys(tasks: &[Task]) -> HashSet<&str> {
    tasks.iter().flat_map(|task| task.computed().map(|index| &*task.bucket.items[index].key)).collect()
}

fn size(snapshot: &Snapshot) -> u64 {
    match snapshot.items.len() as u64 {
        0 => snapshot.files.iter().map(|file| file.rows).sum(),
        items => items,
    }
}
