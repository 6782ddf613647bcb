use std::path::PathBuf;

use etude_learning::train::Train;
use etude_pipeline::operator::DatasetJob;
use etude_pipeline::random::Random;

use crate::data::{Clips, Codes, Plan};
use crate::device;
use crate::error::Error;
use crate::rebuild::TRAINED;

/// What does not change from step to step.
pub struct Setting {
    pub train: Train,
    pub device: tch::Device,
    pub seed: u64,
    pub stage: String,
    /// Names the initial weights.
    pub weights_seed: u64,
    /// Clips of the data.
    pub clips: usize,
    pub plan: Plan,
    /// Steps of an epoch, and of the training.
    pub per_epoch: u64,
    pub total: u64,
    /// Values of a vector.
    pub width: usize,
    /// The stages of the data path, as its report has them.
    pub stages: Vec<String>,
    /// Threads that make batches.
    pub loaders: usize,
    /// The file of weights to begin with.
    pub init: Option<PathBuf>,
}

impl Setting {
    /// What parameters and data come to, or what does not fit.
    pub fn new(
        train: Train,
        job: &DatasetJob,
        clips: &Clips,
        targets: Option<&Clips>,
    ) -> Result<Self, Error> {
        let device = device::find(train.device)?;
        let count = usize::try_from(clips.count()).map_err(|error| Error::Input(error.to_string()))?;
        let together = train.batch * train.accumulate;
        if count < together {
            let accumulate = if train.accumulate > 1 { " times `accumulate`" } else { "" };
            return Err(Error::Input(format!(
                "`batch`{accumulate} is {together}, more than the {count} clips that `from` gives"
            )));
        }
        let first = clips.first()?;
        let (sampling, frames) = (first[0].header.sampling(), first[0].frames);
        let views = first.len();
        let init = match job.inputs("init_from").first() {
            Some(stage) => Some(stage.folder()?.join(TRAINED)),
            None => train.init_file.clone(),
        };
        let per_epoch = (count / together) as u64;
        let total = train.steps.map_or(0, |steps| steps as u64)
            + train.epochs.map_or(0, |epochs| epochs as u64 * per_epoch);
        let plan = Plan {
            seed: job.seed,
            stage: job.stage.clone(),
            unit: train.unit,
            clips: train.batch,
            views,
            frames,
            sampling,
            masking: clips.signal.masking,
            pairs: train.objective.needs().mask && views == 2,
            codes: targets.map(|targets| codes(&train, clips, targets, frames)).transpose()?.flatten(),
            per_epoch: per_epoch * train.accumulate as u64,
        };
        Ok(Self {
            weights_seed: Random::keyed(&[b"weights", &job.seed.to_le_bytes(), job.stage.as_bytes()]).bits(),
            device,
            seed: job.seed,
            stage: job.stage.clone(),
            clips: count,
            plan,
            per_epoch,
            total,
            width: train.encoder.width(),
            stages: clips.stages().into_iter().chain(targets.into_iter().flat_map(Clips::stages)).collect(),
            loaders: job.threads.max(1),
            init,
            train,
        })
    }

    /// Batches of a step.
    pub fn accumulate(&self) -> u64 {
        self.train.accumulate as u64
    }
}

/// How codes of another stage are read.
///
/// Errors: they are not of the same clips.
fn codes(train: &Train, clips: &Clips, targets: &Clips, frames: usize) -> Result<Option<Codes>, Error> {
    if !clips.same_rows(targets) {
        return Err(Error::Input(
            "`targets` and `from` have to stand below the same shards, from which both are read clip by clip"
                .into(),
        ));
    }
    let most = train.objective.terms().into_iter().filter_map(|term| term.chosen().codes()).min();
    let channels = usize::from(targets.signal.channels.unwrap_or(1));
    let of = |(frames_of, most): (etude_learning::encoder::Frames, usize)| Codes {
        count: frames_of.count(frames),
        frames: frames_of,
        channels,
        most,
    };
    Ok(train.encoder.frames().zip(most).map(of))
}
