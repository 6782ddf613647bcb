//! One bucket: its items worked on at once or copied, written in the order of their keys.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::oneshot;

use super::budget::{Budget, Permit};
use super::chain::{Trail, add_counters, caught};
use super::columns::ItemColumns;
use super::copy::Copier;
use super::footer::{Fate as Outcome, Footer};
use super::pool::{Desk, Fate, Pool};
use super::reuse::{Again, Task, search};
use super::rows::Rows;
use super::shard::ShardWriter;
use super::vouch::Voucher;
use crate::error::Error;
use crate::event::{Event, Reporter};
use crate::flow::{Block, Header};
use crate::operator::{Item, Output, SinkRows, Step, Stop, Storage};
use crate::store::{Filtered, ItemEntry, Rejected, Store};

/// What all buckets of a unit share.
pub struct Shared {
    pub store: Store,
    /// The columns of the shards, those from tables above last.
    pub schema: SchemaRef,
    /// What tables above say of the items.
    pub columns: Option<Arc<ItemColumns>>,
    pub voucher: Voucher,
    pub reporter: Reporter,
    /// What is computed again although it is known.
    pub again: Again,
    pub storage: Storage,
    /// What may be held of one clip, in bytes.
    pub clip: u64,
    /// What the blocks of one item in flight may take, in bytes.
    pub blocks: u64,
    /// What the operators hold of one item besides blocks, in bytes.
    pub state: u64,
    pub operators: usize,
    /// Names of the chain's stages, for messages.
    pub stages: Vec<String>,
    pub pool: Pool,
    pub threads: usize,
    /// The size of all items.
    pub bytes: u64,
    pub budget: Budget,
    pub scratch: PathBuf,
    pub progress: Progress,
}

impl Shared {
    /// The stage whose shards are written.
    fn stage(&self) -> String {
        self.stages.last().cloned().unwrap_or_default()
    }
}

/// How far a unit has come.
pub struct Progress {
    pub total: AtomicU64,
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
            total: self.total.load(Ordering::Relaxed),
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
    /// Whether the item came to its end. Of one that was stopped early, how much was counted before
    /// depends on the block length.
    complete: bool,
}

/// Takes signals to the rows of an item.
struct Collect<'a> {
    writer: &'a mut dyn SinkRows,
    keep: Keep<'a>,
    counters: Vec<(&'static str, u64)>,
}

/// Takes the rows of an item.
struct Keep<'a> {
    item: &'a Item,
    rows: &'a mut Rows,
    columns: Option<&'a ItemColumns>,
    schema: &'a SchemaRef,
    count: u64,
}

/// Bytes of clips that a thread may keep memory for between items.
const KEPT: u64 = 32 << 20;

impl Keep<'_> {
    fn push(&mut self, batch: RecordBatch) -> Step {
        self.count += batch.num_rows() as u64;
        let batch = match self.columns {
            Some(columns) => columns.append(&self.item.key, batch, self.schema),
            None => Ok(batch),
        };
        // A full disk passes; it is not the item's fault.
        let transient = |error: Error| Stop::Transient { message: error.to_string() };
        self.rows.push(batch.map_err(transient)?).map_err(transient)
    }
}

impl Output for Collect<'_> {
    fn begin(&mut self, header: &Header) -> Step {
        self.writer.begin(header)
    }

    fn block(&mut self, block: &mut Block) -> Step {
        self.writer.block(block)
    }

    fn end(&mut self) -> Step {
        self.writer.end(&mut self.counters)?.map_or(Ok(()), |batch| self.keep.push(batch))
    }

    fn count(&mut self, what: &'static str, amount: u64) {
        self.counters.push((what, amount));
    }
}

/// Works on one item, on a thread of the pool.
fn work(
    desk: &mut Desk,
    item: &Item,
    mut rows: Rows,
    (columns, schema): (Option<&ItemColumns>, &SchemaRef),
    ahead: bool,
    mut trail: Trail,
    index: usize,
) -> (Fate, Done) {
    let mut keep = Keep { item, rows: &mut rows, columns, schema, count: 0 };
    let (mut step, counters, count) = match desk {
        Desk::Signals { instance, rows } => {
            let mut collect = Collect { writer: rows.as_mut(), keep, counters: Vec::new() };
            let step = instance.run(item, &mut collect, &mut trail, ahead);
            (step, collect.counters, collect.keep.count)
        }
        Desk::Table { tabulate, context } => {
            let step = caught(|| tabulate.rows(item, context)).and_then(|batch| keep.push(batch));
            (step, Vec::new(), keep.count)
        }
    };
    let complete = step.is_ok();
    if complete {
        // A file that changed while it was read has given neither its old nor its new content.
        if let Some(stamp) = item.stamp
            && item.place.stamp().ok().flatten().is_none_or(|now| now.is_of_other_content(&stamp))
        {
            step = Err(Stop::Transient { message: "the file changed while it was read".into() });
        } else {
            add_counters(&mut trail, counters, count);
            if count == 0 {
                step = Err(trail.nothing());
            }
        }
    }
    let broken = matches!(&step, Err(Stop::Rejected { class: "panic", .. }));
    (if broken { Fate::Spent } else { Fate::Good }, Done { index, rows, step, trail, complete })
}

/// Writes a bucket's shard and gives its digest and number of rows: what is known of items is copied, the
/// others are computed. What turns out to be damaged is not known.
pub async fn compute(task: &Task, shared: &Arc<Shared>) -> Result<(String, u64), Error> {
    let (mut task, mut distrusted) = (task.clone(), HashSet::new());
    loop {
        let damaged = match attempt(&task, shared).await {
            Err(Error::Store { path, message }) => {
                let mut shards = task.known.iter().flatten().map(|known| &known.shard);
                match shards.find(|shard| shared.store.path(shard) == path) {
                    Some(shard) => shard.clone(),
                    None => return Err(Error::Store { path, message }),
                }
            }
            other => return other,
        };
        distrusted.insert(damaged.clone());
        let before = task.computed().count();
        task.distrust(&damaged);
        // Others may know of its items; those that none does are computed.
        let (with, bad) = (shared.clone(), distrusted.clone());
        let again = move || -> Result<Task, Error> {
            search(&with.store, &mut task, &bad, with.again)?;
            with.voucher.items(task.computed_items())?;
            Ok(task)
        };
        task =
            tokio::task::spawn_blocking(again).await.map_err(|error| Error::Other(error.to_string()))??;
        let more = (task.computed().count() - before) as u64;
        shared.progress.total.fetch_add(more, Ordering::Relaxed);
        let shown = shared.store.shown(&damaged);
        let text = format!("{} is damaged: {more} of its items are computed again", shown.display());
        (shared.reporter)(Event::Message { stage: shared.stage(), text, values: BTreeMap::new() });
    }
}

async fn attempt(task: &Task, shared: &Arc<Shared>) -> Result<(String, u64), Error> {
    // What is done goes to a thread that writes, so that work is handed out meanwhile. How much waits there
    // is bounded by the budget, which the rows are held from until they are written.
    let (sender, receiver) = mpsc::channel();
    let writing = tokio::task::spawn_blocking({
        let (task, shared) = (task.clone(), shared.clone());
        move || write(&task, &shared, &receiver)
    });
    let begun = items(task, shared, &sender).await;
    drop(sender);
    let written = writing.await.map_err(|error| Error::Other(error.to_string()))?;
    // Why writing ended early says more than that it did.
    match (begun, written) {
        (Err(error), Ok(None)) => Err(error),
        (_, Err(error)) => Err(error),
        (Ok(()), Ok(None)) => Err(Error::Other("items of a bucket are missing".into())),
        (_, Ok(Some(shard))) => Ok(shard),
    }
}

/// Has items of a bucket worked on, and sends what becomes of each to be written, in the order of keys.
async fn items(task: &Task, shared: &Arc<Shared>, sender: &mpsc::Sender<Done>) -> Result<(), Error> {
    let bucket = &task.bucket;
    let mut running = FuturesUnordered::new();
    let mut waiting: BTreeMap<usize, Done> = BTreeMap::new();
    let due: Vec<usize> = task.computed().collect();
    let order = order(&bucket.items, &due, shared.threads);
    let (mut submitted, mut sent) = (0, 0);
    while sent < due.len() {
        while submitted < due.len() && running.len() < shared.threads + 1 {
            let Some(permit) = admit(shared, &mut waiting, running.is_empty()).await? else { break };
            let (sender, receiver) = oneshot::channel();
            let index = order[submitted];
            let item = bucket.items[index].clone();
            let rows = Rows::new(shared.scratch.clone(), shared.schema.clone(), permit);
            let trail = Trail::new(shared.operators, Some(shared.progress.micros.clone()));
            let (columns, schema) = (shared.columns.clone(), shared.schema.clone());
            // Were it read on one thread, the others would have nothing left to do before it ends.
            let ahead = shared.threads > 1 && item.size > shared.bytes / (2 * shared.threads as u64);
            // What operators keep for the next clip is memory that nobody is charged for between items.
            let large = shared.clip > KEPT;
            shared.pool.submit(move |desk| {
                let (fate, done) =
                    work(desk, &item, rows, (columns.as_deref(), &schema), ahead, trail, index);
                let _ = sender.send(done);
                if large { Fate::Spent } else { fate }
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
        while sent < due.len()
            && let Some(done) = waiting.remove(&due[sent])
        {
            if sender.send(done).is_err() {
                return Err(Error::Other("a shard could not be written".into()));
            }
            sent += 1;
        }
    }
    Ok(())
}

/// Writes a bucket's shard; none where items are missing. The digest is empty where another run was first.
fn write(
    task: &Task,
    shared: &Shared,
    receiver: &mpsc::Receiver<Done>,
) -> Result<Option<(String, u64)>, Error> {
    let bucket = &task.bucket;
    let temporary = shared.scratch.join(bucket.path.replace('/', "-"));
    // Of an attempt that found something damaged.
    if temporary.exists() {
        shared.store.disk().remove_file(&temporary).map_err(Error::io(&temporary))?;
    }
    let mut writer =
        ShardWriter::create(shared.store.disk(), &temporary, shared.schema.clone(), shared.storage)?;
    let (mut footer, mut filtered, mut copier) =
        (Footer::default(), Vec::new(), Copier::new(task, &shared.store));
    for (item, known) in bucket.items.iter().zip(&task.known) {
        let outcome = match known {
            Some(known) => {
                let mut outcome = known.fate.clone();
                if let Outcome::Kept(entry, _) = &mut outcome {
                    let first = writer.rows();
                    copier.copy(&known.shard, entry, &shared.schema, &mut writer)?;
                    (entry.first, entry.file) = (first, 0);
                }
                outcome
            }
            None => match receiver.recv() {
                Ok(done) => commit(done, item, shared, &mut writer)?,
                Err(_) => return Ok(None),
            },
        };
        match outcome {
            Outcome::Kept(entry, counts) => {
                footer.items.push(entry);
                footer.counts.push(counts);
            }
            Outcome::Filtered(entry, counts) => {
                footer.filtered.push(entry);
                filtered.push(counts);
            }
            Outcome::Rejected(entry) => footer.rejected.push(entry),
        }
    }
    footer.counts.extend(filtered);
    let rows = writer.rows();
    let digest = writer.finish(&footer)?;
    if task.again {
        shared.store.publish_again(&temporary, &bucket.path)?;
    } else if !shared.store.publish(&temporary, &bucket.path)? {
        return Ok(Some((String::new(), rows)));
    }
    Ok(Some((digest, rows)))
}

/// The order in which items are begun: those that would keep one thread busy while the others have
/// nothing left to do come first, the largest of them before all; the rest by key, as they are written.
fn order(items: &[Item], due: &[usize], threads: usize) -> Vec<usize> {
    let total: u64 = due.iter().map(|index| items[*index].size).sum();
    let large = total / (threads as u64 * 4).max(1);
    let mut order = due.to_vec();
    order.sort_by_key(|index| {
        let size = items[*index].size;
        std::cmp::Reverse(if size > large { size } else { 0 })
    });
    order
}

/// Memory for one more item; none when work in flight has to end first.
async fn admit(
    shared: &Shared,
    waiting: &mut BTreeMap<usize, Done>,
    idle: bool,
) -> Result<Option<Permit>, Error> {
    let bytes = shared.blocks + shared.state + shared.clip + Rows::in_memory();
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

/// Writes an item's rows into the shard; gives what became of it.
fn commit(done: Done, item: &Item, shared: &Shared, writer: &mut ShardWriter) -> Result<Outcome, Error> {
    let operator = done.trail.failed();
    let (key, input) = (item.key.clone(), item.digest.clone());
    match done.step {
        Ok(()) => {
            let (output, rows, bytes) = (done.rows.digest().into(), done.rows.count, done.rows.bytes);
            let entry = ItemEntry { item: key, input, output, file: 0, first: writer.rows(), rows, bytes };
            done.rows.drain(|batch| writer.push(&batch))?;
            Ok(Outcome::Kept(entry, done.trail.counts))
        }
        Err(Stop::Filtered { reason }) => {
            let counts = if done.complete { done.trail.counts } else { Vec::new() };
            Ok(Outcome::Filtered(Filtered { item: key, input, operator, reason, file: 0 }, counts))
        }
        Err(Stop::Rejected { class, offset, message }) => {
            let class = class.into();
            Ok(Outcome::Rejected(Rejected { item: key, input, operator, class, offset, message, file: 0 }))
        }
        Err(Stop::Transient { message }) => {
            let stage = shared.stages.get(operator).cloned().unwrap_or_default();
            Err(Error::Item { stage, item: key.to_string(), message })
        }
        Err(Stop::Cancelled) => Err(Error::Cancelled),
    }
}
