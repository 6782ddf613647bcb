//! The training loop.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use etude_learning::objective::Objective;
use etude_learning::optimizer::{Optimizer, Schedule};
use etude_learning::train::Train;
use etude_pipeline::operator::{ChainReport, DatasetInput, DatasetJob};
use etude_pipeline::random::Random;

use crate::clips::{Clips, shuffled};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::optimizer::AdamW;
use crate::rebuild::{Description, INITIAL, TRAINED, save};
use crate::{device, objective, say, schedule};

/// Batches that are ready before they are due.
const AHEAD: usize = 2;

/// The views of a step: all first views, then all second views.
struct Batch {
    samples: Vec<f32>,
    rows: usize,
    length: usize,
}

/// What does not change from step to step.
struct Plan {
    train: Train,
    seed: u64,
    stage: String,
    /// Clips of a step, and steps of an epoch.
    batch: usize,
    steps: usize,
    /// Samples a second of the clips.
    rate: u32,
}

/// Runs a `train` job.
pub fn run(job: &DatasetJob) -> Result<ChainReport, Error> {
    let train: Train = job.parameters()?;
    let DatasetInput::Signal(input) = job.input("from")? else {
        return Err(Error::Input("train reads signals".into()));
    };
    let clips = Clips::open(input, job.seed)?;
    let count = usize::try_from(clips.count()).map_err(|error| Error::Input(error.to_string()))?;
    if count < 2 {
        return Err(Error::Input(format!("{count} clips are too few to compare")));
    }
    let batch = train.batch.min(count);
    let plan = Plan {
        seed: job.seed,
        stage: job.stage.clone(),
        batch,
        steps: count / batch,
        rate: clips.rate()?,
        train,
    };
    std::thread::scope(|scope| {
        let (sender, batches) = sync_channel(AHEAD);
        let loader = scope.spawn(|| load(&plan, &clips, sender));
        let trained = fit(&plan, job, &batches);
        // The loader ends when nobody takes its batches any more.
        drop(batches);
        let loaded =
            loader.join().map_err(|panic| Error::Input(etude_pipeline::run::describe(panic.as_ref())))?;
        // A loader's error ends the training too, and says more.
        let report = loaded?;
        trained?;
        Ok(report)
    })
}

/// Prepares batches in order.
fn load(plan: &Plan, clips: &Clips, sender: SyncSender<Batch>) -> Result<ChainReport, Error> {
    let views = plan.train.objective.views() as usize;
    let mut report = ChainReport::default();
    for epoch in 0..plan.train.epochs as u64 {
        let order = shuffled(clips.count(), plan.seed, &plan.stage, epoch);
        let mut reader = clips.reader(epoch)?;
        for step in order.chunks_exact(plan.batch).take(plan.steps) {
            let mut rows: Vec<Vec<Vec<f32>>> = vec![Vec::new(); views];
            let mut stray = None;
            clips.read(&mut reader, step, |signal| match rows.get_mut(signal.header.view as usize) {
                Some(rows) => rows.push(signal.samples),
                None => stray = Some(signal.header.view),
            })?;
            let length = rows[0].first().map_or(0, Vec::len);
            let whole = rows
                .iter()
                .all(|rows| rows.len() == plan.batch && rows.iter().all(|row| row.len() == length));
            if stray.is_some() || !whole {
                return Err(Error::Input(format!(
                    "each clip has to give {views} views of one length; a batch of {} gave {:?}",
                    plan.batch,
                    rows.iter().map(Vec::len).collect::<Vec<_>>()
                )));
            }
            let batch = Batch { samples: rows.concat().concat(), rows: views * plan.batch, length };
            if sender.send(batch).is_err() {
                return Ok(report);
            }
        }
        reader.report(&mut report);
    }
    Ok(report)
}

/// Takes the steps. All of libtorch is called from this thread.
fn fit(plan: &Plan, job: &DatasetJob, batches: &Receiver<Batch>) -> Result<(), Error> {
    let Train { optimizer: Optimizer::AdamW(adam), epochs, .. } = &plan.train;
    let Schedule::Cosine(cosine) = &plan.train.schedule;
    let total = plan.steps * epochs;
    let warm_up = (cosine.warm_up * total as f64).round() as usize;
    let plain = device::cpu();
    let mut description = Description {
        format: 1,
        rate: plan.rate,
        train: plan.train.clone(),
        seed: Random::keyed(&[b"weights", &plan.seed.to_le_bytes(), plan.stage.as_bytes()]).bits(),
        steps: 0,
    };
    let mut model = description.model(&plain.clone().autodiff());
    save(&model, &job.output, INITIAL)?;
    let mut optimizer = AdamW::new(&model, adam.weight_decay);
    let mut metrics = Metrics::create(&job.output);
    let (begin, mut waited) = (Instant::now(), Duration::ZERO);
    for step in 0..total {
        let wait = Instant::now();
        // When the loader has ended early its own error is the one to be told.
        let Ok(batch) = batches.recv() else { return Ok(()) };
        waited += wait.elapsed();
        let audio =
            Tensor::<2>::from_data(TensorData::new(batch.samples, [batch.rows, batch.length]), &plain);
        let loss = match &plan.train.objective {
            Objective::NtXent(nt_xent) => objective::nt_xent(model.project(audio), nt_xent.temperature),
        };
        let value =
            loss.clone().try_into_scalar::<f32>().map_err(|error| Error::Numeric(error.to_string()))?;
        if !value.is_finite() {
            return Err(Error::Numeric(format!("the loss is {value} at step {step} of {total}")));
        }
        let learning_rate = schedule::learning_rate(adam.learning_rate, step, total, warm_up);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(model, gradients, learning_rate);
        metrics.push(step / plan.steps, value, learning_rate);
        let seconds =
            (step + 1) as f64 * (batch.rows * batch.length) as f64 / f64::from(description.rate.max(1));
        say::progress(step + 1, total, seconds);
        if (step + 1) % plan.steps == 0 {
            let epoch = step / plan.steps;
            let mean = metrics.mean(plan.steps);
            let text = format!("epoch {} of {epochs}: loss {mean:.4}", epoch + 1);
            say::message(
                text,
                &[("epoch", (epoch + 1) as f64), ("loss", mean), ("learning_rate", learning_rate)],
            );
        }
    }
    description.steps = total;
    metrics.finish()?;
    save(&model, &job.output, TRAINED)?;
    description.write(&job.output)?;
    let share = waited.as_secs_f64() / begin.elapsed().as_secs_f64().max(f64::EPSILON);
    say::message(format!("waited for data {:.0} % of the time", share * 100.0), &[("waited", share)]);
    Ok(())
}
