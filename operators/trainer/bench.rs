//! Times steps of a training on noise, without a data path: what `benches/train` runs beside PyTorch.

use std::hint::black_box;
use std::time::Instant;

use etude_learning::train::Train;
use etude_pipeline::flow::{Masking, Sampling};
use etude_pipeline::operator::ChainReport;
use etude_pipeline::random::Random;
use serde::Deserialize;
use serde_json::{Value, json};
use tch::Tensor;

use crate::data::{Loaded, Plan};
use crate::device;
use crate::error::Error;
use crate::mix::mix;
use crate::pass::Pass;
use crate::torch::{named, trained};
use crate::train::{Setting, Trainer};

/// What is to be timed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bench {
    train: Train,
    /// Samples a second, samples of a view, views of a clip.
    rate: u32,
    samples: usize,
    views: usize,
    steps: u64,
    threads: usize,
    /// Whether only the mixing of a batch is timed.
    #[serde(default)]
    mix: bool,
}

/// Reads a job and gives the seconds of each step, the last loss, and the number of parameters.
pub fn run(job: &str) -> Result<Value, Error> {
    let Bench { train, rate, samples, views, steps, threads, mix } = serde_json::from_str(job)?;
    device::set_threads(threads);
    if mix {
        return Ok(mixing(&train, rate, samples, views, steps));
    }
    let plan = Plan {
        seed: 1,
        stage: "bench".into(),
        unit: train.unit,
        window: None,
        clips: train.batch,
        views,
        frames: samples,
        sampling: Sampling::mono(rate),
        masking: Masking::None,
        pairs: false,
        sides: Vec::new(),
        per_epoch: steps,
    };
    let setting = Setting {
        device: device::find(train.device)?,
        seed: 1,
        stage: "bench".into(),
        weights_seed: 1,
        clips: train.batch,
        plan,
        per_epoch: steps,
        total: steps,
        width: train.encoder.width(),
        stages: Vec::new(),
        elsewhere: false,
        init: None,
        train,
    };
    let mut trainer = Trainer::new(&setting)?;
    let noise = noise(setting.train.batch * views * samples);
    let clips: Vec<i64> = (0..setting.train.batch as i64).collect();
    let (mut seconds, mut loss) = (Vec::new(), 0.0);
    for step in 0..steps {
        let begin = Instant::now();
        let mut next = || {
            Ok(Loaded {
                values: noise.clone(),
                clips: clips.clone(),
                items: clips.clone(),
                masks: None,
                sides: Vec::new(),
                names: Vec::new(),
                report: ChainReport::default(),
                seconds: 0.0,
            })
        };
        let measured = trainer.step(&setting, step, false, &mut next)?;
        loss = measured.read()?.values.get("loss").copied().unwrap_or(f64::NAN);
        seconds.push(begin.elapsed().as_secs_f64());
    }
    let parameters: usize = trained(&named(&trainer.model)).map(|(_, tensor)| tensor.numel()).sum();
    Ok(json!({"seconds": seconds, "loss": loss, "parameters": parameters}))
}

/// The seconds that each mixing of a batch of noise takes.
fn mixing(train: &Train, rate: u32, samples: usize, views: usize, steps: u64) -> Value {
    let rows = train.batch * views;
    let values = Tensor::from_slice(&noise(rows * samples)).reshape([rows as i64, samples as i64]);
    let seconds = (0..steps).map(|step| {
        let begin = Instant::now();
        let pass = Pass::training(train.precision, step, &[b"mix", &step.to_le_bytes()]);
        let mixed = mix(train, &values, views, rate, &pass);
        let _ = black_box(mixed);
        begin.elapsed().as_secs_f64()
    });
    json!({"seconds": seconds.collect::<Vec<f64>>()})
}

fn noise(count: usize) -> Vec<f32> {
    let mut random = Random::keyed(&[b"bench"]);
    (0..count).map(|_| random.range(-0.5, 0.5) as f32).collect()
}
