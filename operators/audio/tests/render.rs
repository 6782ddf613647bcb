//! A SoundFont sounds as FluidSynth plays it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by ending")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use etude_audio::render::Render;
use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Body, Context, Item, Operator, Output, Step};
use etude_pipeline::place::Place;
use realfft::RealFftPlanner;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const RATE: f64 = 44_100.0;
const FFT: usize = 1 << 18;

/// The samples of one channel.
struct Samples(Vec<f32>);

impl Output for Samples {
    fn begin(&mut self, _: &Header) -> Step {
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        self.0.extend_from_slice(block.channel(0));
        Ok(())
    }

    fn end(&mut self) -> Step {
        Ok(())
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}

fn render(font: &Path, midi: &[u8]) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mid");
    std::fs::write(&path, midi).unwrap();
    let parameters = json!({"soundfont": font, "channels": "mono", "effects": false});
    let render: Render = serde_json::from_value(parameters).unwrap();
    render.check().unwrap();
    let Body::Read(make) = render.body() else { panic!("it reads items") };
    let (cancel, sides) = (CancellationToken::new(), Arc::from([]));
    let context = Context { seed: 0, stage: Arc::from("test"), epoch: 0, block: 16_384, cancel, sides };
    let (key, size, digest) = (Arc::from("a.mid"), midi.len() as u64, "".into());
    let item = Item { key, place: Place::at(path), size, digest, stamp: None, rows: None };
    let mut samples = Samples(Vec::new());
    make(context).read(&item, &mut samples).unwrap();
    samples.0
}

/// The power at each frequency of a note, from 0.15 to 0.95 s.
fn spectrum(samples: &[f32], note: usize) -> Vec<f64> {
    let from = ((2.0 * note as f64 + 0.15) * RATE).round() as usize;
    let frames = (0.8 * RATE).round() as usize;
    let mut padded = vec![0.0; FFT];
    for (at, sample) in samples[from..from + frames].iter().enumerate() {
        let turn = std::f64::consts::TAU * at as f64 / (frames - 1) as f64;
        padded[at] = f64::from(*sample) * 0.5 * (1.0 - turn.cos());
    }
    let fft = RealFftPlanner::new().plan_fft_forward(FFT);
    let mut bins = fft.make_output_vec();
    fft.process(&mut padded, &mut bins).unwrap();
    bins.iter().map(|bin| bin.norm_sqr()).collect()
}

fn hz(bin: usize) -> f64 {
    bin as f64 * RATE / FFT as f64
}

/// How far the strongest partial is from a frequency, in cents; it is looked for within half a tone.
fn cents(power: &[f64], peak: f64) -> f64 {
    let near = |bin: &usize| (hz(*bin) / peak).log2().abs() < 1.0 / 24.0;
    let bins = (1..power.len()).filter(near);
    1200.0 * (hz(bins.max_by(|a, b| power[*a].total_cmp(&power[*b])).unwrap()) / peak).log2()
}

fn bands(power: &[f64]) -> Vec<f64> {
    let edge = |band: usize| 50.0 * 2f64.powf(band as f64 / 3.0);
    let within = |band| (0..power.len()).filter(move |bin| (edge(band)..edge(band + 1)).contains(&hz(*bin)));
    (0..24).map(|band| 10.0 * within(band).map(|bin| power[bin]).sum::<f64>().log10()).collect()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[test]
fn notes_sound_as_others_play_them() {
    let font = std::env::var_os("ETUDE_SOUNDFONT").map(PathBuf::from);
    let font = font.unwrap_or_else(|| {
        Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("soundfont").join("TimGM6mb.sf2")
    });
    if !font.is_file() {
        assert!(std::env::var_os("ETUDE_TESTS_SKIP_NOTHING").is_none(), "{} is not there", font.display());
        println!("skipped: {} is not there (`make test` fetches it)", font.display());
        return;
    }
    let golden: Value = serde_json::from_str(include_str!("../render/golden/fluidsynth.json")).unwrap();
    let text = golden["midi"].as_str().unwrap();
    let midi: Vec<u8> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
    let samples = render(&font, &midi);
    let (mut levels, mut shapes) = (Vec::new(), Vec::new());
    for (number, note) in golden["notes"].as_array().unwrap().iter().enumerate() {
        let power = spectrum(&samples, number);
        let away = cents(&power, note["peak"].as_f64().unwrap());
        assert!(away.abs() < 3.0, "{}/{}: {away:.1} cents", note["program"], note["pitch"]);
        let theirs: Vec<f64> =
            note["bands"].as_array().unwrap().iter().map(|band| band.as_f64().unwrap()).collect();
        // What is 40 dB below the loudest band does not shape a sound.
        let loudest = theirs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let louder = bands(&power).into_iter().zip(theirs).filter(|(_, theirs)| *theirs > loudest - 40.0);
        let apart: Vec<f64> = louder.map(|(ours, theirs)| ours - theirs).collect();
        let level = median(apart.clone());
        let shape = apart.iter().map(|apart| (apart - level).abs()).sum::<f64>() / apart.len() as f64;
        assert!(shape < 3.0, "{}/{}: its bands are {shape:.1} dB apart", note["program"], note["pitch"]);
        levels.push(level);
        shapes.push(shape);
    }
    // FluidSynth plays at a lower gain.
    let (level, shape) = (median(levels.clone()), median(shapes));
    println!("{level:.1} dB louder, bands are {shape:.2} dB apart");
    assert!(shape < 0.6, "bands are {shape} dB apart");
    assert!(levels.iter().all(|one| (one - level).abs() < 2.0), "{levels:?}");
    assert!((5.0..8.0).contains(&level), "{level}");
}
