//! The training loop.

mod live;
mod measured;
mod setting;
mod steps;

use std::collections::VecDeque;
use std::time::Duration;

use etude_learning::train::{SIDES, Train};
use etude_pipeline::operator::{ChainReport, DatasetInput, DatasetJob, Link, SignalInput};
use tch::Tensor;

use crate::data::{Clips, Loader, Nearby, add};
use crate::error::Error;
use crate::rebuild::{Description, INITIAL, TEACHER, TRAINED, save};
use crate::state::{FORMAT, Rest, State};
use crate::torch::named;
use crate::watch::{Collapse, Metrics, TensorBoard};
use crate::{hear, parameters, say, state};

use live::Live;
use measured::Measured;
pub use setting::Setting;
pub use steps::Trainer;

/// Steps from one measurement of the vectors to the next.
const WATCH: u64 = 50;

/// Runs a `train` job.
pub fn run(job: &DatasetJob) -> Result<ChainReport, Error> {
    let train: Train = job.parameters()?;
    let DatasetInput::Signal(input) = job.input("from")? else {
        return Err(Error::Input("train reads signals".into()));
    };
    let clips = Clips::open(input, job.seed)?;
    let nearby = Nearby::new(&clips)?;
    let (mut ports, mut sides) = (Vec::new(), Vec::new());
    for port in SIDES {
        if let Some(DatasetInput::Signal(side)) = job.inputs(port).first() {
            apart(port, input, side)?;
            ports.push(port);
            sides.push(Clips::open(side, job.seed)?);
        }
    }
    let setting = Setting::new(train, job, &clips, (&ports, &sides))?;
    let mut trainer = Trainer::new(&setting)?;
    save(&parameters::read(&trainer.model.kept())?, &job.output, INITIAL)?;
    let mut progress = Progress::begin(&setting, job, &mut trainer)?;
    let (first, last) = (progress.steps * setting.accumulate(), setting.total * setting.accumulate());
    std::thread::scope(|scope| {
        // It ends when its batches are taken no more: it is dropped before the scope waits for its threads.
        let batches = (first, last);
        let mut loader =
            Loader::start(scope, (&clips, &sides), (&setting.plan, &nearby), batches, job.threads);
        progress.run(&setting, &mut trainer, &mut loader)
    })?;
    progress.metrics.write(&job.output.join("metrics.parquet"))?;
    save(&parameters::read(&trainer.model.kept())?, &job.output, TRAINED)?;
    if let Some(teacher) = &trainer.teacher {
        save(&parameters::read(&named(teacher))?, &job.output, TEACHER)?;
    }
    Description::new(&setting.train, setting.plan.sampling, setting.weights_seed, setting.total)
        .write(&job.output)?;
    Ok(progress.report)
}

/// Errors: between the shards and the training, sound is moved within the clips or within what another stage gives to them,
/// and not within both together.
fn apart(port: &str, clips: &SignalInput, side: &SignalInput) -> Result<(), Error> {
    let same = |(clip, other): &(&Link, &Link)| clips.shards == side.shards && clip.stage == other.stage;
    let both = clips.chain.iter().zip(&side.chain).take_while(same).count();
    let mut links = clips.chain[both..].iter().chain(&side.chain[both..]);
    match links.find(|link| moves(link)) {
        Some(Link { stage, .. }) => Err(Error::Input(format!(
            "`{stage}` moves sound within `from` or `{port}` alone, so that they part: put it above the shards, or leave \
             it out"
        ))),
        None => Ok(()),
    }
}

/// Whether an operator may move sound within a clip.
fn moves(link: &Link) -> bool {
    fn step(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::Array(list) => list.iter().any(step),
            serde_json::Value::Object(map) => map.iter().any(|(name, value)| {
                ["reverse", "shift", "time_stretch"].contains(&name.as_str()) || step(value)
            }),
            _ => false,
        }
    }
    match link.operator.as_str() {
        "augment" => step(&link.parameters["chain"]),
        "axis_shift" => link.parameters["axis"] == "time",
        _ => false,
    }
}

/// How far a training has come.
struct Progress<'a> {
    job: &'a DatasetJob,
    /// Steps that were taken.
    steps: u64,
    metrics: Metrics,
    report: ChainReport,
    board: Option<TensorBoard>,
    collapse: Collapse,
    live: Live,
    /// The step whose numbers are still on the device.
    waiting: Option<Measured>,
    /// Steps of the last state that was kept.
    kept: Option<u64>,
}

impl<'a> Progress<'a> {
    /// From the last state, or from the begin.
    fn begin(setting: &Setting, job: &'a DatasetJob, trainer: &mut Trainer) -> Result<Self, Error> {
        let tell = |text: &str| say::message(text.to_owned(), &[]);
        let state = job.state.as_deref().map(|folder| state::read(folder, tell)).transpose()?.flatten();
        let (steps, metrics, report) = match state {
            Some(State { rest, tensors, metrics }) => {
                trainer.restore(rest.schedule, &tensors)?;
                say::message(
                    format!("goes on after step {} of {}", rest.steps, setting.total),
                    &[("resumed", rest.steps as f64)],
                );
                (rest.steps, metrics, rest.report)
            }
            None => (0, Metrics::default(), ChainReport::default()),
        };
        let board = setting.train.tensorboard.as_deref();
        Ok(Self {
            job,
            steps,
            metrics,
            report,
            board: board.map(|folder| TensorBoard::create(folder, steps)).transpose()?,
            collapse: Collapse::default(),
            live: Live::new(steps),
            waiting: None,
            kept: (steps > 0).then_some(steps),
        })
    }

    /// Takes the steps that are left. All of libtorch is called from this thread.
    fn run(
        &mut self,
        setting: &Setting,
        trainer: &mut Trainer,
        loader: &mut Loader<'_>,
    ) -> Result<(), Error> {
        while self.steps < setting.total {
            let step = self.steps;
            let watched = step.is_multiple_of(WATCH) || step + 1 == setting.total;
            let (live, report) = (&mut self.live, &mut self.report);
            let mut next = || {
                let loaded = live.waiting(|| loader.next())?;
                live.loaded(&loaded);
                add(report, &loaded.report);
                Ok(loaded)
            };
            // What may fail to come is there before the step begins, which could not be gone back on.
            let before = if setting.elsewhere { setting.accumulate() } else { 1 };
            let mut ready = match (0..before).map(|_| next()).collect::<Result<VecDeque<_>, _>>() {
                Ok(ready) => ready,
                Err(error) => return Err(self.leave(setting, trainer, error)),
            };
            let mut next = || ready.pop_front().map_or_else(&mut next, Ok);
            let measured = trainer.step(setting, step, watched, &mut next)?;
            self.steps += 1;
            // The numbers of the step before are read while this one computes.
            let before = self.waiting.replace(measured);
            self.read(setting, before)?;
            self.live.step(setting, self.steps, &self.metrics);
            if self.steps.is_multiple_of(setting.per_epoch) {
                self.end_epoch(setting, trainer)?;
            }
            let stop = hear::stop();
            let due = self.live.save_is_due(Duration::from_secs_f64(setting.train.save));
            if (due || stop) && self.steps < setting.total {
                self.keep(setting, trainer)?;
            }
            if stop && self.steps < setting.total {
                return Err(Error::Stopped);
            }
        }
        let last = self.waiting.take();
        self.read(setting, last)?;
        self.live.end(setting);
        Ok(())
    }

    /// What to end with where the next step has no data: what was learnt is kept.
    fn leave(&mut self, setting: &Setting, trainer: &Trainer, error: Error) -> Error {
        let new = self.steps > 0 && self.kept != Some(self.steps);
        if new && let Err(also) = self.keep(setting, trainer) {
            say::message(format!("the state could not be kept: {also}"), &[]);
        }
        if hear::stop() { Error::Stopped } else { error }
    }

    /// Reads the numbers of a step from the device. One that is not finite ends the training.
    fn read(&mut self, setting: &Setting, measured: Option<Measured>) -> Result<(), Error> {
        let Some(measured) = measured else { return Ok(()) };
        let row = measured.read()?;
        if let Some((name, value)) =
            row.values.iter().find(|(name, value)| !value.is_finite() && name.as_str() != "uniformity")
        {
            let kept = match (self.kept, &self.job.state) {
                (Some(steps), Some(folder)) => format!("step {steps}, in {}", folder.display()),
                _ => "none".into(),
            };
            return Err(Error::Numeric(format!(
                "{name} is {value} at step {} of {} (epoch {}); its clips: {}; the last good state: {kept}",
                row.step + 1,
                setting.total,
                row.epoch + 1,
                measured.clips(),
            )));
        }
        if let Some(warning) = self.collapse.look(&row.values, setting.width, measured.rows) {
            say::message(format!("step {}: {warning}", row.step + 1), &[]);
        }
        if let Some(board) = &mut self.board {
            board.push(&row)?;
        }
        self.metrics.push(row);
        Ok(())
    }

    fn end_epoch(&mut self, setting: &Setting, trainer: &mut Trainer) -> Result<(), Error> {
        let last = self.waiting.take();
        self.read(setting, last)?;
        let epoch = self.steps / setting.per_epoch - 1;
        let Some(loss) = self.metrics.mean(epoch, "loss") else { return Ok(()) };
        trainer.schedule.epoch(loss);
        let accuracy = self.metrics.mean(epoch, "accuracy");
        let epochs = setting.total.div_ceil(setting.per_epoch);
        let also = accuracy.map_or(String::new(), |accuracy| format!(", accuracy {accuracy:.4}"));
        let mut values = vec![("epoch", (epoch + 1) as f64), ("loss", loss)];
        values.extend(accuracy.map(|accuracy| ("accuracy", accuracy)));
        say::message(format!("epoch {} of {epochs}: loss {loss:.4}{also}", epoch + 1), &values);
        Ok(())
    }

    /// Keeps the state, once the numbers of its last step are known to be good.
    fn keep(&mut self, setting: &Setting, trainer: &Trainer) -> Result<(), Error> {
        let Some(folder) = &self.job.state else { return Ok(()) };
        let last = self.waiting.take();
        self.read(setting, last)?;
        let rest = Rest {
            format: FORMAT,
            steps: self.steps,
            schedule: trainer.schedule.seen.clone(),
            report: self.report.clone(),
        };
        let metrics = std::mem::take(&mut self.metrics);
        let state = State { rest, tensors: trainer.tensors()?, metrics };
        let saved = state::save(folder, &state);
        self.metrics = state.metrics;
        saved?;
        self.kept = Some(self.steps);
        Ok(())
    }
}

/// The sum of two gradients of the same tensor; one may be undefined.
fn plus(sum: Tensor, part: &Tensor) -> Tensor {
    match (sum.defined(), part.defined()) {
        (true, true) => sum + part,
        (true, false) => sum,
        (false, _) => part.shallow_clone(),
    }
}
