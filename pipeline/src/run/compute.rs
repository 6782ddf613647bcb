//! Computing a unit.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use datafusion_execution::TaskContext;
use datafusion_execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion_execution::runtime_env::RuntimeEnvBuilder;
use datafusion_physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt};

use super::bucket::{Progress, Shared};
use super::budget::Budget;
use super::chain::Chain;
use super::columns::ItemColumns;
use super::dataset;
use super::engine::Engine;
use super::footer::Footer;
use super::fused::FusedExec;
use super::items::Bucket;
use super::pool::Pool;
use super::resolve::{Known, Resolved};
use super::shard::WRITER_BYTES;
use super::unit::{Feed, Unit, digest};
use crate::error::Error;
use crate::event::{Event, Status};
use crate::flow::Flow;
use crate::operator::{Body, DatasetInput, DatasetJob, SignalInput};
use crate::spec::Pipeline;
use crate::store::{Counts, Snapshot, StoredFile, digest_file};

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(200);

impl Engine {
    pub(super) async fn compute_items(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        resolved: &Resolved,
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
            let why = self.why(pipeline, unit, resolved)?;
            self.message(name, format!("computing: {}", why.join("; ")));
            (self.reporter)(Event::Started { stage: name.clone(), items: total });
            (digests, seconds) =
                self.compute_buckets(pipeline, unit, missing, total, resolved.columns.clone()).await?;
        }
        let digest = |path: &str| match digests.remove(path) {
            Some(digest) => Ok(digest),
            None => digest_file(&self.store.path(path), &self.cancel),
        };
        let snapshot = self.assemble(unit, resolved, &all, digest)?;
        let found = snapshot.items.len() + snapshot.filtered.len() + snapshot.rejected.len();
        let items: usize = all.iter().map(|bucket| bucket.items.len()).sum();
        if found != items {
            return Err(Error::stage(name, format!("{items} items went in, {found} are accounted for")));
        }
        Ok((status, snapshot, seconds))
    }

    /// The snapshot that shards amount to, from their footers. `digest_of` gives the digest of a shard's file.
    pub(super) fn assemble(
        &self,
        unit: &Unit,
        resolved: &Resolved,
        all: &[Bucket],
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
        for bucket in all {
            let path = self.store.path(&bucket.path);
            let (footer, rows) = Footer::read(&path)?;
            let digest = digest_of(&bucket.path)?;
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
        Ok(snapshot)
    }

    /// Runs the plan node of a unit; gives the digests of the shards and the operators' seconds.
    pub(super) async fn compute_buckets(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        mut missing: Vec<Bucket>,
        total: u64,
        columns: Option<Arc<ItemColumns>>,
    ) -> Result<(HashMap<String, String>, Vec<f64>), Error> {
        let feed =
            unit.feeds().next().ok_or_else(|| Error::Other("a unit of items reads one stage".into()))?;
        let links = unit.links(pipeline);
        let head = &pipeline.stages[feed.head];
        // A table only names the items: what reads them opens their files.
        let store = matches!(head.flow, Flow::Signal(_)).then(|| head.link());
        let chain = Arc::new(
            Chain::new(&self.table, store.as_ref(), &links, pipeline.seed)?.with_block(self.options.block),
        );
        let stage = &pipeline.stages[unit.stage];
        let (schema, storage) = match stage.operator.body() {
            Body::Sink(sink) => (sink.schema(&stage.flow), sink.storage()),
            Body::Tabulate(tabulate) => (tabulate.schema(), tabulate.storage()),
            _ => return Err(Error::stage(&stage.name, "keeps no rows of items")),
        };
        let schema = stage
            .columns
            .as_ref()
            .map_or_else(|| schema.clone(), |said| ItemColumns::appended(&schema, said));
        let memory: Arc<dyn MemoryPool> =
            Arc::new(GreedyMemoryPool::new(usize::try_from(self.options.memory).unwrap_or(usize::MAX)));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(memory.clone()).build_arc()?;
        let context = Arc::new(TaskContext::default().with_runtime(runtime));
        let scratch = self.store.scratch()?;
        // What has the name of a shard and cannot be read is no shard.
        missing.iter().try_for_each(|bucket| self.store.set_aside(&bucket.path, &scratch))?;
        let stages: Vec<String> = links.iter().map(|link| link.stage.clone()).collect();
        let name = pipeline.stages[unit.stage].name.clone();
        let partitions = missing.len();
        // What takes longest is begun first.
        missing.sort_by_key(|bucket| std::cmp::Reverse(bucket.items.iter().map(|item| item.size).max()));
        let writers = self.options.threads as u64 * WRITER_BYTES;
        let shared = Shared {
            store: self.store.clone(),
            schema,
            columns,
            storage,
            clip: std::iter::once(feed.head)
                .chain(feed.chain.iter().copied())
                .map(|stage| clip_bytes(&pipeline.stages[stage].flow))
                .max()
                .unwrap_or(0),
            blocks: block_bytes(self.options.block),
            operators: chain.len(),
            stages,
            pool: Pool::start(&chain, self.options.threads, &self.cancel)?,
            threads: self.options.threads,
            bytes: missing.iter().flat_map(|bucket| &bucket.items).map(|item| item.size).sum(),
            state: unit.stages().iter().map(|stage| pipeline.stages[*stage].operator.memory()).sum(),
            budget: Budget::new(self.options.memory, writers, &memory),
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
    ) -> Result<(Status, Snapshot, Vec<f64>), Error> {
        let stage = &pipeline.stages[unit.stage];
        let Body::Dataset(dataset) = stage.operator.body() else {
            return Err(Error::stage(&stage.name, "is not a dataset operator"));
        };
        let why = self.why(pipeline, unit, resolved)?;
        self.message(&stage.name, format!("computing: {}", why.join("; ")));
        (self.reporter)(Event::Started { stage: stage.name.clone(), items: 0 });
        let scratch = self.store.scratch()?;
        let output = scratch.path().join("output");
        std::fs::create_dir(&output).map_err(Error::io(&output))?;
        // A folder that no snapshot vouches for may be incomplete.
        self.store.set_aside(&dataset::folder(&resolved.fingerprint, &resolved.inputs), &scratch)?;
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
            Flow::Signal(_) => DatasetInput::Signal(SignalInput {
                stage,
                shards: files,
                items: snapshot.items.iter().map(|entry| (entry.file, entry.first, entry.rows)).collect(),
                store: head.link(),
                chain: feed.chain.iter().map(|at| pipeline.stages[*at].link()).collect(),
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

/// What may have to be held of one clip: its samples where they are cut, where they are judged, planar
/// and encoded. Views of a clip are held together.
fn clip_bytes(flow: &Flow) -> u64 {
    let Flow::Signal(signal) = flow else { return 0 };
    let frames = signal.frames.or(signal.most_frames).unwrap_or(0).saturating_mul(signal.views.into());
    let samples = frames.saturating_mul(u64::from(signal.channels.unwrap_or(2)));
    samples.saturating_mul(4 * std::mem::size_of::<f32>() as u64)
}

/// What the blocks of one item in flight may take: one at each of a few operators, some of them waiting.
fn block_bytes(block: usize) -> u64 {
    let stereo = 2 * std::mem::size_of::<f32>() as u64 * block as u64;
    stereo.saturating_mul(8).max(4 << 20)
}
