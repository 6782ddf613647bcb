//! What the stages of a unit did.

use std::collections::BTreeMap;

use super::compute::Computed;
use super::engine::Engine;
use super::resolve::Known;
use super::unit::Unit;
use crate::event::{Event, Status, Summary};
use crate::spec::Pipeline;
use crate::store::Snapshot;

impl Engine {
    /// Says what a unit's stages did. Gives the items that it accounts for, and how many were computed.
    pub(super) fn summarise(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        known: &Known,
        computed: &Computed,
        summaries: &mut BTreeMap<String, Summary>,
    ) -> (u64, u64) {
        let Computed { status, snapshot, seconds, items: items_computed, .. } = computed;
        let status = *status;
        for feed in unit.feeds() {
            if let Some(items) = known.scans.get(&feed.head) {
                let count = items.len() as u64;
                let status = if status == Status::Reused { Status::Reused } else { Status::Computed };
                let summary = Summary {
                    status,
                    computed: 0,
                    items_in: count,
                    items: count,
                    rows: count,
                    filtered: 0,
                    rejected: 0,
                    seconds: 0.0,
                    counters: BTreeMap::new(),
                };
                self.conclude(&pipeline.stages[feed.head].name, summary, summaries);
            }
        }
        let mut items = match unit.items {
            true => (snapshot.items.len() + snapshot.filtered.len() + snapshot.rejected.len()) as u64,
            false => items_read(unit, known),
        };
        let all = items;
        let computed = match status {
            Status::Reused => 0,
            _ if unit.items => *items_computed,
            _ => all,
        };
        for entry in &snapshot.rejected {
            let stage = unit.stages().get(entry.operator).map_or(unit.stage, |stage| *stage);
            (self.reporter)(Event::Rejected {
                stage: pipeline.stages[stage].name.clone(),
                item: entry.item.to_string(),
                class: entry.class.clone(),
                offset: entry.offset.clone(),
                message: entry.message.clone(),
            });
        }
        for (position, stage) in unit.stages().into_iter().enumerate() {
            let filtered = snapshot.filtered.iter().filter(|entry| entry.operator == position).count() as u64;
            let rejected = snapshot.rejected.iter().filter(|entry| entry.operator == position).count() as u64;
            let counts = snapshot.counts.get(position).cloned().unwrap_or_default();
            let summary = Summary {
                status,
                computed,
                items_in: items,
                items: items - filtered - rejected,
                rows: counts.rows,
                filtered,
                rejected,
                seconds: seconds.get(position).copied().unwrap_or(0.0),
                counters: counts.counters,
            };
            items = summary.items;
            self.conclude(&pipeline.stages[stage].name, summary, summaries);
        }
        (all, computed)
    }

    /// A stage that several units run is reported once, as computed if any computed it.
    pub(super) fn conclude(&self, stage: &str, summary: Summary, summaries: &mut BTreeMap<String, Summary>) {
        if summaries
            .get(stage)
            .is_some_and(|before| before.status != Status::Reused || summary.status == Status::Reused)
        {
            return;
        }
        summaries.insert(stage.to_owned(), summary.clone());
        (self.reporter)(Event::Stage { stage: stage.to_owned(), summary });
    }
}

/// The items that a dataset stage reads: those of its main inputs, or the rows of a table.
fn items_read(unit: &Unit, known: &Known) -> u64 {
    let size = |head: &Snapshot| match head.items.len() as u64 {
        0 => head.files.iter().map(|file| file.rows).sum(),
        items => items,
    };
    let main = unit.feeds.first().map_or(&[][..], |(_, feeds)| feeds.as_slice());
    main.iter().filter_map(|feed| known.snapshots.get(&feed.head)).map(|head| size(head)).sum()
}
