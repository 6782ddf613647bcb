//! Signals as a dataset operator takes them: from shards through their chain, on several threads, in an order that
//! does not depend on these.

#[cfg(test)]
pub(crate) mod kept;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use etude_pipeline::Error;
use etude_pipeline::operator::{
    ChainReport, DatasetInput, DatasetJob, Item, Output, SignalInput, Stop, Table,
};
use etude_pipeline::place::Place;
use etude_pipeline::run::{Chain, Instance, Trail};
use etude_pipeline::store::Counts;
use tokio_util::sync::CancellationToken;

use turns::{End, Turns};

/// What a chain may be made of.
const TABLE: Table = Table::new(&[crate::OPERATORS]);

/// Places that are begun before what comes first is taken, for each thread: what is read is held until its turn.
const AHEAD: usize = 4;

/// The signals of an input.
pub struct Source {
    chain: Chain,
    input: SignalInput,
    stage: String,
    threads: usize,
    /// For each item the number of clips before it, and last the number of all.
    firsts: Vec<u64>,
}

/// Rows of a shard that are read as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    shard: usize,
    first: u64,
    count: u64,
}

/// What was read in a turn, and how.
type Turn<C> = (u64, Result<(C, Trail), Error>);

impl Source {
    /// The signals at a port of a job.
    pub fn open(job: &DatasetJob, port: &str) -> Result<Self, Error> {
        let DatasetInput::Signal(input) = job.input(port)? else {
            return Err(Error::stage(&job.stage, format!("expects signals at `{port}`")));
        };
        let chain = Chain::of_input(&TABLE, input, job.seed)?;
        let views = u64::from(input.views.max(1));
        let clips = input.items.iter().map(|(_, _, rows)| rows / views);
        let firsts = std::iter::once(0).chain(clips.scan(0, |sum, clips| {
            *sum += clips;
            Some(*sum)
        }));
        let firsts = firsts.collect();
        Ok(Self {
            chain,
            input: input.clone(),
            stage: job.stage.clone(),
            threads: job.threads.max(1),
            firsts,
        })
    }

    /// How many items there are.
    pub fn items(&self) -> u64 {
        self.input.items.len() as u64
    }

    /// All of an item, in the order of keys.
    pub fn item(&self, item: u64) -> Option<Rows> {
        let (shard, first, count) = *self.input.items.get(usize::try_from(item).ok()?)?;
        Some(Rows { shard, first, count })
    }

    /// How many clips there are; views of one are read together.
    ///
    /// Errors: some of the views of a clip are not there.
    pub fn clips(&self) -> Result<u64, Error> {
        let views = u64::from(self.input.views.max(1));
        if let Some((.., rows)) = self.input.items.iter().find(|(.., rows)| !rows.is_multiple_of(views)) {
            let stage = &self.input.stage;
            let message = format!(
                "`{stage}` keeps {rows} rows of a recording, which are no clips of {views} views each"
            );
            return Err(self.wrong(&message));
        }
        Ok(self.firsts.last().copied().unwrap_or(0))
    }

    /// A clip, by its number in the order of items and starts.
    pub fn clip(&self, clip: u64) -> Option<Rows> {
        let item = self.firsts.partition_point(|first| *first <= clip).checked_sub(1)?;
        let (shard, first, _) = *self.input.items.get(item)?;
        let views = u64::from(self.input.views.max(1));
        Some(Rows { shard, first: first + (clip - self.firsts[item]) * views, count: views })
    }

    /// Reads what stands at the places 0 to `count` − 1, each into an output of its own, which is taken in the order of
    /// the places, with what the chain has done up to there. The chain draws what it draws in its first epoch.
    ///
    /// Errors: what cannot be read, the first of all; and what `take` says.
    pub fn read<C: Output + Send>(
        &self,
        count: u64,
        place: impl Fn(u64) -> Option<Rows> + Sync,
        begin: impl Fn(u64) -> C + Sync,
        mut take: impl FnMut(C, &ChainReport) -> Result<(), Error>,
        cancel: &CancellationToken,
    ) -> Result<ChainReport, Error> {
        let turns = Turns::new(self.threads as u64 * AHEAD as u64, count);
        let (sender, receiver) = sync_channel(self.threads);
        std::thread::scope(|scope| {
            // Dropped on every way out: whoever waits for a turn gets none.
            let end = End(&turns);
            for thread in 0..self.threads {
                let (sender, turns, place, begin) = (sender.clone(), &turns, &place, &begin);
                std::thread::Builder::new()
                    .name(format!("etude-item-{thread}"))
                    .spawn_scoped(scope, move || self.work(turns, place, begin, &sender, cancel))
                    .map_err(|error| Error::stage(&self.stage, error.to_string()))?;
            }
            drop(sender);
            let report = self.collect(count, receiver, &turns, &mut take, cancel);
            drop(end);
            report
        })
    }

    /// Reads place after place.
    fn work<C: Output>(
        &self,
        turns: &Turns,
        place: impl Fn(u64) -> Option<Rows>,
        begin: impl Fn(u64) -> C,
        sender: &SyncSender<Turn<C>>,
        cancel: &CancellationToken,
    ) {
        let mut instance = self.chain.instance(0, cancel);
        while let Some(turn) = turns.next() {
            let read = match &mut instance {
                Ok(instance) => {
                    let mut output = begin(turn);
                    let rows = place(turn).ok_or_else(|| self.wrong("a clip is not there"));
                    rows.and_then(|rows| self.send(instance, rows, &mut output)).map(|trail| (output, trail))
                }
                Err(error) => Err(self.wrong(&error.to_string())),
            };
            if sender.send((turn, read)).is_err() {
                return;
            }
        }
    }

    /// Sends rows through the chain.
    fn send(&self, instance: &mut Instance, rows: Rows, output: &mut dyn Output) -> Result<Trail, Error> {
        let Rows { shard, first, count } = rows;
        let path = self.input.shards.get(shard).ok_or_else(|| self.wrong("a shard is not there"))?;
        let item = Item {
            key: Arc::from(""),
            place: Place::at(path),
            size: 0,
            digest: "".into(),
            stamp: None,
            rows: Some((first, count)),
        };
        let mut trail = Trail::new(self.chain.len(), None);
        match instance.run(&item, output, &mut trail, false) {
            Ok(()) | Err(Stop::Filtered { .. }) => Ok(trail),
            Err(Stop::Rejected { class, offset, message }) => {
                Err(self.unreadable(path, first, &format!("{class} {offset}: {message}")))
            }
            Err(Stop::Transient { message }) => Err(self.unreadable(path, first, &message)),
            Err(Stop::Cancelled) => Err(Error::Cancelled),
        }
    }

    /// Takes what was read, in order.
    fn collect<C>(
        &self,
        count: u64,
        receiver: Receiver<Turn<C>>,
        turns: &Turns,
        take: &mut impl FnMut(C, &ChainReport) -> Result<(), Error>,
        cancel: &CancellationToken,
    ) -> Result<ChainReport, Error> {
        let operators = self.chain.len();
        let mut report =
            ChainReport { counts: vec![Counts::default(); operators], seconds: vec![0.0; operators] };
        let (mut early, mut next) = (BTreeMap::new(), 0);
        while next < count {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let (turn, read) = receiver.recv().map_err(|_| self.wrong("a thread that reads has ended"))?;
            early.insert(turn, read);
            while let Some(read) = early.remove(&next) {
                let (output, trail) = read?;
                report.counts.iter_mut().zip(&trail.counts).for_each(|(total, counts)| total.add(counts));
                let times = trail.times();
                report.seconds.iter_mut().zip(times).for_each(|(total, time)| *total += time.as_secs_f64());
                take(output, &report)?;
                next += 1;
                turns.taken(next);
            }
        }
        Ok(report)
    }

    fn wrong(&self, message: &str) -> Error {
        Error::stage(&self.stage, message)
    }

    fn unreadable(&self, path: &Path, row: u64, message: &str) -> Error {
        self.wrong(&format!("row {row} of {}: {message}", path.display()))
    }
}
