//! Sends clips through an operator and says how long it took: `apply` reads jobs, each a line of JSON, and answers each
//! with a line. `benches/views/run.py` measures with it.
//!
//! A job:
//!
//! ```json
//! {"operator": "augment", "parameters": {"chain": [{"gain": {"p": 1}}]}, "clips": "clips.f32", "frames": 160000,
//!  "rate": 16000, "channels": 1, "count": 16, "threads": 1, "repeats": 5, "sides": [], "output": "out.f32"}
//! ```
//!
//! `clips` are 32-bit floats, little-endian, clip after clip, channel after channel; features where `hop` is given.
//! `sides` is what the operator reads besides, by port, as in a plan. What stands above an operator in a chain writes a
//! block and lends it: so does this, and only the operator's own time counts. A first pass over all clips is not timed;
//! what it gives is written to `output`, if that is named. Each pass counts as another view, so that it draws other
//! numbers. The answer has the seconds of each pass (of several threads those of the one that took longest), channels and
//! frames of what came of the first, and the sum of its absolute values; or an `error`.

use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use etude_audio::OPERATORS;
use etude_pipeline::flow::{Block, Flow, Header, SignalType, Unit};
use etude_pipeline::operator::{
    Body, Context, DatasetInput, Inputs, Link, Map, Operator, Output, Step, Table,
};
use etude_pipeline::run::BLOCK;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    operator: String,
    parameters: Value,
    #[serde(default)]
    sides: Vec<(String, Vec<DatasetInput>)>,
    clips: PathBuf,
    frames: usize,
    rate: u32,
    #[serde(default = "one")]
    channels: u16,
    /// Samples from one frame to the next: more than 1 where clips are features.
    #[serde(default = "samples")]
    hop: u32,
    /// The first so many clips of the file; all of them by default.
    #[serde(default)]
    count: Option<usize>,
    threads: usize,
    repeats: u32,
    #[serde(default)]
    output: Option<PathBuf>,
}

fn one() -> u16 {
    1
}

fn samples() -> u32 {
    1
}

fn main() -> Result<(), Box<dyn Error>> {
    for line in std::io::stdin().lines() {
        let answer = serde_json::from_str(&line?).map_err(Into::into).and_then(|job| run(&job));
        println!("{}", answer.unwrap_or_else(|error| json!({"error": error.to_string()})));
    }
    Ok(())
}

fn run(job: &Job) -> Result<Value, Box<dyn Error>> {
    let operator = operator(job)?;
    let Body::Map(make) = operator.body() else {
        return Err(format!("{} does not turn signals into signals", job.operator).into());
    };
    let bytes = std::fs::read(&job.clips)?;
    let samples: Vec<f32> = bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    let clips: Vec<&[f32]> = samples
        .chunks_exact((job.frames * usize::from(job.channels)).max(1))
        .take(job.count.unwrap_or(usize::MAX))
        .collect();
    let (mut seconds, mut first) = (Vec::new(), Vec::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        let workers: Vec<_> = (0..job.threads.max(1))
            .map(|_| {
                let (start, starts) = mpsc::channel();
                let (done, results) = mpsc::channel();
                let (make, context, clips, next) = (&make, context(job), &clips, &next);
                // Plans, filters and memory are a thread's own: the same threads do every pass.
                scope.spawn(move || {
                    let mut worker = Worker { job, map: make(context), block: Block::default() };
                    starts.into_iter().try_for_each(|view| done.send(worker.pass(clips, next, view)))
                });
                (start, results)
            })
            .collect();
        for view in 0..=job.repeats {
            next.store(0, Ordering::Relaxed);
            workers.iter().try_for_each(|(start, _)| start.send(view))?;
            let mut longest = Duration::ZERO;
            for (_, results) in &workers {
                let (spent, outputs) = results.recv().map_err(|_| "a thread has panicked")??;
                longest = longest.max(spent);
                first.extend(outputs);
            }
            if view > 0 {
                seconds.push(longest.as_secs_f64());
            }
        }
        Ok(())
    })?;
    first.sort_by_key(|(index, _)| *index);
    let signals: Vec<Signal> = first.into_iter().flat_map(|(_, outputs)| outputs.signals).collect();
    if let Some(path) = &job.output {
        let bytes: Vec<u8> =
            signals.iter().flatten().flatten().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(path, bytes)?;
    }
    let checksum: f64 = signals.iter().flatten().flatten().map(|sample| f64::from(sample.abs())).sum();
    let shapes: Vec<_> =
        signals.iter().map(|planes| (planes.len(), planes.first().map_or(0, Vec::len))).collect();
    Ok(json!({"seconds": seconds, "clips": clips.len(), "signals": shapes, "checksum": checksum}))
}

/// The operator, if it takes such clips.
fn operator(job: &Job) -> Result<Box<dyn Operator>, Box<dyn Error>> {
    let table = Table::new(&[OPERATORS]);
    let declaration = table.get(&job.operator).ok_or_else(|| format!("no operator {}", job.operator))?;
    let operator = table.restore(&Link {
        stage: "apply".into(),
        operator: job.operator.clone(),
        version: declaration.version,
        parameters: job.parameters.clone(),
        sides: job.sides.clone(),
    })?;
    operator.check().map_err(|invalid| format!("{}: {}", invalid.parameter, invalid.message))?;
    let frames = Some(job.frames as u64);
    let clips = SignalType::audio(Some(job.rate), Some(job.channels), Unit::Clip);
    let clips = Flow::Signal(SignalType { frames, most_frames: frames, hop: job.hop, ..clips });
    let given = |name: &str| name == "from" || job.sides.iter().any(|(port, _)| port == name);
    let ports = declaration.ports.iter().filter(|port| given(port.name));
    operator.output(&Inputs(ports.map(|port| (port.name, vec![&clips])).collect()))?;
    Ok(operator)
}

fn context(job: &Job) -> Context {
    Context {
        seed: 1,
        stage: Arc::from("apply"),
        epoch: 0,
        block: BLOCK,
        cancel: Default::default(),
        sides: job.sides.clone().into(),
    }
}

/// The channels of a signal.
type Signal = Vec<Vec<f32>>;

/// How long a thread's operator took for its clips, and what came of them if that is kept.
type Passed = (Duration, Vec<(usize, Outputs)>);

/// A thread with an operator of its own.
struct Worker<'a> {
    job: &'a Job,
    map: Box<dyn Map>,
    /// What is lent.
    block: Block,
}

impl Worker<'_> {
    /// Takes clips until there are no more.
    fn pass(&mut self, clips: &[&[f32]], next: &AtomicUsize, view: u32) -> Result<Passed, String> {
        let (mut spent, mut kept) = (Duration::ZERO, Vec::new());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(samples) = clips.get(index) else { break };
            let Job { frames, rate, channels, hop, .. } = *self.job;
            let header =
                Header::audio(format!("clip {index}").into(), 0, rate, channels, Some(frames as u64));
            let mut outputs = Outputs { keep: view == 0, signals: Vec::new() };
            let sent = self.send(&Header { view, hop, ..header }, samples, &mut outputs, &mut spent);
            sent.map_err(|stop| format!("clip {index}: {stop:?}"))?;
            if view == 0 {
                kept.push((index, outputs));
            }
        }
        Ok((spent, kept))
    }

    fn send(&mut self, header: &Header, samples: &[f32], output: &mut Outputs, spent: &mut Duration) -> Step {
        let Self { map, block, job } = self;
        if let Some(survey) = map.survey() {
            timed(spent, || {
                survey.item();
                survey.begin(header)
            })?;
            blocks(job, samples, block, |block| timed(spent, || survey.block(block)))?;
            timed(spent, || survey.end())?;
        }
        timed(spent, || map.begin(header, output))?;
        blocks(job, samples, block, |block| timed(spent, || map.block(block, output)))?;
        timed(spent, || map.end(output))
    }
}

fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let done = work();
    *spent += begin.elapsed();
    done
}

/// Writes a clip block by block, as a shard's reader does, and lends each.
fn blocks(job: &Job, samples: &[f32], block: &mut Block, mut lend: impl FnMut(&mut Block) -> Step) -> Step {
    for from in (0..job.frames).step_by(BLOCK) {
        let to = job.frames.min(from + BLOCK);
        block.resize(usize::from(job.channels), to - from);
        for (channel, plane) in samples.chunks_exact(job.frames).enumerate() {
            block.channel_mut(channel).copy_from_slice(&plane[from..to]);
        }
        lend(block)?;
    }
    Ok(())
}

/// Takes what comes out, and lets go of it unless it is to be kept.
struct Outputs {
    keep: bool,
    signals: Vec<Signal>,
}

impl Output for Outputs {
    fn begin(&mut self, header: &Header) -> Step {
        if self.keep {
            self.signals.push(vec![Vec::new(); usize::from(header.channels)]);
        }
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        let block = black_box(block);
        if let (true, Some(planes)) = (self.keep, self.signals.last_mut()) {
            planes
                .iter_mut()
                .enumerate()
                .for_each(|(channel, plane)| plane.extend_from_slice(block.channel(channel)));
        }
        Ok(())
    }

    fn end(&mut self) -> Step {
        Ok(())
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}
