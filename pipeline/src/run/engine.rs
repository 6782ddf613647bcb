//! The engine: finds out what has to be computed, and computes it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::ErrorKind;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;

use super::compute::Computed;
use super::options::Options;
use super::resolve::Known;
use super::reuse::Again;
use super::table;
use super::unit::Unit;
use crate::error::Error;
use crate::event::{Event, Reporter, Status, Summary};
use crate::operator::Table;
use crate::spec::Pipeline;
use crate::store::{Lease, RunRecord, Snapshot, StageRecord, Store};

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

/// What a run uses, and the lease on it. Where there is no store yet, it is taken before there is one.
struct Hold {
    /// By the unit's stage.
    fingerprints: HashMap<usize, String>,
    lease: Option<Lease>,
    /// The number of the run's record, once there is one.
    number: Option<u64>,
}

impl Hold {
    /// Takes the lease anew if it was lost. What a stage has written may have been collected meanwhile.
    fn renew(&mut self, store: &Store, snapshot: &Snapshot) -> Result<(), Error> {
        if self.lease.as_ref().is_none_or(|lease| !lease.is_lost()) {
            return Ok(());
        }
        self.lease = None;
        self.take(store)?;
        let paths: Vec<&str> = snapshot.files.iter().map(|file| file.path.as_str()).collect();
        match store.sizes(&paths)?.iter().all(Option::is_some) {
            true => Ok(()),
            false => Err(Error::Other(
                "this machine was away for so long that what it had written was collected as garbage; run it again".into(),
            )),
        }
    }

    fn take(&mut self, store: &Store) -> Result<(), Error> {
        if self.lease.is_none() {
            let fingerprints: Vec<&str> = self.fingerprints.values().map(String::as_str).collect();
            self.lease = Some(store.lease(&fingerprints)?);
        }
        Ok(())
    }
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
            error: Some("it did not come to its end".into()),
            stages: BTreeMap::new(),
        };
        let mut stages = BTreeMap::new();
        let mut rejects = None;
        let units = self.units(pipeline)?;
        let fingerprints = units
            .iter()
            .map(|unit| Ok((unit.stage, unit.fingerprint(pipeline)?)))
            .collect::<Result<HashMap<_, _>, Error>>()?;
        // Until the record is written, which says what is to be kept from then on.
        let mut hold = Hold { fingerprints, lease: None, number: None };
        if self.store.is_there()? {
            match hold.take(&self.store) {
                // A store that cannot be written can still be read.
                Err(Error::Io { source, .. })
                    if matches!(
                        source.kind(),
                        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
                    ) => {}
                taken => taken?,
            }
        }
        let result = self.run_units(pipeline, units, &mut hold, &mut record, &mut stages, &mut rejects).await;
        let result = match (result, rejects) {
            (Err(error), Some(rejects)) if !matches!(error, Error::Cancelled) => {
                Err(Error::Other(format!("{error}\n{rejects}")))
            }
            (result, rejects) => result.and(rejects.map_or(Ok(()), Err)),
        };
        record.seconds = begin.elapsed().as_secs_f64();
        record.error = result.as_ref().err().map(ToString::to_string);
        let kept = if record.stages.is_empty() { Ok(0) } else { self.store.keep_run(&record, hold.number) };
        drop(hold);
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
        units: Vec<Unit>,
        hold: &mut Hold,
        record: &mut RunRecord,
        summaries: &mut BTreeMap<String, Summary>,
        rejects: &mut Option<Error>,
    ) -> Result<(), Error> {
        let mut known = Known { keeps: true, fingerprints: hold.fingerprints.clone(), ..Known::default() };
        let began = Instant::now();
        for (index, unit) in units.iter().enumerate() {
            let begin = Instant::now();
            let name = pipeline.stages[unit.stage].name.clone();
            let resolved = self
                .resolve(pipeline, unit, &mut known)?
                .ok_or_else(|| Error::stage(&name, "reads a stage that has no output"))?;
            let again = self.again(pipeline, unit);
            let there = resolved.snapshot.clone().filter(|snapshot| match again {
                Again::Nothing => true,
                Again::Rejected => snapshot.rejected.is_empty(),
                Again::Everything => false,
            });
            let computed = match there {
                Some(snapshot) => Computed {
                    status: Status::Reused,
                    snapshot,
                    seconds: Vec::new(),
                    items: 0,
                    why: Vec::new(),
                },
                None => {
                    hold.take(&self.store)?;
                    let before = self.before(pipeline, unit, resolved.snapshot.as_ref())?;
                    match &resolved.items {
                        Some(_) => {
                            let before = before.as_ref();
                            let computed =
                                self.compute_items(pipeline, unit, &resolved, &known, before).await?;
                            hold.renew(&self.store, &computed.snapshot)?;
                            let snapshot = self.keep(computed.snapshot)?;
                            Computed { snapshot, ..computed }
                        }
                        // It has kept its snapshot where it published its files, under one lock.
                        None => {
                            let why = self.why(pipeline, unit, &resolved, before.as_ref(), None);
                            let computed =
                                self.compute_dataset(pipeline, unit, &resolved, &known, why).await?;
                            hold.renew(&self.store, &computed.snapshot)?;
                            computed
                        }
                    }
                }
            };
            let snapshot = &computed.snapshot;
            let computed_items = self.summarise(pipeline, unit, &known, &computed, summaries);
            if let Some(items) = &resolved.items {
                let (rejected, items) = (snapshot.rejected.len() as u64, items.count());
                if rejects.is_none() && self.options.max_rejects.exceeded(rejected, items) {
                    let limit = self.options.max_rejects.to_string();
                    *rejects = Some(Error::Rejects { rejected, items, limit });
                }
            }
            if pipeline.stages[unit.stage].declaration.report {
                self.vouch(&known.vouched, snapshot.files.iter())?;
                let (columns, rows) = table::rows(&self.store, snapshot)?;
                (self.reporter)(Event::Result { stage: name.clone(), columns, rows });
            }
            let stage = StageRecord {
                fingerprint: resolved.fingerprint,
                inputs: resolved.inputs,
                reads: resolved.reads,
                chain: unit.recorded(pipeline),
                sources: unit.sources(pipeline),
                seed: pipeline.seed,
                why: computed.why.clone(),
                items: computed_items.0,
                computed: computed_items.1,
                rejected: snapshot.rejected.len() as u64,
                seconds: begin.elapsed().as_secs_f64(),
                bytes: snapshot.files.iter().map(|file| file.bytes).sum(),
            };
            record.stages.insert(name, stage);
            if computed.status != Status::Reused {
                // So that `gc` keeps it should the run be killed.
                record.seconds = began.elapsed().as_secs_f64();
                hold.number = Some(self.store.keep_run(record, hold.number)?);
            }
            known.snapshots.insert(unit.stage, computed.snapshot);
            known.keep_for(pipeline, &units[index + 1..]);
        }
        Ok(())
    }

    /// The units to be run: all, or those that a stage needs.
    pub(super) fn units(&self, pipeline: &Pipeline) -> Result<Vec<Unit>, Error> {
        let all = Unit::of(pipeline)?;
        let Some(until) = &self.options.until else { return Ok(all) };
        let target = pipeline.find(until)?;
        // A stage that keeps nothing runs in those below it.
        let mut wanted: BTreeSet<usize> = if pipeline.stages[target].materialises() {
            [target].into()
        } else {
            let runs =
                |unit: &&Unit| unit.stages().contains(&target) || unit.heads().any(|head| head == target);
            all.iter().filter(runs).map(|unit| unit.stage).collect()
        };
        for unit in all.iter().rev() {
            if wanted.contains(&unit.stage) {
                wanted.extend(unit.heads());
            }
        }
        Ok(all.into_iter().filter(|unit| wanted.contains(&unit.stage)).collect())
    }

    pub(super) fn message(&self, stage: &str, text: String) {
        (self.reporter)(Event::Message { stage: stage.to_owned(), text, values: BTreeMap::new() });
    }
}
