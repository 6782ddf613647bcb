//! The engine: finds out what has to be computed, and computes it.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use datafusion_execution::TaskContext;
use datafusion_execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion_execution::runtime_env::RuntimeEnvBuilder;
use datafusion_physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt};
use tokio_util::sync::CancellationToken;

use super::bucket::{Progress, Shared};
use super::budget::Budget;
use super::chain::Chain;
use super::explain::{Change, explain};
use super::footer::Footer;
use super::fused::FusedExec;
use super::items::{Bucket, buckets, digest_items, items_of};
use super::pool::Pool;
use super::unit::{Feed, Unit, digest};
use super::{dataset, table};
use crate::error::Error;
use crate::event::{Event, Reporter, Status, Summary};
use crate::operator::{Body, DatasetInput, DatasetJob, Item, SignalInput, Table};
use crate::spec::Pipeline;
use crate::store::{Counts, RunRecord, Snapshot, StageRecord, Stamps, Store, StoredFile, digest_file};

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(200);

/// What must not change results.
#[derive(Debug, Clone)]
pub struct Options {
    pub threads: usize,
    /// Bytes.
    pub memory: u64,
    pub max_rejects: MaxRejects,
    /// Frames of a block.
    pub block: usize,
}

/// How many items of a stage may be rejected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxRejects {
    Share(f64),
    Count(u64),
}

impl Default for MaxRejects {
    fn default() -> Self {
        Self::Share(0.1)
    }
}

impl FromStr for MaxRejects {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a share such as 10% or a number of items, found `{text}`");
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self::Share(percent / 100.0)),
                _ => Err(wrong()),
            },
            None => text.parse().map(Self::Count).map_err(|_| wrong()),
        }
    }
}

impl std::fmt::Display for MaxRejects {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Share(share) => write!(formatter, "{}%", share * 100.0),
            Self::Count(count) => write!(formatter, "{count}"),
        }
    }
}

impl MaxRejects {
    fn exceeded(self, rejected: u64, items: u64) -> bool {
        match self {
            Self::Share(share) => rejected as f64 > share * items as f64,
            Self::Count(count) => rejected > count,
        }
    }
}

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

/// What a run would do with a stage.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Planned {
    pub stage: String,
    pub operator: &'static str,
    pub action: Status,
    pub why: Vec<String>,
}

/// A unit whose inputs are known.
struct Resolved {
    fingerprint: String,
    inputs: String,
    reads: BTreeMap<String, String>,
    /// For item stages.
    items: Option<Vec<Item>>,
    snapshot: Option<Snapshot>,
}

/// What is known while going through the units.
#[derive(Default)]
struct Known {
    snapshots: HashMap<usize, Snapshot>,
    scans: HashMap<usize, Vec<Item>>,
    stamps: Stamps,
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
        let result = result.and(rejects.map_or(Ok(()), Err));
        record.seconds = begin.elapsed().as_secs_f64();
        record.error = result.as_ref().err().map(ToString::to_string);
        // An error of the run itself says more than one of its record.
        let kept = if record.stages.is_empty() { Ok(0) } else { self.store.keep_run(&record) };
        result?;
        kept?;
        Ok(Outcome { stages })
    }

    async fn run_units(
        &self,
        pipeline: &Pipeline,
        record: &mut RunRecord,
        summaries: &mut BTreeMap<String, Summary>,
        rejects: &mut Option<Error>,
    ) -> Result<(), Error> {
        let mut known = Known { stamps: Stamps::load(&self.store), ..Known::default() };
        for unit in Unit::of(pipeline)? {
            let name = pipeline.stages[unit.stage].name.clone();
            let resolved = self
                .resolve(pipeline, &unit, &mut known)?
                .ok_or_else(|| Error::stage(&name, "reads a stage that has no output"))?;
            let (status, snapshot, seconds) = match &resolved.snapshot {
                Some(snapshot) => (Status::Reused, snapshot.clone(), Vec::new()),
                None => {
                    known.stamps.save(&self.store)?;
                    let why = self.why(pipeline, &unit, &resolved)?;
                    self.message(&name, format!("computing: {}", why.join("; ")));
                    let (status, snapshot, seconds) = match &resolved.items {
                        Some(items) => {
                            self.compute_items(pipeline, &unit, &resolved, items.len() as u64).await?
                        }
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

    /// Finds a unit's inputs and its snapshot. None when it reads a stage whose snapshot is not known.
    fn resolve(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        known: &mut Known,
    ) -> Result<Option<Resolved>, Error> {
        let mut reads = BTreeMap::new();
        let mut items = None;
        let mut parts = Vec::new();
        for feed in unit.feeds() {
            let head = &pipeline.stages[feed.head];
            let digest = if head.materialises() {
                let Some(snapshot) = known.snapshots.get(&feed.head) else { return Ok(None) };
                if unit.items {
                    items = Some(items_of(&self.store, snapshot));
                }
                snapshot.digest.clone()
            } else {
                let found = self.scan(pipeline, feed.head, known)?;
                let digest = digest_items(&found);
                items = Some(found);
                digest
            };
            reads.insert(head.name.clone(), digest.clone());
            parts.push(digest);
        }
        let fingerprint = unit.fingerprint(pipeline)?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let inputs = digest(&parts);
        let snapshot = self.store.snapshot(&fingerprint, &inputs)?;
        Ok(Some(Resolved { fingerprint, inputs, reads, items, snapshot }))
    }

    fn scan(&self, pipeline: &Pipeline, stage: usize, known: &mut Known) -> Result<Vec<Item>, Error> {
        if let Some(items) = known.scans.get(&stage) {
            return Ok(items.clone());
        }
        let Body::Scan(scan) = pipeline.stages[stage].operator.body() else {
            return Err(Error::stage(&pipeline.stages[stage].name, "is not a source"));
        };
        let wrong =
            |invalid: crate::operator::Invalid| pipeline.error_at(stage, &invalid.parameter, invalid.message);
        let mut items = scan.scan().map_err(wrong)?;
        known.stamps.digest(&mut items, self.options.threads, &self.cancel)?;
        known.scans.insert(stage, items.clone());
        Ok(items)
    }

    fn why(&self, pipeline: &Pipeline, unit: &Unit, resolved: &Resolved) -> Result<Vec<String>, Error> {
        let name = &pipeline.stages[unit.stage].name;
        let Some(old) = self.store.last_record(&pipeline.name, name)? else {
            return Ok(vec!["not computed before".into()]);
        };
        let snapshot = self.store.snapshot(&old.fingerprint, &old.inputs)?;
        let chain = unit.links(pipeline);
        let change = Change { old: &old, chain: &chain, seed: pipeline.seed, reads: &resolved.reads };
        let why = explain(&change, snapshot.as_ref(), resolved.items.as_deref());
        Ok(if why.is_empty() { vec!["its output is no longer in the store".into()] } else { why })
    }

    fn buckets(&self, pipeline: &Pipeline, unit: &Unit, resolved: &Resolved) -> Vec<Bucket> {
        match (&resolved.items, pipeline.stages[unit.stage].operator.body()) {
            (Some(items), Body::Sink(sink)) => {
                buckets(&resolved.fingerprint, items.clone(), sink.storage().target)
            }
            _ => Vec::new(),
        }
    }

    fn exists(&self, relative: &str) -> bool {
        self.store.path(relative).is_file()
    }

    async fn compute_items(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        resolved: &Resolved,
        items: u64,
    ) -> Result<(Status, Snapshot, Vec<f64>), Error> {
        let name = &pipeline.stages[unit.stage].name;
        let all = self.buckets(pipeline, unit, resolved);
        let missing: Vec<Bucket> = all.iter().filter(|bucket| !self.exists(&bucket.path)).cloned().collect();
        let status = match missing.len() {
            0 => Status::Reused,
            n if n == all.len() => Status::Computed,
            _ => Status::Partial,
        };
        let (mut digests, mut seconds) = (HashMap::new(), Vec::new());
        if !missing.is_empty() {
            let total = missing.iter().map(|bucket| bucket.items.len() as u64).sum();
            (self.reporter)(Event::Started { stage: name.clone(), items: total });
            (digests, seconds) = self.compute_buckets(pipeline, unit, missing, total).await?;
        }
        let mut snapshot = Snapshot {
            fingerprint: resolved.fingerprint.clone(),
            inputs: resolved.inputs.clone(),
            files: Vec::new(),
            items: Vec::new(),
            digest: String::new(),
            filtered: Vec::new(),
            rejected: Vec::new(),
            counts: vec![Counts::default(); unit.stages().len()],
        };
        for bucket in &all {
            let path = self.store.path(&bucket.path);
            let (footer, rows) = Footer::read(&path)?;
            let digest = match digests.remove(&bucket.path) {
                Some(digest) => digest,
                None => digest_file(&path, &self.cancel)?,
            };
            let bytes = std::fs::metadata(&path).map_err(Error::io(&path))?.len();
            let file = snapshot.files.len();
            snapshot.files.push(StoredFile { path: bucket.path.clone(), bytes, digest, rows });
            snapshot
                .items
                .extend(footer.items.into_iter().map(|entry| crate::store::ItemEntry { file, ..entry }));
            snapshot.filtered.extend(footer.filtered);
            snapshot.rejected.extend(footer.rejected);
            for (total, counts) in snapshot.counts.iter_mut().zip(&footer.counts) {
                total.add(counts);
            }
        }
        snapshot.items.sort_by(|a, b| a.item.cmp(&b.item));
        snapshot.filtered.sort_by(|a, b| a.item.cmp(&b.item));
        snapshot.rejected.sort_by(|a, b| a.item.cmp(&b.item));
        let parts: Vec<&str> =
            snapshot.items.iter().flat_map(|entry| [entry.item.as_str(), entry.output.as_str()]).collect();
        snapshot.digest = digest(&parts);
        debug_assert_eq!(
            items,
            (snapshot.items.len() + snapshot.filtered.len() + snapshot.rejected.len()) as u64
        );
        Ok((status, snapshot, seconds))
    }

    /// Runs the plan node of a unit; gives the digests of the shards and the operators' seconds.
    async fn compute_buckets(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        missing: Vec<Bucket>,
        total: u64,
    ) -> Result<(HashMap<String, String>, Vec<f64>), Error> {
        let feed =
            unit.feeds().next().ok_or_else(|| Error::Other("a unit of items reads one stage".into()))?;
        let links = unit.links(pipeline);
        let head = &pipeline.stages[feed.head];
        let store = head.materialises().then(|| head.link());
        let chain = Arc::new(
            Chain::new(&self.table, store.as_ref(), &links, pipeline.seed)?.with_block(self.options.block),
        );
        let sink = chain.sink().ok_or_else(|| Error::Other("a unit of items ends in a sink".into()))?;
        let memory: Arc<dyn MemoryPool> =
            Arc::new(GreedyMemoryPool::new(usize::try_from(self.options.memory).unwrap_or(usize::MAX)));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(memory.clone()).build_arc()?;
        let context = Arc::new(TaskContext::default().with_runtime(runtime));
        let scratch = self.store.scratch()?;
        let stages: Vec<String> = links.iter().map(|link| link.stage.clone()).collect();
        let name = pipeline.stages[unit.stage].name.clone();
        let partitions = missing.len();
        let shared = Shared {
            store: self.store.clone(),
            schema: sink.schema(&pipeline.stages[unit.stage].flow),
            storage: sink.storage(),
            operators: chain.len(),
            stages,
            pool: Pool::start(&chain, self.options.threads, &self.cancel)?,
            threads: self.options.threads,
            budget: Budget::new(self.options.memory, &memory),
            scratch: scratch.path().to_owned(),
            progress: Progress {
                total,
                items: AtomicU64::new(0),
                micros: Arc::new(AtomicU64::new(0)),
                times: (0..chain.len()).map(|_| AtomicU64::new(0)).collect(),
            },
        };
        let plan = Arc::new(FusedExec::new(links, missing, shared));
        let partition = |partition: usize| {
            let stream = plan.execute(partition, context.clone());
            async move { stream?.try_collect::<Vec<RecordBatch>>().await }
        };
        let shards = async {
            let mut digests = HashMap::new();
            let mut error: Option<Error> = None;
            let mut running =
                futures::stream::iter((0..partitions).map(partition)).buffer_unordered(self.options.threads);
            // One bucket's error does not keep the others from being stored.
            while let Some(batches) = running.next().await {
                match batches.map_err(Error::from) {
                    Ok(batches) => batches.iter().for_each(|batch| {
                        let (paths, values) =
                            (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
                        debug_assert!(batch.column(2).as_primitive_opt::<UInt64Type>().is_some());
                        digests.extend(
                            paths
                                .iter()
                                .flatten()
                                .zip(values.iter().flatten())
                                .map(|(a, b)| (a.to_owned(), b.to_owned())),
                        );
                    }),
                    Err(failed) => {
                        error.get_or_insert(failed);
                        if self.cancel.is_cancelled() {
                            break;
                        }
                    }
                }
            }
            error.map_or(Ok(digests), Err)
        };
        let digests = tokio::select! {
            digests = shards => digests,
            never = self.tick(&name, plan.shared()) => match never {},
        }?;
        (self.reporter)(plan.shared().progress.event(&name));
        let seconds = plan
            .shared()
            .progress
            .times
            .iter()
            .map(|nanos| nanos.load(Ordering::Relaxed) as f64 * 1e-9)
            .collect();
        Ok((digests, seconds))
    }

    /// Shows progress until it is dropped.
    async fn tick(&self, stage: &str, shared: &Shared) -> Infallible {
        loop {
            tokio::time::sleep(TICK).await;
            (self.reporter)(shared.progress.event(stage));
        }
    }

    async fn compute_dataset(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        resolved: &Resolved,
        known: &Known,
    ) -> Result<(Status, Snapshot, Vec<f64>), Error> {
        let stage = &pipeline.stages[unit.stage];
        let Body::Dataset(dataset) = stage.operator.body() else {
            return Err(Error::stage(&stage.name, "is not a dataset operator"));
        };
        (self.reporter)(Event::Started { stage: stage.name.clone(), items: 0 });
        let scratch = self.store.scratch()?;
        let output = scratch.path().join("output");
        std::fs::create_dir(&output).map_err(Error::io(&output))?;
        let mut inputs = Vec::new();
        for (port, feeds) in &unit.feeds {
            let feeds =
                feeds.iter().map(|feed| self.input(pipeline, feed, known)).collect::<Result<_, _>>()?;
            inputs.push(((*port).to_owned(), feeds));
        }
        let job = DatasetJob {
            stage: stage.name.clone(),
            operator: stage.declaration.name.to_owned(),
            parameters: stage.parameters(),
            seed: pipeline.seed,
            inputs,
            output,
            threads: self.options.threads,
            memory: self.options.memory,
        };
        let (store, reporter, cancel) = (self.store.clone(), self.reporter.clone(), self.cancel.clone());
        let (fingerprint, digest) = (resolved.fingerprint.clone(), resolved.inputs.clone());
        let begin = Instant::now();
        let name = stage.name.clone();
        let work = move || {
            dataset::compute(&store, dataset.as_ref(), &job, (&fingerprint, &digest), &reporter, &cancel)
        };
        let ended = tokio::task::spawn_blocking(work).await;
        let (snapshot, mut seconds) = ended.map_err(|error| Error::stage(&name, error.to_string()))??;
        seconds.push(begin.elapsed().as_secs_f64());
        Ok((Status::Computed, snapshot, seconds))
    }

    fn input(&self, pipeline: &Pipeline, feed: &Feed, known: &Known) -> Result<DatasetInput, Error> {
        let head = &pipeline.stages[feed.head];
        let stage = head.name.clone();
        let snapshot = known
            .snapshots
            .get(&feed.head)
            .ok_or_else(|| Error::stage(&stage, "has no output to be read"))?;
        let files: Vec<_> = snapshot.files.iter().map(|file| self.store.path(&file.path)).collect();
        Ok(match &head.flow {
            crate::flow::Flow::Signal(_) => DatasetInput::Signal(SignalInput {
                stage,
                shards: files,
                store: head.link(),
                chain: feed.chain.iter().map(|at| pipeline.stages[*at].link()).collect(),
            }),
            crate::flow::Flow::Table(_) => DatasetInput::Table { stage, files },
            _ => {
                let folder = files.first().and_then(|file| file.parent()).map(std::path::Path::to_owned);
                DatasetInput::Artifact {
                    folder: folder.ok_or_else(|| Error::stage(&stage, "left no files"))?,
                    stage,
                }
            }
        })
    }

    fn message(&self, stage: &str, text: String) {
        (self.reporter)(Event::Message { stage: stage.to_owned(), text, values: BTreeMap::new() });
    }

    /// Says what a unit's stages did.
    #[expect(clippy::too_many_arguments)]
    fn summarise(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        known: &Known,
        snapshot: &Snapshot,
        status: Status,
        seconds: &[f64],
        summaries: &mut BTreeMap<String, Summary>,
    ) {
        for feed in unit.feeds() {
            if let Some(items) = known.scans.get(&feed.head) {
                let count = items.len() as u64;
                let status = if status == Status::Reused { Status::Reused } else { Status::Computed };
                let summary = Summary {
                    status,
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
            false => unit
                .feeds()
                .next()
                .and_then(|feed| known.snapshots.get(&feed.head))
                .map_or(0, |head| head.items.len() as u64),
        };
        for entry in &snapshot.rejected {
            let stage = unit.stages().get(entry.operator).map_or(unit.stage, |stage| *stage);
            (self.reporter)(Event::Rejected {
                stage: pipeline.stages[stage].name.clone(),
                item: entry.item.clone(),
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
    }

    /// A stage that several units run is reported once, as computed if any computed it.
    fn conclude(&self, stage: &str, summary: Summary, summaries: &mut BTreeMap<String, Summary>) {
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
