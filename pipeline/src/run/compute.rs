//! Computing a unit.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion_execution::TaskContext;
use datafusion_execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion_execution::runtime_env::RuntimeEnvBuilder;
use datafusion_physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt};

use super::before::Before;
use super::bring::{self, Shards};
use super::bucket::{Progress, Shared};
use super::budget::Budget;
use super::chain::Chain;
use super::check;
use super::columns::ItemColumns;
use super::dataset;
use super::engine::Engine;
use super::footer::Footer;
use super::fused::FusedExec;
use super::pool::Pool;
use super::resolve::{Known, Resolved};
use super::reuse::{Again, Task};
use super::shard::WRITER_BYTES;
use super::unit::{Feed, Unit, digest_all};
use super::vouch::Voucher;
use crate::error::Error;
use crate::event::{Event, Status};
use crate::flow::Flow;
use crate::operator::{Body, Dataset, DatasetInput, DatasetJob, Link, SignalInput, Storage};
use crate::spec::Pipeline;
use crate::store::{Counts, Filtered, ItemEntry, Rejected, Resume, Snapshot, StoredFile, digest_file};

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(200);

/// Why a stage ends whose parameters name a file that is another now.
const CHANGED: &str = "a file that its parameters name changed while it ran; run it again";

/// What computing a unit came to.
pub struct Computed {
    pub status: Status,
    pub snapshot: Arc<Snapshot>,
    /// Seconds within each operator.
    pub seconds: Vec<f64>,
    /// Items that were computed; the others were there.
    pub items: u64,
    pub why: Vec<String>,
}

impl Engine {
    pub(super) async fn compute_items(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        resolved: &Resolved,
        known: &Known,
        before: Option<&Before>,
    ) -> Result<Computed, Error> {
        let name = &pipeline.stages[unit.stage].name;
        let again = self.again(pipeline, unit);
        let old = before.and_then(|before| before.snapshot.as_deref());
        let mut tasks = self.tasks(self.buckets(pipeline, unit, resolved), again, old)?;
        let mut digests = self.trusted(pipeline, unit, &mut tasks, again, before)?;
        let items: usize = tasks.iter().map(|task| task.bucket.items.len()).sum();
        let due: Vec<Task> = tasks.iter().filter(|task| task.due()).cloned().collect();
        let mut total = due.iter().map(|task| task.computed().count() as u64).sum();
        let status = match due.len() {
            0 => Status::Reused,
            _ if total == items as u64 => Status::Computed,
            _ => Status::Partial,
        };
        let (mut seconds, mut why) = (Vec::new(), Vec::new());
        if !due.is_empty() {
            why = self.why(pipeline, unit, resolved, before, Some(&tasks));
            self.message(name, format!("computing: {}", why.join("; ")));
            (self.reporter)(Event::Started { stage: name.clone(), items: total });
            let voucher = self.voucher(unit, known);
            voucher.items(due.iter().flat_map(Task::computed_items))?;
            self.vouch_sides(unit, known)?;
            self.forget_what_names(&resolved.fingerprint, &due)?;
            let columns = self.columns(pipeline, unit, resolved, known, &due)?;
            let paths: Vec<String> = due.iter().map(|task| task.bucket.path.clone()).collect();
            let (written, times, computed) =
                self.compute_buckets(pipeline, unit, due, total, (columns, voucher), known).await?;
            if unit.fingerprint(pipeline)? != resolved.fingerprint {
                paths.iter().try_for_each(|path| self.store.remove(path))?;
                return Err(Error::stage(name, CHANGED));
            }
            paths.iter().for_each(|path| drop(digests.remove(path)));
            // What another run has written first is looked at as it is.
            digests.extend(written.into_iter().filter(|(_, digest)| !digest.is_empty()));
            (seconds, total) = (times, computed);
        }
        let digest = |path: &str| match digests.remove(path) {
            Some(digest) => Ok(digest),
            None => digest_file(&self.store.fetch(path)?, &self.cancel),
        };
        let snapshot = self.assemble(unit, resolved, &tasks, digest)?;
        let found = snapshot.items.len() + snapshot.filtered.len() + snapshot.rejected.len();
        if found != items {
            return Err(Error::stage(name, format!("{items} items went in, {found} are accounted for")));
        }
        Ok(Computed { status, snapshot: Arc::new(snapshot), seconds, items: total, why })
    }

    /// What tables above say of the items of buckets that are to be written: of the table itself, or as shards carry it.
    fn columns(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        resolved: &Resolved,
        known: &Known,
        due: &[Task],
    ) -> Result<Option<Arc<ItemColumns>>, Error> {
        for feed in unit.feeds().filter(|_| resolved.columns.is_none()) {
            if let (Some(schema), Some(snapshot)) =
                (&pipeline.stages[feed.head].columns, known.snapshots.get(&feed.head))
            {
                // Of all, for what is known may turn out to be damaged.
                let wanted = due.iter().flat_map(|task| &task.bucket.items).map(|item| &*item.key).collect();
                let columns = ItemColumns::of_shards(&self.store, snapshot, schema, &wanted)?;
                return Ok(Some(Arc::new(columns)));
            }
        }
        Ok(resolved.columns.clone())
    }

    /// Forgets the snapshots that name shards which are to be written again: what they say will not be so.
    fn forget_what_names(&self, fingerprint: &str, due: &[Task]) -> Result<(), Error> {
        let paths: HashSet<&str> =
            due.iter().filter(|task| task.again).map(|task| task.bucket.path.as_str()).collect();
        if paths.is_empty() {
            return Ok(());
        }
        for (name, snapshot) in self.store.snapshots_of(fingerprint)? {
            if snapshot.files.iter().any(|file| paths.contains(file.path.as_str())) {
                self.store.remove(&name)?;
            }
        }
        Ok(())
    }

    /// The digests of shards that exist. Those that no snapshot vouches for, such as what a killed run
    /// has left, are looked through; what is damaged is taken out of the way, to be computed.
    fn trusted(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        tasks: &mut [Task],
        again: Again,
        before: Option<&Before>,
    ) -> Result<HashMap<String, String>, Error> {
        let mut digests: HashMap<String, String> = HashMap::new();
        if let Some(old) = before.and_then(|before| before.snapshot.as_deref()) {
            digests.extend(old.files.iter().map(|file| (file.path.clone(), file.digest.clone())));
        }
        // After a change back it is an earlier one that vouches.
        let unknown = tasks.iter().find(|task| !task.due() && !digests.contains_key(&task.bucket.path));
        if let Some(fingerprint) = unknown.and_then(|task| task.bucket.path.split('/').nth(1)) {
            for (_, snapshot) in self.store.snapshots_of(fingerprint)? {
                digests.extend(snapshot.files.into_iter().map(|file| (file.path, file.digest)));
            }
        }
        for task in tasks.iter_mut().filter(|task| !task.due()) {
            let relative = &task.bucket.path;
            if digests.contains_key(relative) {
                continue;
            }
            let (scratch, layout) = (self.store.scratch()?, layout(pipeline, unit)?);
            let path = self.store.fetch(relative)?;
            let looked = check::rewritten(self.store.disk(), &path, layout, scratch.path(), &self.cancel);
            match looked {
                Ok(digest) => {
                    digests.insert(relative.clone(), digest);
                }
                Err(Error::Store { .. }) => {
                    self.store.remove(relative)?;
                    *task = self.task(task.bucket.clone(), again)?;
                }
                Err(other) => return Err(other),
            }
        }
        Ok(digests)
    }

    /// The snapshot that shards amount to, from their footers. `digest_of` gives the digest of a shard's file.
    pub(super) fn assemble(
        &self,
        unit: &Unit,
        resolved: &Resolved,
        tasks: &[Task],
        mut digest_of: impl FnMut(&str) -> Result<String, Error>,
    ) -> Result<Snapshot, Error> {
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
        let paths: Vec<&str> = tasks.iter().map(|task| task.bucket.path.as_str()).collect();
        for (Task { bucket, shard, again, .. }, bytes) in tasks.iter().zip(self.store.sizes(&paths)?) {
            let bytes = bytes.ok_or_else(|| Error::Io {
                path: self.store.path(&bucket.path),
                source: std::io::ErrorKind::NotFound.into(),
            })?;
            let (footer, rows) = match shard {
                Some(read) if !again => (**read).clone(),
                _ => Footer::read(&self.store, &bucket.path)?,
            };
            let digest = digest_of(&bucket.path)?;
            let file = snapshot.files.len();
            let counts = footer.total(snapshot.counts.len());
            snapshot.counts.iter_mut().zip(&counts).for_each(|(total, counts)| total.add(counts));
            snapshot.files.push(StoredFile { path: bucket.path.clone(), bytes, digest, rows, counts });
            snapshot.items.extend(footer.items.into_iter().map(|entry| ItemEntry { file, ..entry }));
            snapshot.filtered.extend(footer.filtered.into_iter().map(|entry| Filtered { file, ..entry }));
            snapshot.rejected.extend(footer.rejected.into_iter().map(|entry| Rejected { file, ..entry }));
        }
        snapshot.items.sort_by(|a, b| a.item.cmp(&b.item));
        snapshot.filtered.sort_by(|a, b| a.item.cmp(&b.item));
        snapshot.rejected.sort_by(|a, b| a.item.cmp(&b.item));
        snapshot.digest = digest_all(snapshot.items.iter().flat_map(|entry| [&*entry.item, &*entry.output]));
        Ok(snapshot)
    }

    /// Runs the plan node of a unit; gives the digests of the shards, the operators' seconds, and how many items were
    /// computed: those of damaged shards as well.
    pub(super) async fn compute_buckets(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        mut tasks: Vec<Task>,
        total: u64,
        (columns, voucher): (Option<Arc<ItemColumns>>, Voucher),
        known: &Known,
    ) -> Result<(HashMap<String, String>, Vec<f64>, u64), Error> {
        let feed =
            unit.feeds().next().ok_or_else(|| Error::Other("a unit of items reads one stage".into()))?;
        let links = self.links(pipeline, &unit.stages(), known)?;
        let head = &pipeline.stages[feed.head];
        // A table only names the items: what reads them opens their files.
        let store = matches!(head.flow, Flow::Signal(_)).then(|| head.link());
        let chain = Arc::new(
            Chain::new(&self.table, store.as_ref(), &links, pipeline.seed)?.with_block(self.options.block),
        );
        let (schema, storage) = layout(pipeline, unit)?;
        let memory: Arc<dyn MemoryPool> =
            Arc::new(GreedyMemoryPool::new(usize::try_from(self.options.memory).unwrap_or(usize::MAX)));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(memory.clone()).build_arc()?;
        let context = Arc::new(TaskContext::default().with_runtime(runtime));
        let scratch = self.store.scratch()?;
        // What has the name of a shard and cannot be read is no shard. Another run may have written one meanwhile.
        let unreadable = tasks.iter().filter(|task| {
            let read = || Footer::read(&self.store, &task.bucket.path);
            task.shard.is_none() && matches!(read(), Err(Error::Store { .. }))
        });
        unreadable.into_iter().try_for_each(|task| self.store.remove(&task.bucket.path))?;
        let stages: Vec<String> = links.iter().map(|link| link.stage.clone()).collect();
        let name = pipeline.stages[unit.stage].name.clone();
        let partitions = tasks.len();
        // What takes longest is begun first.
        let size = |task: &Task, index: usize| task.bucket.items[index].size;
        tasks.sort_by_key(|task| {
            std::cmp::Reverse(task.computed().map(|index| size(task, index)).max().unwrap_or(0))
        });
        let writers = self.options.threads as u64 * WRITER_BYTES;
        let shared = Shared {
            store: self.store.clone(),
            schema,
            columns,
            voucher,
            reporter: self.reporter.clone(),
            again: self.again(pipeline, unit),
            storage,
            clip: {
                let stages = std::iter::once(feed.head).chain(feed.chain.iter().copied());
                clips_bytes(stages.map(|stage| &pipeline.stages[stage].flow))
            },
            blocks: block_bytes(self.options.block),
            operators: chain.len(),
            stages,
            pool: Pool::start(&chain, self.options.threads, &self.cancel)?,
            threads: self.options.threads,
            bytes: tasks.iter().flat_map(|task| task.computed().map(|index| size(task, index))).sum(),
            state: unit.stages().iter().map(|stage| pipeline.stages[*stage].operator.memory()).sum(),
            budget: Budget::new(self.options.memory, writers, &memory),
            scratch: scratch.path().to_owned(),
            progress: Progress {
                total: AtomicU64::new(total),
                items: AtomicU64::new(0),
                micros: Arc::new(AtomicU64::new(0)),
                times: (0..chain.len()).map(|_| AtomicU64::new(0)).collect(),
            },
        };
        let plan = Arc::new(FusedExec::new(links, tasks, shared));
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
        let computed = plan.shared().progress.total.load(Ordering::Relaxed);
        Ok((digests, seconds, computed))
    }

    /// Shows progress until it is dropped.
    pub(super) async fn tick(&self, stage: &str, shared: &Shared) -> Infallible {
        loop {
            tokio::time::sleep(TICK).await;
            (self.reporter)(shared.progress.event(stage));
        }
    }

    pub(super) async fn compute_dataset(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        resolved: &Resolved,
        known: &Known,
        why: Vec<String>,
    ) -> Result<Computed, Error> {
        let stage = &pipeline.stages[unit.stage];
        let Body::Dataset(dataset) = stage.operator.body() else {
            return Err(Error::stage(&stage.name, "is not a dataset operator"));
        };
        self.message(&stage.name, format!("computing: {}", why.join("; ")));
        (self.reporter)(Event::Started { stage: stage.name.clone(), items: 0 });
        let scratch = self.store.scratch()?;
        let output = scratch.path().join("output");
        std::fs::create_dir(&output).map_err(Error::io(&output))?;
        let asked = unit.asked().filter(|_| dataset.asks() && self.store.copies());
        let heads = unit.heads().filter(|head| asked != Some(*head));
        let heads = heads.filter_map(|head| known.snapshots.get(&head));
        self.vouch(&known.vouched, heads.flat_map(|head| &head.files))?;
        let brought = scratch.path().join("shards");
        let mut inputs = Vec::new();
        for (port, feeds) in &unit.feeds {
            let input = |feed: &Feed| {
                let mut input = self.input(pipeline, feed, known)?;
                if let (DatasetInput::Signal(signal), true) = (&mut input, asked == Some(feed.head)) {
                    signal.elsewhere = true;
                    signal.shards =
                        (0..signal.shards.len()).map(|number| bring::place(&brought, number)).collect();
                }
                Ok::<_, Error>(input)
            };
            inputs.push(((*port).to_owned(), feeds.iter().map(input).collect::<Result<_, _>>()?));
        }
        let shards = match asked.and_then(|head| known.snapshots.get(&head)) {
            Some(read) => Some(Arc::new(Shards::new(&self.store, read, &brought, &self.cancel)?) as _),
            None => None,
        };
        let state = self.state(dataset.as_ref(), resolved, self.again(pipeline, unit) != Again::Nothing)?;
        let job = DatasetJob {
            stage: stage.name.clone(),
            operator: stage.declaration.name.to_owned(),
            parameters: stage.parameters(),
            seed: pipeline.seed,
            inputs,
            output,
            state: state.as_ref().map(|state| state.path().to_owned()),
            threads: self.options.threads,
            shards,
        };
        let (store, reporter, cancel) = (self.store.clone(), self.reporter.clone(), self.cancel.clone());
        let (fingerprint, digest) = (resolved.fingerprint.clone(), resolved.inputs.clone());
        let begin = Instant::now();
        let (name, again) = (stage.name.clone(), self.again(pipeline, unit) != Again::Nothing);
        let work = move || {
            dataset::compute(
                &store,
                dataset.as_ref(),
                &job,
                (&fingerprint, &digest, again),
                &reporter,
                &cancel,
            )
        };
        let ended = tokio::task::spawn_blocking(work).await;
        let (snapshot, mut seconds) = ended.map_err(|error| Error::stage(&name, error.to_string()))??;
        if unit.fingerprint(pipeline)? != resolved.fingerprint {
            self.store.forget_snapshot(&resolved.fingerprint, &resolved.inputs)?;
            return Err(Error::stage(&name, CHANGED));
        }
        if let Some(state) = state {
            state.remove(self.store.disk())?;
        }
        seconds.push(begin.elapsed().as_secs_f64());
        Ok(Computed { status: Status::Computed, snapshot: Arc::new(snapshot), seconds, items: 0, why })
    }

    /// Where a dataset operator leaves what it can go on with. What `--force` computes again begins anew, and of two
    /// runs at the same work one does.
    fn state(
        &self,
        dataset: &dyn Dataset,
        resolved: &Resolved,
        again: bool,
    ) -> Result<Option<Resume>, Error> {
        if !dataset.resumes() {
            return Ok(None);
        }
        let name = format!("{}-{}", resolved.fingerprint, resolved.inputs);
        let state = self.store.resume(&name)?;
        if let Some(state) = state.as_ref().filter(|_| again) {
            state.clear(self.store.disk())?;
        }
        Ok(state)
    }

    /// The serialised form of a chain, with what its operators read besides their main input.
    pub(super) fn links(
        &self,
        pipeline: &Pipeline,
        stages: &[usize],
        known: &Known,
    ) -> Result<Vec<Link>, Error> {
        let link = |stage: &usize| {
            let stage = &pipeline.stages[*stage];
            let mut link = stage.link();
            // A dataset operator gets what it reads by its job.
            for (port, read) in stage.sides().filter(|_| stage.streams()) {
                let input = self.input(pipeline, &Feed { head: read, chain: Vec::new() }, known)?;
                match link.sides.iter_mut().find(|(name, _)| name == port) {
                    Some((_, inputs)) => inputs.push(input),
                    None => link.sides.push((port.to_owned(), vec![input])),
                }
            }
            Ok(link)
        };
        stages.iter().map(link).collect()
    }

    /// What item operators of a unit read besides is what was written.
    pub(super) fn vouch_sides(&self, unit: &Unit, known: &Known) -> Result<(), Error> {
        let sides = unit.sides.iter().filter_map(|side| known.snapshots.get(side));
        self.vouch(&known.vouched, sides.flat_map(|side| &side.files))
    }

    pub(super) fn input(
        &self,
        pipeline: &Pipeline,
        feed: &Feed,
        known: &Known,
    ) -> Result<DatasetInput, Error> {
        let head = &pipeline.stages[feed.head];
        let stage = head.name.clone();
        let snapshot = known
            .snapshots
            .get(&feed.head)
            .ok_or_else(|| Error::stage(&stage, "has no output to be read"))?;
        let files: Vec<_> = snapshot.files.iter().map(|file| self.store.path(&file.path)).collect();
        Ok(match &head.flow {
            Flow::Signal(signal) => DatasetInput::Signal(SignalInput {
                stage,
                views: signal.views,
                signal: match feed.chain.last().map(|stage| &pipeline.stages[*stage].flow) {
                    Some(Flow::Signal(last)) => Box::new(last.clone()),
                    _ => Box::new(signal.clone()),
                },
                shards: files,
                bytes: snapshot.files.iter().map(|file| file.bytes).collect(),
                elsewhere: false,
                items: snapshot.items.iter().map(|entry| (entry.file, entry.first, entry.rows)).collect(),
                store: head.link(),
                chain: self.links(pipeline, &feed.chain, known)?,
            }),
            Flow::Table(_) => DatasetInput::Table { stage, files },
            _ => {
                let folder = files.first().and_then(|file| file.parent()).map(std::path::Path::to_owned);
                DatasetInput::Artifact {
                    folder: folder.ok_or_else(|| Error::stage(&stage, "left no files"))?,
                    stage,
                }
            }
        })
    }
}

/// The columns of a unit's shards, and how they are written.
fn layout(pipeline: &Pipeline, unit: &Unit) -> Result<(SchemaRef, Storage), Error> {
    let stage = &pipeline.stages[unit.stage];
    let (schema, storage) = match stage.operator.body() {
        Body::Sink(sink) => (sink.schema(&stage.flow), sink.storage()),
        Body::Tabulate(tabulate) => (tabulate.schema(), tabulate.storage()),
        _ => return Err(Error::stage(&stage.name, "keeps no rows of items")),
    };
    let columns = stage.columns.as_ref();
    Ok((columns.map_or_else(|| schema.clone(), |said| ItemColumns::appended(&schema, said)), storage))
}

/// What may have to be held of the clips of a chain: one at each operator, and three times what is longest, views of a clip
/// together: where it is put together, planar and encoded.
fn clips_bytes<'a>(flows: impl Iterator<Item = &'a Flow>) -> u64 {
    let (mut sum, mut longest) = (0u64, 0u64);
    for flow in flows {
        let Flow::Signal(signal) = flow else { continue };
        let frames = signal.frames.or(signal.most_frames).unwrap_or(0);
        let samples = frames.saturating_mul(u64::from(signal.channels.unwrap_or(2)));
        let bytes = samples.saturating_mul(std::mem::size_of::<f32>() as u64);
        sum = sum.saturating_add(bytes);
        longest = longest.max(bytes.saturating_mul(signal.views.into()));
    }
    sum.saturating_add(longest.saturating_mul(3))
}

/// What the blocks of one item in flight may take: one at each of a few operators, some of them waiting.
fn block_bytes(block: usize) -> u64 {
    let stereo = 2 * std::mem::size_of::<f32>() as u64 * block as u64;
    stereo.saturating_mul(8).max(4 << 20)
}
