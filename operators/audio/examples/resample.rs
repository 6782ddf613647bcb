//! Changes the rate of raw samples: `resample FROM TO QUALITY INPUT OUTPUT [TIMES]`.
//!
//! Input and output are mono, 32-bit floats, little-endian. The work is done `TIMES` times over; the
//! seconds of the fastest are printed, without reading and writing. `benches/resample/sweep.py` measures with it.

use std::error::Error;
use std::time::Instant;

use etude_audio::resample::{Engine, Quality};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, quality, input, output, times @ ..] = arguments.as_slice() else {
        return Err("usage: resample FROM TO QUALITY INPUT OUTPUT [TIMES]".into());
    };
    let quality: Quality = serde_json::from_value(quality.as_str().into())?;
    let times: usize = times.first().map_or(Ok(1), |times| times.parse())?;
    let bytes = std::fs::read(input)?;
    let samples: Vec<f32> = bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    let mut engine = Engine::new(from.parse()?, to.parse()?, quality, 1);
    let (mut results, mut piece, mut best) = (Vec::new(), Vec::new(), f64::INFINITY);
    for _ in 0..times {
        let begin = Instant::now();
        results.clear();
        engine.reset();
        for block in samples.chunks(16_384) {
            let mut rest = block;
            loop {
                engine.process(rest.len(), |_| rest, &mut piece);
                if piece.is_empty() {
                    break;
                }
                results.extend_from_slice(&piece);
                rest = &[];
            }
        }
        while engine.finish(&mut piece) {
            results.extend_from_slice(&piece);
        }
        best = best.min(begin.elapsed().as_secs_f64());
    }
    println!("{best}");
    std::fs::write(output, results.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>())?;
    Ok(())
}
