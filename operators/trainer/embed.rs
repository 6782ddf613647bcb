//! Turns clips into vectors.

use std::fs::File;

use etude_audio::vectors;
use etude_learning::embed::{Embed, Weights};
use etude_pipeline::operator::{ChainReport, DatasetInput, DatasetJob};
use parquet::arrow::ArrowWriter;
use tch::Tensor;

use crate::data::{Clips, Signal};
use crate::encoder::Encoder;
use crate::error::Error;
use crate::pass::Pass;
use crate::rebuild::{Description, INITIAL, TEACHER, TRAINED};
use crate::{device, say};

/// Runs an `embed` job.
pub fn run(job: &DatasetJob) -> Result<ChainReport, Error> {
    let embed: Embed = job.parameters()?;
    let DatasetInput::Signal(input) = job.input("from")? else {
        return Err(Error::Input("embed reads signals".into()));
    };
    let folder = job.input("model")?.folder()?;
    let description = Description::read(folder)?;
    let device = device::find(embed.device)?;
    let weights = match embed.weights {
        Weights::Trained => TRAINED,
        Weights::Initial => INITIAL,
        Weights::Teacher => TEACHER,
    };
    let encoder = description.encoder(folder, weights, device)?;
    let width = description.train.encoder.width();
    let clips = Clips::open(input, job.seed)?;
    let mut reader = clips.reader(0)?;
    let file = File::create(job.output.join("vectors.parquet"))?;
    let mut writer = ArrowWriter::try_new(file, vectors::schema(width), None)?;
    let mut waiting: Vec<Signal> = Vec::new();
    let (mut too_short, mut seconds) = (0u64, 0.0);
    let order: Vec<u64> = (0..clips.count()).collect();
    for (done, part) in order.chunks(embed.batch).enumerate() {
        clips.read(&mut reader, part, |signal| {
            let frames = signal.samples.len() as u64;
            seconds += frames as f64 / f64::from(signal.header.rate);
            match description.train.encoder.check_signal(signal.header.rate, frames) {
                Ok(()) => waiting.push(signal),
                Err(_) => too_short += 1,
            }
        })?;
        // Clips of one length go through together.
        for group in waiting.chunk_by(|a, b| a.samples.len() == b.samples.len()) {
            if let Some(signal) = group.iter().find(|signal| signal.header.rate != description.rate) {
                return Err(Error::Input(format!(
                    "{} has {} samples a second, the encoder is for {}",
                    signal.header.item, signal.header.rate, description.rate
                )));
            }
            write(&encoder, device, group, width, &mut writer)?;
        }
        waiting.clear();
        say::progress(order.len().min((done + 1) * embed.batch), order.len(), seconds);
    }
    writer.close()?;
    if too_short > 0 {
        say::message(format!("{too_short} clips are too short"), &[("too_short", too_short as f64)]);
    }
    Ok(reader.report())
}

fn write(
    encoder: &Encoder,
    device: tch::Device,
    signals: &[Signal],
    width: usize,
    writer: &mut ArrowWriter<File>,
) -> Result<(), Error> {
    let length = signals.first().map_or(0, |signal| signal.samples.len());
    let samples: Vec<f32> = signals.iter().flat_map(|signal| signal.samples.iter().copied()).collect();
    let audio = Tensor::from_slice(&samples).reshape([signals.len() as i64, length as i64]).to_device(device);
    let vectors = tch::no_grad(|| encoder.encode(&Pass::evaluation(), &audio, None).vector);
    let vectors = vectors.to_device(tch::Device::Cpu).contiguous().view(-1);
    let values = Vec::<f32>::try_from(vectors).map_err(|error| Error::Numeric(error.to_string()))?;
    let items: Vec<&str> = signals.iter().map(|signal| &*signal.header.item).collect();
    let starts: Vec<u64> = signals.iter().map(|signal| signal.header.start).collect();
    let rates: Vec<u32> = signals.iter().map(|signal| signal.header.rate).collect();
    writer.write(&vectors::batch(&items, &starts, &rates, values, width)?)?;
    Ok(())
}
