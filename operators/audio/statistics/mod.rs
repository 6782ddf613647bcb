//! The mean and deviation of each channel over everything.

mod learnt;
mod moments;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use etude_pipeline::Error;
use etude_pipeline::event::{Event, Reporter};
use etude_pipeline::flow::{ArtifactType, Block, Flow, Header};
use etude_pipeline::operator::{
    Body, ChainReport, Dataset, DatasetJob, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step,
    Stop,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::Expect;
use crate::stream::Source;

pub use learnt::{Learnt, read};
use moments::{Moments, Running};

/// Learns the mean and standard deviation of each channel over all frames of all signals, for `standardise`.
///
/// Of features a channel is a bin, of audio it is a channel. Every frame counts the same, and every view is one more
/// signal; the deviation is that of the population. What is drawn above it is drawn as in the first epoch. The signals
/// are read once and summed up in double precision, item after item in the order of their keys: threads and blocks
/// change no bit of the result, which is a file `statistics.json` with `channels`, `frames`, `mean` and `std`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statistics {}

/// The name of what it leaves.
pub const FORMAT: &str = "statistics";

/// How often progress is told.
const TICK: Duration = Duration::from_millis(500);

impl Declare for Statistics {
    const NAME: &'static str = "statistics";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Dataset;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Statistics {
    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let sampling = crate::signal(inputs)?.sampled()?;
        Ok(Flow::Artifact(ArtifactType {
            format: FORMAT,
            sampling,
            tokens: true,
            width: usize::from(sampling.channels),
        }))
    }

    fn body(&self) -> Body {
        Body::Dataset(Arc::new(self.clone()))
    }
}

impl Dataset for Statistics {
    fn run(
        &self,
        job: &DatasetJob,
        reporter: &Reporter,
        cancel: &CancellationToken,
    ) -> Result<ChainReport, Error> {
        let source = Source::open(job, "from")?;
        let (mut all, mut seconds, mut items) = (Vec::<Moments>::new(), 0.0, 0);
        let mut told = Instant::now();
        let take = |item: Item, _: &ChainReport| {
            if all.is_empty() {
                all.clone_from(&item.all);
            } else {
                merge(&mut all, &item.all);
            }
            (seconds, items) = (seconds + item.seconds, items + 1);
            if told.elapsed() >= TICK || items == source.items() {
                told = Instant::now();
                let (stage, total) = (job.stage.clone(), source.items());
                reporter(Event::Progress { stage, items, total, seconds });
            }
            Ok(())
        };
        let place = |item| source.item(item);
        let report = source.read(source.items(), place, |_| Item::default(), take, cancel)?;
        let learnt = Learnt::of(&all);
        let learnt = learnt.ok_or_else(|| Error::stage(&job.stage, "there is no frame to learn from"))?;
        learnt.write(&job.output)?;
        Ok(report)
    }
}

/// Adds what was found in what comes next, channel by channel.
fn merge(all: &mut [Moments], next: &[Moments]) {
    all.iter_mut().zip(next).for_each(|(all, next)| all.merge(next));
}

/// What is found in an item: that of its signals, one after another.
#[derive(Default)]
struct Item {
    all: Vec<Moments>,
    seconds: f64,
    header: Option<Header>,
    running: Vec<Running>,
    frames: u64,
}

impl Output for Item {
    fn begin(&mut self, header: &Header) -> Step {
        self.running.clear();
        self.running.resize_with(usize::from(header.channels), Running::default);
        self.frames = 0;
        self.header = Some(header.clone());
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        for (channel, running) in self.running.iter_mut().enumerate() {
            running.add(block.channel(channel));
        }
        self.frames += block.frames() as u64;
        Ok(())
    }

    fn end(&mut self) -> Step {
        let Some(header) = self.header.take() else { return Ok(()) };
        let found: Vec<Moments> = self.running.iter().map(Running::moments).collect();
        if let Some(channel) = found.iter().position(|moments| !moments.is_finite()) {
            let (item, start) = (&header.item, header.start);
            let message = format!("channel {channel} of the clip of `{item}` at {start} is not finite");
            return Err(Stop::Rejected { class: "value", offset: format!("sample {start}"), message });
        }
        if self.all.is_empty() {
            self.all = found;
        } else {
            merge(&mut self.all, &found);
        }
        self.seconds += self.frames as f64 * f64::from(header.hop) / f64::from(header.rate.max(1));
        Ok(())
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}
