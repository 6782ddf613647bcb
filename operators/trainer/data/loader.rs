//! Batches, made ahead on threads of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Instant;

use etude_learning::train::Unit;
use etude_pipeline::flow::{Mask, Masking, Sampling};
use etude_pipeline::operator::ChainReport;
use etude_pipeline::run::describe;

use super::clips::Clips;
use super::nearby::Nearby;
use super::side::Side;
use super::source::{Epoch, Source};
use crate::error::Error;

/// Batches of each thread that are ready before they are due.
const AHEAD: usize = 2;

/// Which batches there are. A batch's number is all that says what is in it.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub stage: String,
    pub unit: Unit,
    /// Bytes of shards whose clips are shuffled together.
    pub window: Option<u64>,
    /// Clips of a batch, views of a clip, frames of a view.
    pub clips: usize,
    pub views: usize,
    pub frames: usize,
    /// What the frames are.
    pub sampling: Sampling,
    /// What masks are that come with the clips.
    pub masking: Masking,
    /// Whether the second view of a clip is the first one masked.
    pub pairs: bool,
    /// What other stages give to the encoder's frames.
    pub sides: Vec<Side>,
    /// Batches of an epoch; a last one that is not full is left out.
    pub per_epoch: u64,
}

/// A batch on the host.
pub struct Loaded {
    /// All first views, then all second views, and so on; of each, channel after channel.
    pub values: Vec<f32>,
    /// The number of each clip, and of its recording.
    pub clips: Vec<i64>,
    pub items: Vec<i64>,
    /// What is masked in each view, where the data says so.
    pub masks: Option<Vec<Mask>>,
    /// What each of the sides gives to the frames of the view that an encoder sees of each clip.
    pub sides: Vec<Vec<f32>>,
    /// Each clip's recording and first frame, for messages.
    pub names: Vec<String>,
    /// What the data path did for it.
    pub report: ChainReport,
    /// How long a thread was at it, reading the shards included.
    pub seconds: f64,
}

/// Threads that make batches, each every so many-th, which are taken in order.
pub struct Loader<'scope> {
    queues: Vec<Receiver<Result<Loaded, Error>>>,
    next: usize,
    _threads: Vec<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope> Loader<'scope> {
    /// Begins to make the batches from number `first` up to `last`.
    pub fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        (clips, sides): (&'env Clips, &'env [Clips]),
        (plan, nearby): (&'env Plan, &'env Nearby<'env>),
        (first, last): (u64, u64),
        threads: usize,
    ) -> Self {
        let threads = threads.max(1);
        let source = Arc::new(Source::new((clips, sides), plan, nearby, last));
        (0..threads).for_each(|thread| source.begin(thread, first));
        let (mut queues, mut handles) = (Vec::new(), Vec::new());
        for thread in 0..threads {
            let (sender, queue) = sync_channel(AHEAD);
            queues.push(queue);
            let source = source.clone();
            handles.push(scope.spawn(move || {
                let _end = End { nearby, thread };
                let mut at = None;
                for number in (first + thread as u64..last).step_by(threads) {
                    let loaded = made(number, || source.load(thread, number, &mut at));
                    let failed = loaded.is_err();
                    // Nobody takes them any more: the training has ended.
                    if sender.send(loaded).is_err() || failed {
                        return;
                    }
                }
            }));
        }
        Self { queues, next: 0, _threads: handles }
    }

    /// The next batch; waits until it is made.
    pub fn next(&mut self) -> Result<Loaded, Error> {
        let queue = &self.queues[self.next % self.queues.len()];
        self.next += 1;
        queue.recv().map_err(|_| Error::Input("the threads that make batches have ended early".into()))?
    }
}

/// A batch; or what it panicked with, which is none of libtorch's errors.
fn made(number: u64, load: impl FnOnce() -> Result<Loaded, Error>) -> Result<Loaded, Error> {
    catch_unwind(AssertUnwindSafe(load))
        .unwrap_or_else(|panic| Err(Error::Batch { number, panic: describe(panic.as_ref()) }))
}

/// Says that a thread has ended, however it has.
struct End<'a> {
    nearby: &'a Nearby<'a>,
    thread: usize,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.nearby.end(self.thread);
    }
}

impl Plan {
    /// Values of a view.
    pub fn values(&self) -> usize {
        self.frames * usize::from(self.sampling.channels)
    }

    /// The shape of so many views: `[rows, samples]` of audio, `[rows, planes, bins, frames]` of features.
    pub fn shape(&self, rows: usize) -> Vec<i64> {
        shape(self.sampling, rows, self.frames)
    }

    /// The epoch of a batch, and the place of its first clip there.
    pub(super) fn place(&self, number: u64) -> (u64, u64) {
        (number / self.per_epoch, number % self.per_epoch * self.clips as u64)
    }
}

impl Plan {
    /// Makes a batch of some clips.
    pub(super) fn load(
        &self,
        (clips, sides): (&Clips, &[Clips]),
        chosen: &[u64],
        epoch: &mut Epoch,
    ) -> Result<Loaded, Error> {
        let begin = Instant::now();
        let Epoch { reader, sides: readers, .. } = epoch;
        let mut loaded = Loaded {
            values: vec![0.0; self.views * self.clips * self.values()],
            items: chosen.iter().map(|clip| clips.item(*clip) as i64).collect(),
            clips: chosen.iter().map(|clip| *clip as i64).collect(),
            masks: None,
            sides: vec![Vec::new(); self.sides.len()],
            names: Vec::with_capacity(self.clips),
            report: ChainReport::default(),
            seconds: 0.0,
        };
        let mut unlike = false;
        for (row, clip) in chosen.iter().enumerate() {
            let (mut found, mut wrong, mut first, mut seen) = (0, None, None, None);
            clips.read(reader, &[*clip], |signal| {
                if signal.header.view == 0 {
                    loaded.names.push(format!("{}@{}", signal.header.item, signal.header.start));
                }
                let (view, frames) = (signal.header.view as usize, signal.frames);
                let same = (frames, signal.header.sampling()) == (self.frames, self.sampling);
                if view != found || view >= self.views || !same {
                    wrong = Some(format!("view {view} of {frames} frames, {}", signal.header.sampling()));
                    return;
                }
                if let Some(mask) = &signal.header.mask {
                    let masks =
                        loaded.masks.get_or_insert_with(|| vec![Mask::default(); self.views * self.clips]);
                    masks[view * self.clips + row] = mask.clone();
                    let (start, unmasked) =
                        *first.get_or_insert((signal.header.start, mask.covered.is_empty()));
                    unlike |= start != signal.header.start || !unmasked;
                }
                let from = (view * self.clips + row) * self.values();
                loaded.values[from..from + self.values()].copy_from_slice(&signal.values);
                found += 1;
                seen = Some(signal.header);
            })?;
            if found != self.views || wrong.is_some() {
                let (views, frames, sampling) = (self.views, self.frames, self.sampling);
                let found = wrong.unwrap_or_else(|| format!("{found} views"));
                return Err(Error::Input(format!(
                    "clip {clip} gave {found}; each clip has to give {views} views of {frames} frames, {sampling}: an operator \
                     between the shards and the training leaves clips out or changes their length"
                )));
            }
            if let Some(seen) = &seen {
                let all = self.sides.iter().zip(sides).zip(readers.iter_mut()).zip(&mut loaded.sides);
                for (((side, clips), reader), values) in all {
                    side.read((clips, reader), *clip, seen, values)?;
                }
            }
        }
        if unlike && self.pairs {
            return Err(Error::Input(
                "the first view of a clip tells what is at the masked frames of the second, so both have to be of one place, \
                 and the first not masked: `op: crop` with `placement: same` or without `seconds`, and `op: mask` with \
                 `views: [1]`"
                    .into(),
            ));
        }
        loaded.report = reader.report();
        for reader in readers {
            let ChainReport { counts, seconds } = reader.report();
            loaded.report.counts.extend(counts);
            loaded.report.seconds.extend(seconds);
        }
        loaded.seconds = begin.elapsed().as_secs_f64();
        Ok(loaded)
    }
}

/// The shape of clips: `[rows, samples]` of audio, `[rows, planes, bins, frames]` of features.
pub fn shape(sampling: Sampling, rows: usize, frames: usize) -> Vec<i64> {
    let (rows, frames) = (rows as i64, frames as i64);
    match sampling.is_audio() {
        true => vec![rows, frames],
        false => vec![rows, sampling.planes.into(), sampling.bins().into(), frames],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_as_what_it_is() {
        let failed = made(7, || panic!("an operator is broken")).map(|_| ()).unwrap_err();
        assert_eq!(failed.to_string(), "making batch 7 panicked: an operator is broken");
    }
}
