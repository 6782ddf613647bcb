//! The way from signals to centroids.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use etude_pipeline::Error;
use etude_pipeline::event::{Event, Reporter};
use etude_pipeline::operator::{ChainReport, DatasetJob};
use etude_pipeline::random::Random;
use etude_pipeline::store::Counts;
use tokio_util::sync::CancellationToken;

use super::fit::Fit;
use super::initial::{self, Missing};
use super::sample::Sample;
use super::state::State;
use super::{KMeans, centroids};
use crate::stream::Source;

/// How often something is done.
pub struct Pace {
    /// Progress is told.
    pub tell: Duration,
    /// The state is kept.
    pub keep: Duration,
}

/// All that learning needs.
pub struct Learn<'a> {
    parameters: &'a KMeans,
    job: &'a DatasetJob,
    reporter: &'a Reporter,
    cancel: &'a CancellationToken,
    pace: Pace,
    source: Source,
    state: State,
    /// How many clips there are to be drawn from.
    clips: u64,
}

impl<'a> Learn<'a> {
    pub fn of(
        parameters: &'a KMeans,
        job: &'a DatasetJob,
        reporter: &'a Reporter,
        cancel: &'a CancellationToken,
        pace: Pace,
    ) -> Result<Self, Error> {
        let source = Source::open(job, "from")?;
        let clips = source.clips()?;
        if clips == 0 {
            return Err(Error::stage(&job.stage, "there is no clip to learn from"));
        }
        let state = State::of(job.state.as_deref());
        Ok(Self { parameters, job, reporter, cancel, pace, source, state, clips })
    }

    /// Learns and leaves the centroids.
    pub fn run(&self) -> Result<ChainReport, Error> {
        let mut fit = match self.state.read(self.parameters.clusters) {
            Some(fit) => fit,
            None => self.begin()?,
        };
        let ended = self.go_on(&mut fit);
        if matches!(ended, Err(Error::Cancelled)) {
            self.state.keep(&fit)?;
        }
        ended?;
        centroids::write(&fit, &self.job.output)?;
        let inertia = fit.inertia.unwrap_or(0.0);
        let text = format!(
            "{} centroids after {} steps: inertia {inertia:.6} a frame",
            self.parameters.clusters, fit.steps
        );
        let values =
            BTreeMap::from([("inertia".to_owned(), inertia), ("steps".to_owned(), fit.steps as f64)]);
        (self.reporter)(Event::Message { stage: self.job.stage.clone(), text, values });
        Ok(fit.report)
    }

    /// Numbers that name and place alone decide.
    fn random(&self, name: &[u8], place: u64) -> Random {
        let Self { job, .. } = self;
        Random::keyed(&[
            b"k_means",
            &job.seed.to_le_bytes(),
            job.stage.as_bytes(),
            name,
            &place.to_le_bytes(),
        ])
    }

    /// The clip that is drawn at a place, and the numbers that its frames are drawn by.
    fn draw(&self, name: &[u8], place: u64) -> (u64, Random) {
        let mut random = self.random(name, place);
        (random.below(self.clips), random)
    }

    /// Reads `count` clips, from a place on.
    fn read(
        &self,
        name: &[u8],
        from: u64,
        count: u64,
        take: impl FnMut(Sample, &ChainReport) -> Result<(), Error>,
    ) -> Result<ChainReport, Error> {
        let place = |at| self.source.clip(self.draw(name, from + at).0);
        let begin = |at| Sample::new(self.draw(name, from + at).1, self.parameters.frames_per_clip);
        self.source.read(count, place, begin, take, self.cancel)
    }

    /// The first centroids.
    fn begin(&self) -> Result<Fit, Error> {
        let KMeans { clusters, batch_size, frames_per_clip, .. } = *self.parameters;
        let count = (3 * batch_size.max(clusters)).div_ceil(frames_per_clip) as u64;
        let (mut frames, mut width) = (Vec::new(), 1);
        let take = |sample: Sample, _: &ChainReport| {
            width = width.max(sample.width);
            frames.extend(sample.values);
            Ok(())
        };
        let report = self.read(b"initial", 0, count, take)?;
        let random = self.random(b"centroids", 0);
        let centres = initial::centres(&frames, width, clusters, random, self.job.threads, self.cancel);
        let centres = centres.map_err(|missing| match missing {
            Missing::Cancelled => Error::Cancelled,
            Missing::Frames(found) => {
                let drawn = frames.len() / width;
                let message =
                    format!("`clusters` is {clusters}, and of {drawn} frames that were drawn {found} differ");
                Error::stage(&self.job.stage, message)
            }
        })?;
        Ok(Fit::new(centres, width, report))
    }

    /// Takes the steps that are left.
    fn go_on(&self, fit: &mut Fit) -> Result<(), Error> {
        let KMeans { steps, batch_size, frames_per_clip, reassignment_ratio, .. } = *self.parameters;
        let clips = batch_size.div_ceil(frames_per_clip) as u64;
        let (first, before) = (fit.steps, fit.report.clone());
        let (mut batch, mut read, mut seconds) = (Vec::new(), 0, 0.0);
        let (mut told, mut kept) = (Instant::now(), Instant::now());
        let take = |sample: Sample, report: &ChainReport| {
            batch.extend(sample.values);
            (read, seconds) = (read + 1, seconds + sample.seconds);
            if read % clips > 0 {
                return Ok(());
            }
            fit.step(&batch, reassignment_ratio, self.random(b"reassign", fit.steps), self.job.threads);
            fit.report = sum(&before, report);
            batch.clear();
            if kept.elapsed() >= self.pace.keep {
                self.state.keep(fit)?;
                kept = Instant::now();
            }
            if told.elapsed() >= self.pace.tell || fit.steps == steps {
                let (stage, items) = (self.job.stage.clone(), fit.steps);
                (self.reporter)(Event::Progress { stage, items, total: steps, seconds });
                told = Instant::now();
            }
            if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
        };
        self.read(b"step", first * clips, steps.saturating_sub(first) * clips, take)?;
        Ok(())
    }
}

/// What a chain has done, in two parts.
fn sum(one: &ChainReport, other: &ChainReport) -> ChainReport {
    let mut sum = one.clone();
    sum.counts.resize(other.counts.len().max(sum.counts.len()), Counts::default());
    sum.seconds.resize(other.seconds.len().max(sum.seconds.len()), 0.0);
    sum.counts.iter_mut().zip(&other.counts).for_each(|(sum, counts)| sum.add(counts));
    sum.seconds.iter_mut().zip(&other.seconds).for_each(|(sum, seconds)| *sum += seconds);
    sum
}
