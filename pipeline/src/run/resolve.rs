//! What a unit reads, and whether its output is there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::columns::ItemColumns;
use super::engine::Engine;
use super::items::{Bucket, Items, buckets, digest_items};
use super::unit::{Unit, digest};
use super::vouch::Vouched;
use crate::error::Error;
use crate::flow::Flow;
use crate::operator::{Body, Item};
use crate::spec::Pipeline;
use crate::store::{Snapshot, Stamps};

/// A unit whose inputs are known.
pub struct Resolved {
    pub fingerprint: String,
    pub inputs: String,
    pub reads: BTreeMap<String, String>,
    /// For item stages.
    pub items: Option<Items>,
    /// What tables above say of the items.
    pub columns: Option<Arc<ItemColumns>>,
    pub snapshot: Option<Arc<Snapshot>>,
}

/// The items that a table names, and what else it says of them.
type Chosen = (Vec<Item>, Option<Arc<ItemColumns>>);

/// What is known while going through the units.
#[derive(Default)]
pub struct Known {
    pub snapshots: HashMap<usize, Arc<Snapshot>>,
    /// In a plan, the items that a stage which is to be computed will leave.
    pub provisional: HashMap<usize, Arc<Vec<Item>>>,
    pub scans: HashMap<usize, Arc<Vec<Item>>>,
    /// How many items were scanned.
    pub scanned: BTreeMap<usize, u64>,
    /// Those that the run holds a lease on, by the unit's stage.
    pub fingerprints: HashMap<usize, String>,
    pub vouched: Arc<Vouched>,
    /// In a plan, why a stage is to be computed.
    pub reasons: HashMap<usize, Vec<String>>,
    /// Whether what is learnt of files may be kept.
    pub keeps: bool,
}

impl Known {
    /// Forgets what none of these units reads.
    pub fn keep_for(&mut self, pipeline: &Pipeline, units: &[Unit]) {
        let heads: HashSet<usize> = units.iter().flat_map(Unit::heads).collect();
        let scans = heads.iter().flat_map(|head| match pipeline.stages[*head].flow {
            Flow::Table(_) => pipeline.scans(*head),
            _ => vec![*head],
        });
        let scans: HashSet<usize> = scans.collect();
        self.snapshots.retain(|stage, _| heads.contains(stage));
        self.provisional.retain(|stage, _| heads.contains(stage));
        self.scans.retain(|stage, _| scans.contains(stage));
    }
}

impl Engine {
    /// Finds a unit's inputs and its snapshot. None when it reads a stage whose snapshot is not known.
    pub(super) fn resolve(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        known: &mut Known,
    ) -> Result<Option<Resolved>, Error> {
        let mut reads = BTreeMap::new();
        let (mut items, mut columns) = (None, None);
        let mut parts = Vec::new();
        for feed in unit.feeds() {
            let head = &pipeline.stages[feed.head];
            let digest = if unit.items && matches!(head.flow, Flow::Table(_)) {
                let Some((chosen, said)) = self.chosen(pipeline, feed.head, known)? else { return Ok(None) };
                let digest = digest_items(&chosen);
                (items, columns) = (Some(Arc::new(chosen).into()), said);
                digest
            } else if unit.items
                && let Some(left) = known.provisional.get(&feed.head)
            {
                items = Some(left.clone().into());
                digest_items(left)
            } else if head.materialises() {
                let Some(snapshot) = known.snapshots.get(&feed.head) else { return Ok(None) };
                if unit.items {
                    items = Some(Items::of(&self.store, snapshot));
                }
                snapshot.digest.clone()
            } else {
                let found = self.scan(pipeline, feed.head, known)?;
                let digest = digest_items(&found);
                items = Some(found.into());
                digest
            };
            reads.insert(head.name.clone(), digest.clone());
            parts.push(digest);
        }
        let mut sides = Vec::new();
        for &side in &unit.sides {
            let Some(snapshot) = known.snapshots.get(&side) else { return Ok(None) };
            reads.insert(pipeline.stages[side].name.clone(), snapshot.digest.clone());
            sides.push(snapshot.digest.as_str());
        }
        if !sides.is_empty() {
            let digest_of_sides = digest(&sides);
            // Each item is another when what is read besides is, for its rows are.
            if let Some(plain) = items.take() {
                let mut all: Vec<Item> = plain.get().as_ref().clone();
                let known = |item: &&mut Item| !item.digest.is_empty();
                for item in all.iter_mut().filter(known) {
                    item.digest = digest(&[&item.digest, &digest_of_sides]).into();
                }
                items = Some(Arc::new(all).into());
            }
            parts.push(digest_of_sides);
        }
        if let Body::Dataset(dataset) = pipeline.stages[unit.stage].operator.body()
            && dataset.asks()
            && let Some(read) = unit.main().and_then(|head| known.snapshots.get(&head))
        {
            parts.push(layout(read));
        }
        let fingerprint = match known.fingerprints.get(&unit.stage) {
            Some(fingerprint) => fingerprint.clone(),
            None => unit.fingerprint(pipeline)?,
        };
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let inputs = digest(&parts);
        let snapshot = self.store.snapshot(&fingerprint, &inputs)?.map(Arc::new);
        Ok(Some(Resolved { fingerprint, inputs, reads, items, columns, snapshot }))
    }

    /// The items that a table names, found by the scans above it, and what else the table says of them.
    pub(super) fn chosen(
        &self,
        pipeline: &Pipeline,
        table: usize,
        known: &mut Known,
    ) -> Result<Option<Chosen>, Error> {
        let mut found: HashMap<Arc<str>, Item> = HashMap::new();
        for scan in pipeline.scans(table) {
            for item in self.scan(pipeline, scan, known)?.iter() {
                if let Some(other) = found.insert(item.key.clone(), item.clone()) {
                    let message = format!("two scans above it find an item `{}`", other.key);
                    return Err(pipeline.error_at(table, "", message));
                }
            }
        }
        let Some(snapshot) = known.snapshots.get(&table) else { return Ok(None) };
        self.vouch(&known.vouched, snapshot.files.iter())?;
        let columns = ItemColumns::of_table(&self.store, snapshot)
            .map_err(|error| Error::stage(&pipeline.stages[table].name, error.to_string()))?;
        let mut items = Vec::with_capacity(columns.len());
        for key in columns.keys() {
            let Some(mut item) = found.remove(key) else {
                let message = format!("its table names an item `{key}` that the scan above does not find");
                return Err(pipeline.error_at(table, "", message));
            };
            if let Some(row) = columns.digest(key)? {
                item.digest = digest(&[&item.digest, &row]).into();
            }
            items.push(item);
        }
        items.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Some((items, (!columns.is_bare()).then(|| Arc::new(columns)))))
    }

    pub(super) fn scan(
        &self,
        pipeline: &Pipeline,
        stage: usize,
        known: &mut Known,
    ) -> Result<Arc<Vec<Item>>, Error> {
        if let Some(items) = known.scans.get(&stage) {
            return Ok(items.clone());
        }
        let Body::Scan(scan) = pipeline.stages[stage].operator.body() else {
            return Err(Error::stage(&pipeline.stages[stage].name, "is not a source"));
        };
        let wrong =
            |invalid: crate::operator::Invalid| pipeline.error_at(stage, &invalid.parameter, invalid.message);
        let mut items = scan.scan().map_err(wrong)?;
        let mut stamps = Stamps::load(&self.store);
        let digested = stamps.digest(&mut items, self.options.threads, &self.cancel);
        if known.keeps
            && let Err(error) = stamps.save(&self.store)
        {
            // They are a cache, and a store that cannot be written can still be read.
            let name = &pipeline.stages[stage].name;
            self.message(name, format!("the cache of stamps was not saved: {error}"));
        }
        digested?;
        let items = Arc::new(items);
        known.scanned.insert(stage, items.len() as u64);
        known.scans.insert(stage, items.clone());
        Ok(items)
    }

    pub(super) fn buckets(&self, pipeline: &Pipeline, unit: &Unit, resolved: &Resolved) -> Vec<Bucket> {
        match (&resolved.items, pipeline.stages[unit.stage].operator.body()) {
            (Some(items), Body::Sink(sink)) => {
                buckets(&resolved.fingerprint, items.get(), sink.storage().target)
            }
            (Some(items), Body::Tabulate(tabulate)) => {
                buckets(&resolved.fingerprint, items.get(), tabulate.storage().target)
            }
            _ => Vec::new(),
        }
    }
}

/// How items are spread over shards.
fn layout(snapshot: &Snapshot) -> String {
    let bytes = snapshot.files.iter().map(|file| file.bytes.to_string());
    let all: Vec<String> = bytes.chain(snapshot.items.iter().map(|item| item.file.to_string())).collect();
    digest(&all.iter().map(String::as_str).collect::<Vec<_>>())
}
