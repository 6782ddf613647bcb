//! The engine: finds out what has to be computed, and computes it.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;

use super::options::Options;
use super::resolve::Known;
use super::table;
use super::unit::Unit;
use crate::error::Error;
use crate::event::{Event, Reporter, Status, Summary};
use crate::operator::Table;
use crate::spec::Pipeline;
use crate::store::{RunRecord, StageRecord, Stamps, Store};

/// Runs pipelines.
pub struct Engine {
    pub table: Table,
    pub store: Store,
    pub options: Options,
    pub reporter: Reporter,
    pub cancel: CancellationToken,
}

/// What a run ended with.
#[derive(Debug)]
pub struct Outcome {
    pub stages: BTreeMap<String, Summary>,
}

impl Engine {
    /// Computes what is not in the store.
    ///
    /// Errors: whatever stops a stage; too many rejects, once everything is stored.
    pub async fn run(&self, pipeline: &Pipeline) -> Result<Outcome, Error> {
        let begin = Instant::now();
        let mut record = RunRecord {
            pipeline: pipeline.name.clone(),
            started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            seconds: 0.0,
            error: None,
            stages: BTreeMap::new(),
        };
        let mut stages = BTreeMap::new();
        let mut rejects = None;
        let result = self.run_units(pipeline, &mut record, &mut stages, &mut rejects).await;
        let result = match (result, rejects) {
            (Err(error), Some(rejects)) if !matches!(error, Error::Cancelled) => {
                Err(Error::Other(format!("{error}\n{rejects}")))
            }
            (result, rejects) => result.and(rejects.map_or(Ok(()), Err)),
        };
        record.seconds = begin.elapsed().as_secs_f64();
        record.error = result.as_ref().err().map(ToString::to_string);
        let kept = if record.stages.is_empty() { Ok(0) } else { self.store.keep_run(&record) };
        // An error of the run itself says more than one of its record.
        result?;
        if let Err(error) = kept {
            // A store that cannot be written can still be read.
            if stages.values().any(|stage: &Summary| stage.status != Status::Reused) {
                return Err(error);
            }
            self.message(&pipeline.name, format!("the run was not recorded: {error}"));
        }
        Ok(Outcome { stages })
    }

    async fn run_units(
        &self,
        pipeline: &Pipeline,
        record: &mut RunRecord,
        summaries: &mut BTreeMap<String, Summary>,
        rejects: &mut Option<Error>,
    ) -> Result<(), Error> {
        let mut known = Known { stamps: Stamps::load(&self.store), keeps: true, ..Known::default() };
        for unit in Unit::of(pipeline)? {
            let name = pipeline.stages[unit.stage].name.clone();
            let resolved = self
                .resolve(pipeline, &unit, &mut known)?
                .ok_or_else(|| Error::stage(&name, "reads a stage that has no output"))?;
            let (status, snapshot, seconds) = match &resolved.snapshot {
                Some(snapshot) => (Status::Reused, snapshot.clone(), Vec::new()),
                None => {
                    known.stamps.save(&self.store)?;
                    let (status, snapshot, seconds) = match &resolved.items {
                        Some(_) => self.compute_items(pipeline, &unit, &resolved).await?,
                        None => self.compute_dataset(pipeline, &unit, &resolved, &known).await?,
                    };
                    self.store.keep_snapshot(&snapshot)?;
                    (status, snapshot, seconds)
                }
            };
            self.summarise(pipeline, &unit, &known, &snapshot, status, &seconds, summaries);
            if let Some(items) = &resolved.items {
                let (rejected, items) = (snapshot.rejected.len() as u64, items.len() as u64);
                if rejects.is_none() && self.options.max_rejects.exceeded(rejected, items) {
                    let limit = self.options.max_rejects.to_string();
                    *rejects = Some(Error::Rejects { rejected, items, limit });
                }
            }
            if pipeline.stages[unit.stage].declaration.report {
                let (columns, rows) = table::rows(&self.store, &snapshot)?;
                (self.reporter)(Event::Result { stage: name.clone(), columns, rows });
            }
            let stage = StageRecord {
                fingerprint: resolved.fingerprint,
                inputs: resolved.inputs,
                reads: resolved.reads,
                chain: unit.links(pipeline),
                seed: pipeline.seed,
            };
            record.stages.insert(name, stage);
            known.snapshots.insert(unit.stage, snapshot);
        }
        known.stamps.save(&self.store)
    }

    pub(super) fn message(&self, stage: &str, text: String) {
        (self.reporter)(Event::Message { stage: stage.to_owned(), text, values: BTreeMap::new() });
    }
}
