//! The exact causes that have a stage or an item computed.

use super::engine::Engine;
use super::explain::{ItemChanges, short, snapshot_inputs};
use super::plan::{Verdict, computed_keys, is_of_items};
use super::resolve::Known;
use super::unit::Unit;
use crate::error::Error;
use crate::event::Status;
use crate::spec::Pipeline;
use crate::store::{Snapshot, StageRecord};
use crate::suggest::nearest;

/// Items that are named of each kind of change.
const NAMED: usize = 100;

impl Engine {
    /// Why a stage would be computed, or one item of it, a cause a line. Writes nothing.
    pub fn causes(&self, pipeline: &Pipeline, stage: &str, item: Option<&str>) -> Result<Vec<String>, Error> {
        let target = pipeline.find(stage)?;
        let mut known = Known::default();
        let mut lines = Vec::new();
        let units = Unit::of(pipeline)?;
        for (index, unit) in units.iter().enumerate() {
            let verdict = self.verdict(pipeline, unit, &mut known)?;
            known.keep_for(pipeline, &units[index + 1..]);
            let concerned = unit.stages().contains(&target)
                || unit.feeds().any(|feed| feed.head == target && !pipeline.stages[target].materialises());
            if !concerned {
                continue;
            }
            let name = &pipeline.stages[unit.stage].name;
            match item {
                Some(item) => lines.extend(self.item(pipeline, unit, &verdict, item)?),
                None => lines.extend(
                    self.stage(pipeline, unit, &verdict, &known)?
                        .into_iter()
                        .map(|line| format!("{name}: {line}")),
                ),
            }
        }
        Ok(lines)
    }

    fn stage(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        verdict: &Verdict,
        known: &Known,
    ) -> Result<Vec<String>, Error> {
        if verdict.action == Status::Reused {
            let name = &pipeline.stages[unit.stage].name;
            // Of this very output, not of what came between.
            let is_it = |record: &StageRecord| {
                !record.why.is_empty()
                    && verdict.resolved.as_ref().is_some_and(|now| {
                        (&now.fingerprint, &now.inputs) == (&record.fingerprint, &record.inputs)
                    })
            };
            let last = self.store.last_record_where(&pipeline.name, name, is_it)?;
            let mut lines = vec!["nothing to do: its output is in the store".to_owned()];
            if let Some(last) = last {
                lines.push(format!("when it was last computed: {}", last.why.join("; ")));
            }
            return Ok(lines);
        }
        // Items are named one by one below.
        let mut lines: Vec<String> = verdict.why.iter().filter(|line| !is_of_items(line)).cloned().collect();
        let old = verdict.before.as_ref().and_then(|before| before.snapshot.as_deref());
        if let (Some(old), Some(items)) = (
            old,
            verdict
                .resolved
                .as_ref()
                .and_then(|resolved| resolved.items.as_ref().map(|items| items.get().as_slice())),
        ) {
            let mut changes = ItemChanges::of(old, items);
            if !verdict.tasks.is_empty() {
                changes.only(Some(&computed_keys(&verdict.tasks)));
            }
            // What may change because of what stands above is told once.
            let may = |(_, _, digest): &(&str, &str, &str)| digest.is_empty();
            let unknown = changes.changed.iter().filter(|change| may(change)).count();
            changes.changed.retain(|change| !may(change));
            for feed in unit.feeds().filter(|_| unknown > 0) {
                let head = &pipeline.stages[feed.head].name;
                lines.push(format!("{unknown} items may change, since {head} is to be computed"));
            }
            name_all(&mut lines, &changes.added, |(key, digest)| {
                format!("item {key} is new ({})", blake(digest))
            });
            name_all(&mut lines, &changes.changed, |(key, old, new)| changed(key, old, new));
            name_all(&mut lines, &changes.removed, |key| format!("item {key} was removed"));
        }
        let heads = unit.heads().filter_map(|head| known.reasons.get(&head)).flatten();
        let mut roots: Vec<String> = heads.map(|reason| format!("because {reason}")).collect();
        roots.sort();
        roots.dedup();
        lines.extend(roots);
        Ok(lines)
    }

    fn item(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        verdict: &Verdict,
        key: &str,
    ) -> Result<Vec<String>, Error> {
        let name = &pipeline.stages[unit.stage].name;
        let old = verdict.before.as_ref().and_then(|before| before.snapshot.as_deref());
        let before = old.and_then(|old| snapshot_inputs(old).find(|(item, _)| *item == key));
        let items = verdict
            .resolved
            .as_ref()
            .and_then(|resolved| resolved.items.as_ref().map(|items| items.get().as_slice()));
        let Some(items) = items else {
            let why = match verdict.action {
                Status::Reused => "nothing to do".to_owned(),
                _ => verdict.why.join("; "),
            };
            return Ok(vec![match unit.items {
                true => format!("{name}: what becomes of item {key} is known when what is above is: {why}"),
                false => format!("{name}: it takes all items at once; {why}"),
            }]);
        };
        let Some(item) = items.iter().find(|item| &*item.key == key) else {
            if before.is_some() {
                return Ok(vec![format!("{name}: item {key} was removed")]);
            }
            let keys: Vec<&str> = items.iter().map(|item| &*item.key).collect();
            let help = nearest(key, &keys);
            let help = help.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(Error::stage(name, format!("has no item `{key}`{help}")));
        };
        let due = verdict
            .tasks
            .iter()
            .any(|task| task.computed().any(|index| *task.bucket.items[index].key == *key));
        let mut lines = Vec::new();
        match before {
            _ if !due => lines.push(format!("item {key} is reused ({})", blake(&item.digest))),
            None if old.is_some() => lines.push(format!("item {key} is new ({})", blake(&item.digest))),
            _ => {
                if let Some((_, digest)) = before.filter(|(_, digest)| **digest != *item.digest) {
                    lines.push(changed(key, digest, &item.digest));
                }
                let causes = verdict.why.iter().filter(|line| !is_of_items(line));
                lines.extend(causes.map(|cause| format!("item {key} is computed: {cause}")));
            }
        }
        if let Some(old) = old {
            lines.extend(outcome(pipeline, unit, old, key));
        }
        Ok(lines.into_iter().map(|line| format!("{name}: {line}")).collect())
    }
}

/// What became of an item in the last run.
fn outcome(pipeline: &Pipeline, unit: &Unit, old: &Snapshot, key: &str) -> Option<String> {
    let stages = unit.stages();
    let stage =
        |operator: usize| stages.get(operator).map_or("", |stage| pipeline.stages[*stage].name.as_str());
    if let Some(entry) = old.filtered.iter().find(|entry| *entry.item == *key) {
        return Some(format!("the last run filtered it at {}: {}", stage(entry.operator), entry.reason));
    }
    if let Some(entry) = old.rejected.iter().find(|entry| *entry.item == *key) {
        let place = if entry.offset.is_empty() { String::new() } else { format!("{}: ", entry.offset) };
        let at = stage(entry.operator);
        return Some(format!("the last run rejected it at {at}: {place}{}: {}", entry.class, entry.message));
    }
    let entry = old.items.iter().find(|entry| *entry.item == *key)?;
    Some(format!("the last run kept {} rows of it", entry.rows))
}

fn changed(key: &str, old: &str, new: &str) -> String {
    if new.is_empty() {
        return format!("item {key} may change: what it is made from is to be computed");
    }
    format!("item {key} changed ({} → {})", blake(old), short(new.trim_start_matches("etag-")))
}

fn blake(digest: &str) -> String {
    match digest.strip_prefix("etag-") {
        _ if digest.is_empty() => "to be computed".into(),
        Some(etag) => format!("etag {}", short(etag)),
        None => format!("blake3 {}", short(digest)),
    }
}

fn name_all<T>(lines: &mut Vec<String>, all: &[T], line: impl Fn(&T) -> String) {
    lines.extend(all.iter().take(NAMED).map(line));
    if all.len() > NAMED {
        lines.push(format!("… and {} more", all.len() - NAMED));
    }
}
