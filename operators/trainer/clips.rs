//! The clips of a job: which there are, and what becomes of them on the way.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use etude_learning::TABLE;
use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{ChainReport, Item, Output, SignalInput, Step, Stop};
use etude_pipeline::place::Place;
use etude_pipeline::random::Random;
use etude_pipeline::run::{Chain, Instance, Trail};
use etude_pipeline::store::Counts;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// The clips of a job, numbered in the order of items and starts. Each is a row of a shard that can be read alone.
pub struct Clips {
    chain: Chain,
    shards: Vec<PathBuf>,
    /// For each item the index of its first clip, its shard and its first row there.
    items: Vec<(u64, usize, u64)>,
    count: u64,
}

/// A signal at the end of the chain, one channel.
pub struct Signal {
    pub header: Header,
    pub samples: Vec<f32>,
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
        for &(shard, first, rows) in &input.items {
            items.push((count, shard, first));
            count += rows;
        }
        Ok(Self { chain, shards: input.shards.clone(), items, count })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Samples a second, of the first signal; the pipeline's check has seen to it that all have the same.
    pub fn rate(&self) -> Result<u32, Error> {
        let mut rate = None;
        self.read(&mut self.reader(0)?, &[0], |signal| rate = Some(signal.header.rate))?;
        rate.ok_or_else(|| Error::Input("the first clip gives no signal".into()))
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
            let item = self.items.partition_point(|(first, ..)| *first <= clip).saturating_sub(1);
            let found = self
                .items
                .get(item)
                .and_then(|&(before, shard, first)| Some((self.shards.get(shard)?, first + clip - before)));
            let (path, row) = found.ok_or_else(|| Error::Input(format!("there is no clip {clip}")))?;
            let item = Item {
                key: Arc::from(""),
                place: Place::at(path),
                size: 0,
                digest: "".into(),
                stamp: None,
                rows: Some((row, 1)),
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
    /// Adds what the reader's chain did to a report.
    pub fn report(&self, report: &mut ChainReport) {
        report.counts.resize(self.counts.len(), Counts::default());
        report.seconds.resize(self.times.len(), 0.0);
        report.counts.iter_mut().zip(&self.counts).for_each(|(total, counts)| total.add(counts));
        report.seconds.iter_mut().zip(&self.times).for_each(|(total, time)| *total += time.as_secs_f64());
    }
}

/// All clips in an order of the epoch's own: Fisher and Yates's, keyed on (seed, stage, epoch).
pub fn shuffled(count: u64, seed: u64, stage: &str, epoch: u64) -> Vec<u64> {
    let mut random =
        Random::keyed(&[b"shuffle", &seed.to_le_bytes(), stage.as_bytes(), &epoch.to_le_bytes()]);
    let mut order: Vec<u64> = (0..count).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last as u64 + 1) as usize);
    }
    order
}

struct Collect<'a, F: FnMut(Signal)> {
    open: Option<Signal>,
    take: &'a mut F,
}

impl<F: FnMut(Signal)> Output for Collect<'_, F> {
    fn begin(&mut self, header: &Header) -> Step {
        self.open = Some(Signal { header: header.clone(), samples: Vec::new() });
        Ok(())
    }

    fn block(&mut self, block: Block) -> Step {
        if let Some(signal) = &mut self.open {
            signal.samples.extend_from_slice(block.channel(0));
        }
        Ok(())
    }

    fn end(&mut self) -> Step {
        if let Some(signal) = self.open.take() {
            (self.take)(signal);
        }
        Ok(())
    }

    /// What is counted below the last operator is nobody's.
    fn count(&mut self, _: &'static str, _: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffling_is_a_permutation_of_its_own_each_epoch() {
        let first = shuffled(100, 1, "model", 0);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(first, shuffled(100, 1, "model", 0));
        assert_ne!(first, shuffled(100, 1, "model", 1));
        assert_ne!(first, shuffled(100, 2, "model", 0));
        assert_ne!(first, shuffled(100, 1, "other", 0));
    }
}
