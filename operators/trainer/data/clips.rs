//! The clips of a job: which there are, and what becomes of them on the way.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use etude_learning::TABLE;
use etude_pipeline::flow::{Block, Header, SignalType};
use etude_pipeline::operator::{ChainReport, Item, Output, SignalInput, Step, Stop};
use etude_pipeline::place::Place;
use etude_pipeline::run::{Chain, Instance, Trail};
use etude_pipeline::store::Counts;
use tokio_util::sync::CancellationToken;

use super::order::Layout;
use crate::error::Error;

/// The clips of a job, numbered in the order of items and starts. Each is a row of a shard that can be read alone, or
/// several, where the shards keep views.
pub struct Clips {
    chain: Chain,
    stages: Vec<String>,
    shards: Vec<PathBuf>,
    bytes: Vec<u64>,
    /// Whether shards have to be brought here.
    pub elsewhere: bool,
    /// Rows of a clip.
    rows: u64,
    /// What the chain gives.
    pub signal: SignalType,
    /// For each item the index of its first clip, its shard and its first row there.
    items: Vec<(u64, usize, u64)>,
    count: u64,
}

/// A clip at the end of the chain.
pub struct Signal {
    pub header: Header,
    /// Channel after channel.
    pub values: Vec<f32>,
    /// Frames that have come.
    pub frames: usize,
}

/// A chain at work, and what it has done.
pub struct Reader {
    instance: Instance,
    counts: Vec<Counts>,
    times: Vec<Duration>,
}

impl Clips {
    /// The clips of an input.
    pub fn open(input: &SignalInput, seed: u64) -> Result<Self, Error> {
        let chain = Chain::of_input(&TABLE, input, seed)?;
        let (mut items, mut count) = (Vec::with_capacity(input.items.len()), 0);
        let views = u64::from(input.views.max(1));
        for &(shard, first, rows) in &input.items {
            items.push((count, shard, first));
            count += rows / views;
            if !rows.is_multiple_of(views) {
                return Err(Error::Input(format!(
                    "`{}` keeps {rows} rows of a recording, which are no clips of {views} views each: an operator above \
                     it leaves views out",
                    input.stage
                )));
            }
        }
        let stages = input.chain.iter().map(|link| link.stage.clone()).collect();
        Ok(Self {
            chain,
            stages,
            shards: input.shards.clone(),
            bytes: input.bytes.clone(),
            elsewhere: input.elsewhere,
            rows: views,
            signal: (*input.signal).clone(),
            items,
            count,
        })
    }

    /// Whether both have as many clips of each recording.
    pub fn alike(&self, other: &Self) -> bool {
        self.firsts() == other.firsts()
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The stages of the chain, as a report has them.
    pub fn stages(&self) -> Vec<String> {
        self.stages.clone()
    }

    /// The first clip of each recording and, last, the number of clips.
    fn firsts(&self) -> Vec<u64> {
        self.items.iter().map(|(first, ..)| *first).chain([self.count]).collect()
    }

    /// Where the clips lie.
    pub fn layout(&self) -> Layout {
        let shards = self.items.iter().map(|(_, shard, _)| *shard).collect();
        Layout { firsts: self.firsts(), shards, bytes: self.bytes.clone() }
    }

    /// The file of a shard.
    pub fn shard(&self, shard: usize) -> Option<&PathBuf> {
        self.shards.get(shard)
    }

    /// The shard of a clip.
    pub fn home(&self, clip: u64) -> Option<usize> {
        self.items.get(self.item(clip)).map(|(_, shard, _)| *shard)
    }

    /// The recording of a clip, by its number.
    pub fn item(&self, clip: u64) -> usize {
        self.items.partition_point(|(first, ..)| *first <= clip).saturating_sub(1)
    }

    /// What the first clip gives: all views of it. The pipeline's check has seen to it that all give the same.
    pub fn first(&self) -> Result<Vec<Signal>, Error> {
        let mut signals = Vec::new();
        self.read(&mut self.reader(0)?, &[0], |signal| signals.push(signal))?;
        if signals.is_empty() {
            return Err(Error::Input("the first clip gives no signal".into()));
        }
        Ok(signals)
    }

    /// A reader for an epoch.
    pub fn reader(&self, epoch: u64) -> Result<Reader, Error> {
        let instance = self.chain.instance(epoch, &CancellationToken::new())?;
        let operators = self.chain.len();
        Ok(Reader {
            instance,
            counts: vec![Counts::default(); operators],
            times: vec![Duration::ZERO; operators],
        })
    }

    /// Sends clips through the chain; gives the signals that come out.
    pub fn read(
        &self,
        reader: &mut Reader,
        clips: &[u64],
        mut take: impl FnMut(Signal),
    ) -> Result<(), Error> {
        for &clip in clips {
            let found = self.items.get(self.item(clip)).and_then(|&(before, shard, first)| {
                Some((self.shards.get(shard)?, first + (clip - before) * self.rows))
            });
            let (path, row) = found.ok_or_else(|| Error::Input(format!("there is no clip {clip}")))?;
            let item = Item {
                key: Arc::from(""),
                place: Place::at(path),
                size: 0,
                digest: "".into(),
                stamp: None,
                rows: Some((row, self.rows)),
            };
            let mut trail = Trail::new(self.chain.len(), None);
            let mut collect = Collect { open: None, take: &mut take };
            let step = reader.instance.run(&item, &mut collect, &mut trail, false);
            reader.counts.iter_mut().zip(&trail.counts).for_each(|(total, counts)| total.add(counts));
            reader.times.iter_mut().zip(trail.times()).for_each(|(total, time)| *total += time);
            match step {
                Ok(()) | Err(Stop::Filtered { .. }) => {}
                Err(Stop::Rejected { class, offset, message }) => {
                    return Err(Error::Input(format!(
                        "clip {clip} of {}: {class} {offset}: {message}",
                        path.display()
                    )));
                }
                Err(Stop::Transient { message }) => {
                    return Err(Error::Input(format!("clip {clip} of {}: {message}", path.display())));
                }
                Err(Stop::Cancelled) => return Err(Error::Input("cancelled".into())),
            }
        }
        Ok(())
    }
}

impl Reader {
    /// What its chain has done since it was asked last.
    pub fn report(&mut self) -> ChainReport {
        let counts = std::mem::replace(&mut self.counts, vec![Counts::default(); self.times.len()]);
        let seconds = self.times.iter().map(Duration::as_secs_f64).collect();
        self.times.fill(Duration::ZERO);
        ChainReport { counts, seconds }
    }
}

/// Adds one report to another.
pub fn add(total: &mut ChainReport, part: &ChainReport) {
    total.counts.resize(part.counts.len().max(total.counts.len()), Counts::default());
    total.seconds.resize(part.seconds.len().max(total.seconds.len()), 0.0);
    total.counts.iter_mut().zip(&part.counts).for_each(|(total, counts)| total.add(counts));
    total.seconds.iter_mut().zip(&part.seconds).for_each(|(total, time)| *total += time);
}

struct Collect<'a, F: FnMut(Signal)> {
    open: Option<Signal>,
    take: &'a mut F,
}

impl<F: FnMut(Signal)> Output for Collect<'_, F> {
    fn begin(&mut self, header: &Header) -> Step {
        // A clip knows its length at the begin.
        let frames = usize::try_from(header.frames.unwrap_or(0)).unwrap_or(0);
        let values = vec![0.0; frames.saturating_mul(header.channels.into())];
        self.open = Some(Signal { header: header.clone(), values, frames: 0 });
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        if let Some(signal) = &mut self.open {
            let (from, to) = (signal.frames, signal.frames + block.frames());
            let frames = signal.values.len() / usize::from(signal.header.channels).max(1);
            for (channel, values) in signal.values.chunks_exact_mut(frames.max(1)).enumerate() {
                if let Some(values) = values.get_mut(from..to) {
                    values.copy_from_slice(block.channel(channel));
                }
            }
            signal.frames = to;
        }
        Ok(())
    }

    fn end(&mut self) -> Step {
        let Some(signal) = self.open.take() else { return Ok(()) };
        if signal.frames as u64 != signal.header.frames.unwrap_or(u64::MAX) {
            let said = signal.header.frames.map_or("none".into(), |frames| frames.to_string());
            let message = format!("a clip of {said} frames has {}", signal.frames);
            return Err(Stop::Rejected { class: "frames", offset: String::new(), message });
        }
        (self.take)(signal);
        Ok(())
    }

    /// What is counted below the last operator is nobody's.
    fn count(&mut self, _: &'static str, _: u64) {}
}
