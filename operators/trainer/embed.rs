//! Turns clips into vectors.

use std::fs::File;

use etude_audio::vectors;
use etude_learning::embed::{Embed, Weights};
use etude_pipeline::flow::{Masking, Sampling};
use etude_pipeline::operator::{ChainReport, DatasetInput, DatasetJob};
use parquet::arrow::ArrowWriter;

use crate::data::{Clips, Signal, shape};
use crate::encoder::{self, Encoder, Places};
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
    let schema = vectors::schema(width, &clips.signal.drawn);
    let file = File::create(job.output.join("vectors.parquet"))?;
    let mut writer = ArrowWriter::try_new(file, schema.clone(), None)?;
    let mut waiting: Vec<Signal> = Vec::new();
    let (mut too_short, mut seconds) = (0u64, 0.0);
    let mut unlike = None;
    let order: Vec<u64> = (0..clips.count()).collect();
    for (done, part) in order.chunks(embed.batch).enumerate() {
        clips.read(&mut reader, part, |signal| {
            let Sampling { rate, hop, .. } = signal.header.sampling();
            seconds += signal.frames as f64 * f64::from(hop) / f64::from(rate);
            if signal.header.sampling() != description.sampling {
                let sampling = signal.header.sampling();
                unlike = Some((signal.header.item, sampling));
                return;
            }
            match description.train.encoder.check_signal(description.sampling, signal.frames as u64) {
                Ok(()) => waiting.push(signal),
                Err(_) => too_short += 1,
            }
        })?;
        if let Some((item, sampling)) = unlike {
            let trained = description.sampling;
            return Err(Error::Input(format!("{item} is {sampling}, the encoder is for {trained}")));
        }
        // Clips of one length go through together.
        for group in waiting.chunk_by(|a, b| a.frames == b.frames) {
            let values = encode(&encoder, device, group, clips.signal.masking)?;
            let headers: Vec<_> = group.iter().map(|signal| &signal.header).collect();
            writer.write(&vectors::batch(&schema, &headers, values, width)?)?;
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

/// The vectors of clips of one length, one behind the other.
fn encode(
    encoder: &Encoder,
    device: tch::Device,
    signals: &[Signal],
    masking: Masking,
) -> Result<Vec<f32>, Error> {
    let Some(first) = signals.first() else { return Ok(Vec::new()) };
    let values: Vec<f32> = signals.iter().flat_map(|signal| signal.values.iter().copied()).collect();
    let shape = shape(first.header.sampling(), signals.len(), first.frames);
    let values = device::bring(&values, &shape, device);
    let places = (masking == Masking::Dropped).then(|| {
        let dropped: Vec<_> =
            signals.iter().map(|signal| signal.header.mask.clone().unwrap_or_default()).collect();
        Places::new(&dropped, first.frames, device)
    });
    let clips = encoder::Clips { places: places.as_ref(), ..encoder::Clips::of(&values) };
    let vectors = tch::no_grad(|| encoder.encode(&Pass::evaluation(), &clips).vector);
    let vectors = vectors.to_device(tch::Device::Cpu).contiguous().view(-1);
    Vec::<f32>::try_from(vectors).map_err(|error| Error::Numeric(error.to_string()))
}
