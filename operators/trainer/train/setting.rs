use std::path::PathBuf;

use etude_learning::train::{TARGETS, Train};
use etude_pipeline::operator::DatasetJob;
use etude_pipeline::random::Random;
use tch::{Device, Tensor};

use crate::data::{Clips, Plan, Side};
use crate::device;
use crate::error::Error;
use crate::rebuild::TRAINED;

/// What does not change from step to step.
pub struct Setting {
    pub train: Train,
    pub device: Device,
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
    /// Whether shards come from elsewhere, which may fail.
    pub elsewhere: bool,
    /// The file of weights to begin with.
    pub init: Option<PathBuf>,
}

impl Setting {
    /// What parameters and data come to, or what does not fit.
    pub fn new(
        train: Train,
        job: &DatasetJob,
        clips: &Clips,
        beside: (&[&'static str], &[Clips]),
    ) -> Result<Self, Error> {
        let device = device::find(train.device)?;
        if train.deterministic && device != Device::Cpu {
            device::deterministic();
        }
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
            window: train.window.map(|megabytes| megabytes << 20),
            clips: train.batch,
            views,
            frames,
            sampling,
            masking: clips.signal.masking,
            pairs: train.objective.needs().mask && views == 2,
            sides: sides(&train, clips, beside, frames)?,
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
            stages: std::iter::once(clips).chain(beside.1).flat_map(Clips::stages).collect(),
            elsewhere: clips.elsewhere,
            init,
            train,
        })
    }

    /// How many codes and how many features other stages give to a frame.
    pub fn sides(&self) -> [usize; 2] {
        let of = |codes: bool| self.plan.sides.iter().find(|side| side.codes.is_some() == codes);
        [of(true), of(false)].map(|side| side.map_or(0, |side| side.channels))
    }

    /// What one of the sides gives to a batch, `[clips, frames, values]`.
    pub fn side(&self, values: &[Vec<f32>], which: impl Fn(&Side) -> bool) -> Option<Tensor> {
        let (side, values) = self.plan.sides.iter().zip(values).find(|(side, _)| which(side))?;
        let shape = [self.plan.clips as i64, side.count as i64, side.channels as i64];
        Some(device::bring(values, &shape, self.device))
    }

    /// Batches of a step.
    pub fn accumulate(&self) -> u64 {
        self.train.accumulate as u64
    }
}

/// How the stages beside the clips are read.
///
/// Errors: one is not of the same clips.
fn sides(
    train: &Train,
    clips: &Clips,
    (ports, sides): (&[&'static str], &[Clips]),
    frames: usize,
) -> Result<Vec<Side>, Error> {
    let Some(encoder) = train.encoder.frames() else { return Ok(Vec::new()) };
    let codes = train.objective.terms().into_iter().find_map(|term| term.chosen().codes());
    let side = |(port, side): (&&'static str, &Clips)| {
        if !clips.alike(side) {
            return Err(Error::Input(format!(
                "`{port}` and `from` have to be of the same clips, as many of each recording, which are read side by side"
            )));
        }
        let channels = usize::from(side.signal.channels.unwrap_or(1));
        let codes = codes.filter(|_| *port == TARGETS);
        Ok(Side { port, frames: encoder, count: encoder.count(frames), channels, codes })
    };
    ports.iter().zip(sides).map(side).collect()
}
