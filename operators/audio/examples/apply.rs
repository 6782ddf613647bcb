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
//! `clips` are 32-bit floats, little-endian, clip after clip, channel after channel. `sides` is what the operator reads
//! besides, by port, as in a plan. A first pass over all clips is not timed; what it gives is written to `output`, if
//! that is named. Each pass counts as another view, so that it draws other numbers. The answer has the seconds of each
//! pass, channels and frames of what came of the first, and the sum of its absolute values; or an `error`.

use std::collections::VecDeque;
use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

use etude_audio::OPERATORS;
use etude_pipeline::flow::{Block, Flow, Header, SignalType, Unit};
use etude_pipeline::operator::{
    Body, Context, DatasetInput, Inputs, Link, Map, Operator, Output, Step, Stop, Table,
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
    let queue = Mutex::new(VecDeque::new());
    std::thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        let workers: Vec<_> = (0..job.threads.max(1))
            .map(|_| {
                let (start, starts) = mpsc::channel();
                let (done, results) = mpsc::channel();
                let (make, context, queue) = (&make, context(job), &queue);
                // Plans, filters and memory are a thread's own: the same threads do every pass.
                scope.spawn(move || {
                    let mut map = make(context);
                    starts.into_iter().try_for_each(|keep| done.send(pass(map.as_mut(), queue, keep)))
                });
                (start, results)
            })
            .collect();
        for view in 0..=job.repeats {
            *lock(&queue)? =
                clips.iter().enumerate().map(|(index, clip)| prepare(job, index, clip, view)).collect();
            workers.iter().try_for_each(|(start, _)| start.send(view == 0))?;
            let mut spans = Vec::new();
            for (_, results) in &workers {
                let (begin, end, outputs) = results.recv().map_err(|_| "a thread has panicked")??;
                spans.push((begin, end));
                first.extend(outputs);
            }
            let (begin, end) = (spans.iter().map(|span| span.0).min(), spans.iter().map(|span| span.1).max());
            if let (true, Some(begin), Some(end)) = (view > 0, begin, end) {
                seconds.push((end - begin).as_secs_f64());
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
    let clips = Flow::Signal(SignalType { frames, most_frames: frames, ..clips });
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

/// A clip on its way: its place among all, and its blocks as a shard's reader would give them.
struct Clip {
    index: usize,
    header: Header,
    blocks: Vec<Block>,
}

fn prepare(job: &Job, index: usize, samples: &[f32], view: u32) -> Clip {
    let frames = Some(job.frames as u64);
    let header = Header::audio(format!("clip {index}").into(), 0, job.rate, job.channels, frames);
    let whole = Block::planar(usize::from(job.channels), samples.to_vec());
    let blocks = (0..job.frames).step_by(BLOCK).map(|from| whole.slice(from, job.frames.min(from + BLOCK)));
    Clip { index, header: Header { view, ..header }, blocks: blocks.collect() }
}

/// The channels of a signal.
type Signal = Vec<Vec<f32>>;

/// When a thread's pass began and ended, and what came of its clips if that is kept.
type Passed = (Instant, Instant, Vec<(usize, Outputs)>);

/// Takes clips until there are no more.
fn pass(map: &mut dyn Map, queue: &Mutex<VecDeque<Clip>>, keep: bool) -> Result<Passed, String> {
    let begin = Instant::now();
    let mut kept = Vec::new();
    loop {
        let Some(Clip { index, header, blocks }) = lock(queue)?.pop_front() else { break };
        let mut outputs = Outputs { keep, signals: Vec::new() };
        send(map, &header, blocks, &mut outputs).map_err(|stop| format!("{}: {stop:?}", header.item))?;
        if keep {
            kept.push((index, outputs));
        }
    }
    Ok((begin, Instant::now(), kept))
}

fn send(map: &mut dyn Map, header: &Header, blocks: Vec<Block>, output: &mut Outputs) -> Result<(), Stop> {
    if let Some(survey) = map.survey() {
        survey.item();
        survey.begin(header)?;
        blocks.iter().try_for_each(|block| survey.block(block))?;
        survey.end()?;
    }
    map.begin(header, output)?;
    blocks.into_iter().try_for_each(|block| map.block(block, output))?;
    map.end(output)
}

fn lock<T>(mutex: &Mutex<T>) -> Result<std::sync::MutexGuard<'_, T>, String> {
    mutex.lock().map_err(|error| error.to_string())
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

    fn block(&mut self, block: Block) -> Step {
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
