//! One bucket: its items worked on at once, written in the order of their keys.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::oneshot;

use super::budget::{Budget, Permit};
use super::chain::{Trail, add_counters};
use super::footer::Footer;
use super::items::Bucket;
use super::pool::{Desk, Fate, Pool};
use super::rows::Rows;
use super::shard::ShardWriter;
use crate::error::Error;
use crate::event::Event;
use crate::flow::{Block, Header};
use crate::operator::{Item, Output, SinkRows, Stamp, Step, Stop, Storage};
use crate::store::{Counts, Filtered, ItemEntry, Rejected, Store};

/// What the blocks of one item in flight may take: a second of audio at each of a few operators.
const BLOCKS: u64 = 4 << 20;

/// What all buckets of a unit share.
pub struct Shared {
    pub store: Store,
    pub schema: SchemaRef,
    pub storage: Storage,
    /// What the sink may hold of one clip, in bytes.
    pub clip: u64,
    pub operators: usize,
    /// Names of the chain's stages, for messages.
    pub stages: Vec<String>,
    pub pool: Pool,
    pub threads: usize,
    pub budget: Budget,
    pub scratch: PathBuf,
    pub progress: Progress,
}

/// How far a unit has come.
pub struct Progress {
    pub total: u64,
    pub items: AtomicU64,
    pub micros: Arc<AtomicU64>,
    /// Nanoseconds within each operator.
    pub times: Vec<AtomicU64>,
}

impl Progress {
    /// The event that says so.
    pub fn event(&self, stage: &str) -> Event {
        Event::Progress {
            stage: stage.to_owned(),
            items: self.items.load(Ordering::Relaxed),
            total: self.total,
            seconds: self.micros.load(Ordering::Relaxed) as f64 * 1e-6,
        }
    }

    fn add(&self, times: &[Duration]) {
        for (total, time) in self.times.iter().zip(times) {
            total.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

struct Done {
    index: usize,
    rows: Rows,
    step: Step,
    trail: Trail,
}

/// Takes signals to the rows of an item.
struct Collect<'a> {
    writer: &'a mut dyn SinkRows,
    rows: &'a mut Rows,
    counters: Vec<(&'static str, u64)>,
    count: u64,
}

impl Output for Collect<'_> {
    fn begin(&mut self, header: &Header) -> Step {
        self.writer.begin(header)
    }

    fn block(&mut self, block: Block) -> Step {
        self.writer.block(block)
    }

    fn end(&mut self) -> Step {
        if let Some(batch) = self.writer.end(&mut self.counters)? {
            self.count += batch.num_rows() as u64;
            // A full disk passes; it is not the item's fault.
            self.rows.push(batch).map_err(|error| Stop::Transient { message: error.to_string() })?;
        }
        Ok(())
    }

    fn count(&mut self, what: &'static str, amount: u64) {
        self.counters.push((what, amount));
    }
}

/// Works on one item, on a thread of the pool.
fn work(desk: &mut Desk, item: &Item, mut rows: Rows, mut trail: Trail, index: usize) -> (Fate, Done) {
    let mut collect = Collect { writer: desk.rows.as_mut(), rows: &mut rows, counters: Vec::new(), count: 0 };
    let mut step = desk.instance.run(item, &mut collect, &mut trail);
    let (counters, count) = (collect.counters, collect.count);
    if step.is_ok() {
        // A file that changed while it was read has given neither its old nor its new content.
        if let Some(stamp) = item.stamp
            && Stamp::of(&item.path).ok() != Some(stamp)
        {
            step = Err(Stop::Transient { message: "the file changed while it was read".into() });
        } else {
            add_counters(&mut trail, counters, count);
        }
    }
    let broken = matches!(&step, Err(Stop::Rejected { class: "panic", .. }));
    (if broken { Fate::Broken } else { Fate::Good }, Done { index, rows, step, trail })
}

/// Computes a bucket's shard and gives its digest and number of rows.
pub async fn compute(bucket: &Bucket, shared: &Shared) -> Result<(String, u64), Error> {
    let temporary = shared.scratch.join(bucket.path.replace('/', "-"));
    let mut writer = ShardWriter::create(&temporary, shared.schema.clone(), shared.storage)?;
    let mut footer = Footer { counts: vec![Counts::default(); shared.operators], ..Footer::default() };
    let mut running = FuturesUnordered::new();
    let mut waiting: BTreeMap<usize, Done> = BTreeMap::new();
    let (mut submitted, mut written) = (0, 0);
    while written < bucket.items.len() {
        while submitted < bucket.items.len() && running.len() < shared.threads + 1 {
            let Some(permit) = admit(shared, &mut waiting, running.is_empty()).await? else { break };
            let (sender, receiver) = oneshot::channel();
            let item = bucket.items[submitted].clone();
            let rows = Rows::new(shared.scratch.clone(), shared.schema.clone(), permit);
            let trail = Trail::new(shared.operators, Some(shared.progress.micros.clone()));
            let index = submitted;
            shared.pool.submit(move |desk| {
                let (fate, done) = work(desk, &item, rows, trail, index);
                let _ = sender.send(done);
                fate
            });
            running.push(receiver);
            submitted += 1;
        }
        let done = running.next().await.and_then(Result::ok);
        let mut done = done.ok_or_else(|| Error::Other("a thread of the pool ended early".into()))?;
        done.rows.settle();
        shared.progress.add(&done.trail.times());
        shared.progress.items.fetch_add(1, Ordering::Relaxed);
        waiting.insert(done.index, done);
        while let Some(done) = waiting.remove(&written) {
            commit(done, &bucket.items[written], shared, &mut writer, &mut footer)?;
            written += 1;
        }
    }
    let rows = writer.rows();
    let digest = writer.finish(&footer)?;
    shared.store.publish(&temporary, &bucket.path)?;
    Ok((digest, rows))
}

/// Memory for one more item; none when work in flight has to end first.
async fn admit(
    shared: &Shared,
    waiting: &mut BTreeMap<usize, Done>,
    idle: bool,
) -> Result<Option<Permit>, Error> {
    let bytes = BLOCKS + shared.clip + Rows::in_memory();
    if let Some(permit) = shared.budget.try_admit(bytes) {
        return Ok(Some(permit));
    }
    // What waits for its turn need not wait in memory.
    waiting.values_mut().try_for_each(|done| done.rows.spill())?;
    if let Some(permit) = shared.budget.try_admit(bytes) {
        return Ok(Some(permit));
    }
    Ok(if idle { shared.budget.admit(bytes).await } else { None })
}

/// Writes an item's rows, or what became of it, into the shard.
fn commit(
    done: Done,
    item: &Item,
    shared: &Shared,
    writer: &mut ShardWriter,
    footer: &mut Footer,
) -> Result<(), Error> {
    let operator = done.trail.failed();
    let (key, input) = (item.key.to_string(), item.digest.clone());
    match done.step {
        Ok(()) => {
            let (output, rows, bytes) = (done.rows.digest(), done.rows.count, done.rows.bytes);
            footer.items.push(ItemEntry {
                item: key,
                input,
                output,
                file: 0,
                first: writer.rows(),
                rows,
                bytes,
            });
            done.rows.drain(|batch| writer.push(&batch))?;
            for (total, counts) in footer.counts.iter_mut().zip(&done.trail.counts) {
                total.add(counts);
            }
        }
        Err(Stop::Filtered { reason }) => {
            footer.filtered.push(Filtered { item: key, input, operator, reason })
        }
        Err(Stop::Rejected { class, offset, message }) => {
            footer.rejected.push(Rejected {
                item: key,
                input,
                operator,
                class: class.into(),
                offset,
                message,
            });
        }
        Err(Stop::Transient { message }) => {
            let stage = shared.stages.get(operator).cloned().unwrap_or_default();
            return Err(Error::Item { stage, item: key, message });
        }
        Err(Stop::Cancelled) => return Err(Error::Cancelled),
    }
    Ok(())
}
