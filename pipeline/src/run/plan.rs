//! What a run would do, and why.

use super::engine::Engine;
use super::explain::{Change, explain};
use super::resolve::{Known, Resolved};
use super::unit::Unit;
use crate::error::Error;
use crate::event::Status;
use crate::spec::Pipeline;
use crate::store::Stamps;
use std::collections::BTreeMap;

/// What a run would do with a stage.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Planned {
    pub stage: String,
    pub operator: &'static str,
    pub action: Status,
    pub why: Vec<String>,
}

impl Engine {
    /// What a run would do, stage by stage. Writes nothing.
    pub fn plan(&self, pipeline: &Pipeline) -> Result<Vec<Planned>, Error> {
        let mut known = Known { stamps: Stamps::load(&self.store), ..Known::default() };
        let mut planned: BTreeMap<usize, Planned> = BTreeMap::new();
        for unit in Unit::of(pipeline)? {
            let resolved = self.resolve(pipeline, &unit, &mut known)?;
            let (action, why) = match &resolved {
                None => {
                    let stale: Vec<&str> = unit
                        .feeds()
                        .filter(|feed| !known.snapshots.contains_key(&feed.head))
                        .map(|feed| pipeline.stages[feed.head].name.as_str())
                        .collect();
                    (Status::Computed, vec![format!("reads {}, which is to be computed", stale.join(", "))])
                }
                Some(resolved) if resolved.snapshot.is_some() => (Status::Reused, Vec::new()),
                Some(resolved) => {
                    let why = self.why(pipeline, &unit, resolved)?;
                    let shards = self.buckets(pipeline, &unit, resolved);
                    let there = shards.iter().filter(|bucket| self.exists(&bucket.path)).count();
                    match there {
                        0 => (Status::Computed, why),
                        _ if there == shards.len() => {
                            // The digests of the files are not asked for in a plan.
                            let snapshot = self.assemble(&unit, resolved, &shards, |_| Ok(String::new()))?;
                            known.snapshots.insert(unit.stage, snapshot);
                            (Status::Reused, vec!["all shards are in the store".into()])
                        }
                        _ => (
                            Status::Partial,
                            [why, vec![format!("{there} of {} shards are in the store", shards.len())]]
                                .concat(),
                        ),
                    }
                }
            };
            if let Some(snapshot) = resolved.and_then(|resolved| resolved.snapshot) {
                known.snapshots.insert(unit.stage, snapshot);
            }
            for stage in unit.stages() {
                let name = &pipeline.stages[stage].name;
                let operator = pipeline.stages[stage].declaration.name;
                let why = if stage == unit.stage || action == Status::Reused {
                    why.clone()
                } else {
                    vec![format!("part of {}", pipeline.stages[unit.stage].name)]
                };
                let entry = Planned { stage: name.clone(), operator, action, why };
                match planned.get(&stage) {
                    Some(before) if before.action != Status::Reused => {}
                    _ => {
                        planned.insert(stage, entry);
                    }
                }
            }
        }
        for (stage, items) in &known.scans {
            let entry = Planned {
                stage: pipeline.stages[*stage].name.clone(),
                operator: pipeline.stages[*stage].declaration.name,
                action: Status::Reused,
                why: vec![format!("lists {} items", items.len())],
            };
            planned.insert(*stage, entry);
        }
        Ok(planned.into_values().collect())
    }

    /// The files that a stage's output consists of.
    pub fn paths(&self, pipeline: &Pipeline, stage: &str) -> Result<Vec<std::path::PathBuf>, Error> {
        let target = pipeline.find(stage)?;
        if !pipeline.stages[target].materialises() {
            return Err(Error::stage(
                stage,
                "keeps nothing: its output goes straight on to the stages below it",
            ));
        }
        let mut known = Known { stamps: Stamps::load(&self.store), ..Known::default() };
        for unit in Unit::of(pipeline)? {
            let snapshot = self.resolve(pipeline, &unit, &mut known)?.and_then(|resolved| resolved.snapshot);
            if unit.stage == target {
                let snapshot = snapshot.ok_or_else(|| {
                    Error::stage(stage, "is not in the store as the pipeline stands now; run it first")
                })?;
                return Ok(snapshot.files.iter().map(|file| self.store.path(&file.path)).collect());
            }
            if let Some(snapshot) = snapshot {
                known.snapshots.insert(unit.stage, snapshot);
            }
        }
        Err(Error::stage(stage, "is not part of the pipeline"))
    }

    pub(super) fn why(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        resolved: &Resolved,
    ) -> Result<Vec<String>, Error> {
        let name = &pipeline.stages[unit.stage].name;
        let Some(old) = self.store.last_record(&pipeline.name, name)? else {
            return Ok(vec!["not computed before".into()]);
        };
        let snapshot = self.store.snapshot(&old.fingerprint, &old.inputs)?;
        let chain = unit.links(pipeline);
        let random = unit.stages().into_iter().any(|stage| pipeline.stages[stage].operator.random());
        let seed = random.then_some(pipeline.seed);
        let change = Change { old: &old, chain: &chain, seed, reads: &resolved.reads };
        let why = explain(&change, snapshot.as_ref(), resolved.items.as_deref());
        Ok(if why.is_empty() { vec!["its output is no longer in the store".into()] } else { why })
    }
}
