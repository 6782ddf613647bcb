//! A fused chain of item operators: a reader, maps, and whatever takes the result.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::ahead::read_ahead;
use crate::error::Error;
use crate::flow::{Block, Header};
use crate::operator::{
    Body, Context, DatasetInput, Item, Link, Map, Operator, Output, Read, SignalInput, Sink, SinkRows, Step,
    Stop, Survey, Table, Tabulate,
};
use crate::store::Counts;

/// Frames of a block, unless another length is asked for.
pub const BLOCK: usize = 16_384;

/// A chain by operators: what a plan's serialised form is restored to.
#[derive(Debug)]
pub struct Chain {
    /// For shards, the operator that wrote them and reads them back.
    store: Option<Box<dyn Operator>>,
    operators: Vec<Placed>,
    seed: u64,
    block: usize,
}

/// An operator of a chain: its stage, and what it reads besides its main input.
#[derive(Debug)]
struct Placed {
    stage: Arc<str>,
    operator: Box<dyn Operator>,
    sides: Sides,
}

/// The kept stages that an operator reads besides, by port.
type Sides = Arc<[(String, Vec<DatasetInput>)]>;

/// A chain at work, on one thread, one item after another.
pub struct Instance {
    read: Box<dyn Read>,
    maps: Vec<Box<dyn Map>>,
    /// Whether the reader is an operator of the chain rather than the shards' own.
    reads: usize,
}

/// What happened to an item on its way.
#[derive(Debug, Default)]
pub struct Trail {
    /// What each operator gave.
    pub counts: Vec<Counts>,
    /// Time within each operator, those below it included.
    inclusive: Vec<Duration>,
    active: usize,
    failed: Option<usize>,
    /// Microseconds of signal read, shared with whoever shows progress.
    meter: Option<Arc<AtomicU64>>,
    /// Microseconds of signal a frame, as a fraction, from the header of what is being read.
    rate: (u64, u64),
}

impl Chain {
    /// A chain from its serialised form. `store` is the operator whose shards are read.
    pub fn new(table: &Table, store: Option<&Link>, links: &[Link], seed: u64) -> Result<Self, Error> {
        let store = store.map(|link| table.restore(link)).transpose()?;
        let operators = links
            .iter()
            .map(|link| {
                let (stage, sides) = (Arc::from(link.stage.as_str()), link.sides.clone().into());
                Ok(Placed { stage, operator: table.restore(link)?, sides })
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self { store, operators, seed, block: BLOCK })
    }

    /// The same chain with blocks of another length; its results are the same.
    pub fn with_block(self, block: usize) -> Self {
        Self { block, ..self }
    }

    /// The chain of a dataset operator's input.
    pub fn of_input(table: &Table, input: &SignalInput, seed: u64) -> Result<Self, Error> {
        Self::new(table, Some(&input.store), &input.chain, seed)
    }

    /// Number of operators, not counting the shards' own reader.
    pub fn len(&self) -> usize {
        self.operators.len()
    }

    /// Whether it has no operator of its own.
    pub fn is_empty(&self) -> bool {
        self.operators.is_empty()
    }

    fn context(&self, stage: &Arc<str>, sides: &Sides, epoch: u64, cancel: &CancellationToken) -> Context {
        Context {
            seed: self.seed,
            stage: stage.clone(),
            epoch,
            block: self.block,
            cancel: cancel.clone(),
            sides: sides.clone(),
        }
    }

    /// The sink at its end, if it has one.
    pub fn sink(&self) -> Option<Box<dyn Sink>> {
        match self.operators.last()?.operator.body() {
            Body::Sink(sink) => Some(sink),
            _ => None,
        }
    }

    /// The operator that turns items into rows, if that is all it is.
    pub fn tabulate(&self, cancel: &CancellationToken) -> Option<(Box<dyn Tabulate>, Context)> {
        let Placed { stage, operator, sides } = self.operators.last()?;
        match operator.body() {
            Body::Tabulate(tabulate) => Some((tabulate, self.context(stage, sides, 0, cancel))),
            _ => None,
        }
    }

    /// The writer of its sink's rows.
    pub fn rows(&self, cancel: &CancellationToken) -> Option<Box<dyn SinkRows>> {
        let Placed { stage, sides, .. } = self.operators.last()?;
        Some(self.sink()?.rows(self.context(stage, sides, 0, cancel)))
    }

    /// A chain at work in an epoch.
    pub fn instance(&self, epoch: u64, cancel: &CancellationToken) -> Result<Instance, Error> {
        let mut read = None;
        let mut maps = Vec::new();
        if let Some(store) = &self.store {
            let name: Arc<str> = Arc::from("store");
            if let Body::Sink(sink) = store.body() {
                read = sink.reader(self.context(&name, &Sides::default(), epoch, cancel));
            }
        }
        for Placed { stage, operator, sides } in &self.operators {
            let context = self.context(stage, sides, epoch, cancel);
            match operator.body() {
                Body::Read(make) if read.is_none() => read = Some(make(context)),
                Body::Map(make) if read.is_some() => maps.push(make(context)),
                Body::Sink(_) => {}
                _ => return Err(Error::stage(stage, "does not fit into its chain")),
            }
        }
        let read = read.ok_or_else(|| Error::Other("a chain begins with an operator that reads".into()))?;
        Ok(Instance { read, maps, reads: usize::from(self.store.is_none()) })
    }
}

impl Trail {
    /// The trail of an item through `operators` operators.
    pub fn new(operators: usize, meter: Option<Arc<AtomicU64>>) -> Self {
        Self {
            counts: vec![Counts::default(); operators],
            inclusive: vec![Duration::ZERO; operators + 1],
            meter,
            rate: (1, 1),
            ..Self::default()
        }
    }

    /// Time within each operator itself.
    pub fn times(&self) -> Vec<Duration> {
        self.inclusive.windows(2).map(|pair| pair[0].saturating_sub(pair[1])).collect()
    }

    /// Where an item that came to its end left no row: the operator that gave nothing, and why.
    pub fn nothing(&mut self) -> Stop {
        let at = self.counts.iter().position(|counts| counts.rows == 0).unwrap_or_default();
        self.failed = Some(at);
        let counters = self.counts.get(at).map(|counts| &counts.counters);
        let reasons: Vec<String> =
            counters.into_iter().flatten().map(|(what, amount)| format!("{amount} {what}")).collect();
        let reason = match reasons.is_empty() {
            true => "nothing of it is left".to_owned(),
            false => format!("nothing of it is left: {}", reasons.join(", ")),
        };
        Stop::Filtered { reason }
    }

    /// The operator that ended the item early.
    pub fn failed(&self) -> usize {
        self.failed.unwrap_or(self.active)
    }

    fn inside<T>(&mut self, at: usize, work: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        let above = std::mem::replace(&mut self.active, at);
        let begin = Instant::now();
        let result = work(self);
        self.inclusive[at] += begin.elapsed();
        self.active = above;
        if result.is_err() {
            self.failed.get_or_insert(at);
        }
        result
    }

    fn read(&mut self, block: &Block) {
        if let Some(meter) = &self.meter {
            let (numerator, denominator) = self.rate;
            meter.fetch_add(block.frames() as u64 * numerator / denominator, Ordering::Relaxed);
        }
    }

    fn count(&mut self, at: usize, what: &str, amount: u64) {
        if let Some(counts) = self.counts.get_mut(at)
            && amount > 0
        {
            *counts.counters.entry(what.to_owned()).or_default() += amount;
        }
    }

    fn gave(&mut self, at: usize) {
        if let Some(counts) = self.counts.get_mut(at) {
            counts.rows += 1;
        }
    }
}

impl Instance {
    /// Sends one item through; with `ahead`, what reads it has a thread of its own. A panic of an
    /// operator is a rejection of the item.
    pub fn run(&mut self, item: &Item, end: &mut dyn Output, trail: &mut Trail, ahead: bool) -> Step {
        let first = self.reads;
        caught(|| {
            for at in 0..self.maps.len() {
                self.survey(item, at, trail, ahead)?;
            }
            let mut below = Below { at: first, last: first, maps: &mut self.maps, end, trail };
            let read = self.read.as_mut();
            let mut read =
                || if ahead { read_ahead(read, item, &mut below) } else { read.read(item, &mut below) };
            if first == 0 {
                return read();
            }
            // The reader is operator 0; what it calls is entered as operator 1 and so on.
            let begin = Instant::now();
            let step = read();
            trail.inclusive[0] += begin.elapsed();
            if step.is_err() {
                trail.failed.get_or_insert(0);
            }
            step
        })
    }

    /// Lets one map see the whole item first, if it wants to.
    fn survey(&mut self, item: &Item, at: usize, trail: &mut Trail, ahead: bool) -> Step {
        let (above, rest) = self.maps.split_at_mut(at);
        let Some(survey) = rest.first_mut().and_then(|map| map.survey()) else { return Ok(()) };
        survey.item();
        // What is counted, and what is shown as progress, is the pass that is kept.
        let mut pass = Trail::new(trail.counts.len(), None);
        let first = self.reads;
        let mut end = Surveyed(survey);
        let mut below = Below { at: first, last: first, maps: above, end: &mut end, trail: &mut pass };
        let begin = Instant::now();
        let read = self.read.as_mut();
        let step = if ahead { read_ahead(read, item, &mut below) } else { read.read(item, &mut below) };
        pass.inclusive[0] = if first == 0 { pass.inclusive[0] } else { begin.elapsed() };
        trail.inclusive.iter_mut().zip(&pass.inclusive).for_each(|(total, time)| *total += *time);
        if step.is_err() {
            trail.failed.get_or_insert(pass.failed());
        }
        step
    }
}

/// A panic of an operator is a rejection of the item.
pub fn caught<T>(work: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(Stop::Rejected { class: "panic", offset: String::new(), message: describe(panic.as_ref()) })
    })
}

/// Takes signals to a survey.
struct Surveyed<'a>(&'a mut dyn Survey);

impl Output for Surveyed<'_> {
    fn begin(&mut self, header: &Header) -> Step {
        self.0.begin(header)
    }

    fn block(&mut self, block: &mut Block) -> Step {
        self.0.block(block)
    }

    fn end(&mut self) -> Step {
        self.0.end()
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}

/// What a panic said.
pub fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "an operator panicked".into())
}

/// What stands below an operator of the chain. `at` is the position of the next one.
struct Below<'a> {
    at: usize,
    /// The position of the first map.
    last: usize,
    maps: &'a mut [Box<dyn Map>],
    end: &'a mut dyn Output,
    trail: &'a mut Trail,
}

impl Below<'_> {
    fn enter<T>(
        &mut self,
        what: T,
        to_map: impl FnOnce(T, &mut dyn Map, &mut dyn Output) -> Step,
        to_end: impl FnOnce(T, &mut dyn Output) -> Step,
    ) -> Step {
        let Self { at, last, maps, end, trail } = self;
        let (at, last) = (*at, *last);
        match maps.split_first_mut() {
            Some((map, maps)) => trail.inside(at, |trail| {
                let mut below = Below { at: at + 1, last, maps, end: &mut **end, trail };
                to_map(what, map.as_mut(), &mut below)
            }),
            None => trail.inside(at, |_| to_end(what, &mut **end)),
        }
    }
}

impl Output for Below<'_> {
    fn begin(&mut self, header: &Header) -> Step {
        if self.at == self.last {
            self.trail.rate = (u64::from(header.hop) * 1_000_000, u64::from(header.rate).max(1));
        }
        self.enter(header, |header, map, below| map.begin(header, below), |header, end| end.begin(header))
    }

    fn block(&mut self, block: &mut Block) -> Step {
        if self.at == self.last {
            self.trail.read(block);
        }
        self.enter(block, |block, map, below| map.block(block, below), |block, end| end.block(block))
    }

    fn end(&mut self) -> Step {
        if let Some(above) = self.at.checked_sub(1) {
            self.trail.gave(above);
        }
        self.enter((), |(), map, below| map.end(below), |(), end| end.end())
    }

    fn count(&mut self, what: &'static str, amount: u64) {
        if let Some(above) = self.at.checked_sub(1) {
            self.trail.count(above, what, amount);
        }
    }
}

/// Counters of a trail's last operator, from a sink.
pub fn add_counters(trail: &mut Trail, counters: Vec<(&'static str, u64)>, rows: u64) {
    if let Some(last) = trail.counts.last_mut() {
        last.rows += rows;
        let into: &mut BTreeMap<String, u64> = &mut last.counters;
        for (what, amount) in counters.into_iter().filter(|(_, amount)| *amount > 0) {
            *into.entry(what.to_owned()).or_default() += amount;
        }
    }
}
