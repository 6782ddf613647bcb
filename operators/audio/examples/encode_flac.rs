//! How long the FLAC encoder takes for a recording, and what it makes of it.
//!
//! `cargo run --release --workspace --example encode_flac -- FILE [SECONDS] [RUNS] [OUTPUT]` cuts
//! the recording into clips of that many seconds (10), encodes each, and prints the seconds of the
//! best of the runs (5), the seconds for an hour of sound, and bytes. With OUTPUT it writes the
//! whole recording there.

use std::error::Error;
use std::fs::File;
use std::time::Instant;

use etude_audio::decode::Stream;
use etude_audio::flac::Encoder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("usage: encode_flac FILE [SECONDS] [RUNS] [OUTPUT]")?;
    let seconds: f64 = arguments.get(1).map_or(Ok(10.0), |text| text.parse())?;
    let runs: usize = arguments.get(2).map_or(Ok(5), |text| text.parse())?;
    let mut stream =
        Stream::open(Box::new(File::open(path)?), None).map_err(|failure| format!("{failure:?}"))?;
    let mut planes: Vec<Vec<i16>> = vec![Vec::new(); stream.channels()];
    while let Some(packet) = stream.packet().map_err(|failure| format!("{failure:?}"))? {
        for (plane, samples) in planes.iter_mut().zip(packet) {
            plane.extend(samples.iter().map(|sample| (sample * 32768.0).round() as i16));
        }
    }
    let (rate, frames) = (stream.rate(), planes.first().map_or(0, Vec::len));
    let length = ((seconds * f64::from(rate)) as usize).max(1);
    let clips: Vec<Vec<&[i16]>> = (0..frames)
        .step_by(length)
        .map(|from| planes.iter().map(|plane| &plane[from..frames.min(from + length)]).collect())
        .collect();
    let mut encoder = Encoder::new();
    let (mut best, mut bytes) = (f64::INFINITY, 0);
    for _ in 0..runs.max(1) {
        let begin = Instant::now();
        bytes = 0;
        for clip in &clips {
            bytes += encoder.encode(clip, rate, 16)?.len();
        }
        best = best.min(begin.elapsed().as_secs_f64());
    }
    if let Some(output) = arguments.get(3) {
        std::fs::write(output, encoder.encode(&planes, rate, 16)?)?;
    }
    let hours = frames as f64 / f64::from(rate) / 3600.0;
    println!("{best:.4} s, {:.3} s an hour, {bytes} bytes, {} clips", best / hours, clips.len());
    Ok(())
}
