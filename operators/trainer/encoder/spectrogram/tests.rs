use std::sync::Arc;

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Body, Context, Operator, Output, Step};
use serde_json::{Value, json};

use super::*;

const RATE: u32 = 8000;
const SAMPLES: usize = 4000;

/// Tones that fade in, and noise of a linear congruential generator.
fn signal(clip: usize) -> Vec<f32> {
    let mut state = 1 + clip as u32;
    let sample = |t: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f64::from(state >> 8) / f64::from(1 << 23) - 1.0;
        let turn = std::f64::consts::TAU * (220.0 + 37.0 * clip as f64) * t as f64 / f64::from(RATE);
        let tones = 0.4 * turn.sin() + 0.2 * (5.3 * turn).sin();
        (tones * t as f64 / SAMPLES as f64 + 0.05 * noise) as f32
    };
    (0..SAMPLES).map(sample).collect()
}

/// Features, channel after channel.
#[derive(Default)]
struct Features(Vec<Vec<f32>>);

impl Output for Features {
    fn begin(&mut self, header: &Header) -> Step {
        self.0 = vec![Vec::new(); usize::from(header.channels)];
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        for (channel, values) in self.0.iter_mut().enumerate() {
            values.extend_from_slice(block.channel(channel));
        }
        Ok(())
    }

    fn end(&mut self) -> Step {
        Ok(())
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}

/// What the operator of the data path makes of a clip.
fn data_path(mel: &parameters::Mel, samples: &[f32]) -> Vec<f32> {
    assert_eq!(mel.check(), Ok(()));
    let Body::Map(make) = mel.body() else { panic!("it maps signals") };
    let mut map = make(Context {
        seed: 0,
        stage: Arc::from("test"),
        epoch: 0,
        block: 1000,
        cancel: Default::default(),
        sides: Default::default(),
    });
    let mut features = Features::default();
    let header = Header::audio(Arc::from("a"), 0, RATE, 1, Some(samples.len() as u64));
    map.begin(&header, &mut features).unwrap();
    for part in samples.chunks(1000) {
        map.block(&mut Block::planar(1, part.to_vec()), &mut features).unwrap();
    }
    map.end(&mut features).unwrap();
    features.0.concat()
}

/// The largest difference over the largest value.
fn scaled_error(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0f32, |most, value| most.max(value.abs()));
    ours.iter().zip(theirs).fold(0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

/// Each parameter at several values, each beside the others.
fn table() -> Vec<Value> {
    vec![
        json!({"standardise": "none"}),
        json!({"standardise": "clip", "compress": "none"}),
        json!({"n_fft": 256, "hop": 100, "n_mels": 32, "standardise": "frame"}),
        json!({"n_fft": 400, "window_length": 250, "padding": "zero", "standardise": "none"}),
        json!({"n_fft": 301, "hop": 77, "n_mels": 32, "padding": "reflect", "standardise": "none"}),
        json!({
            "n_fft": 400, "n_mels": 40, "scale": "slaney", "norm": "slaney", "compress": "none", "standardise": "none",
        }),
        json!({"power": 1, "n_mels": 40, "f_min": 100.0, "f_max": 3000.0, "compress": "none", "standardise": "none"}),
        json!({"power": 1, "norm": "slaney", "compress": {"log1p": {"scale": 1000.0}}, "standardise": "none"}),
        json!({"compress": {"log": {"offset": 1e-3}}, "standardise": "none"}),
        json!({"compress": {"log10": {}}, "standardise": "none"}),
        json!({"compress": {"log10": {"scale": 100.0}}, "standardise": "frame"}),
        json!({"compress": {"db": {}}, "standardise": "none"}),
        json!({"compress": {"db": {"reference": 4.0, "floor": 0.1}}, "standardise": "none"}),
        json!({"compress": {"db": {"top_db": 20.0}}, "standardise": "none", "padding": "zero"}),
        json!({"compress": {"db": {"top_db": 40.0}}, "standardise": "clip"}),
        json!({
            "power": 1, "compress": {"db": {"of": "magnitude", "floor": 0.5, "top_db": 25.0}}, "standardise": "none",
        }),
    ]
}

fn from(parameters: &Value) -> parameters::Mel {
    serde_json::from_value(parameters.clone()).unwrap()
}

#[test]
fn it_is_that_of_the_data_path() {
    let clips = [signal(0), signal(1)];
    let audio = Tensor::from_slice(&clips.concat()).reshape([2, SAMPLES as i64]);
    for parameters in table() {
        let mel = from(&parameters);
        let bands = Mel::new(&mel, RATE, Device::Cpu).forward(&audio);
        assert_eq!(bands.size(), [2, mel.n_mels as i64, mel.frames(SAMPLES as u64) as i64], "{parameters}");
        for (place, samples) in clips.iter().enumerate() {
            let device = Vec::<f32>::try_from(bands.get(place as i64).flatten(0, -1)).unwrap();
            let error = scaled_error(&device, &data_path(&mel, samples));
            assert!(error < 1e-5, "{parameters}: scaled error {error}");
        }
    }
}

#[test]
fn an_encoder_that_says_nothing_standardises_clips() {
    let samples = signal(0);
    let audio = Tensor::from_slice(&samples).reshape([1, SAMPLES as i64]);
    let bands = Mel::new(&parameters::Mel::default(), RATE, Device::Cpu).forward(&audio);
    let device = Vec::<f32>::try_from(bands.flatten(0, -1)).unwrap();
    let clip = data_path(&from(&json!({"standardise": "clip"})), &samples);
    assert!(scaled_error(&device, &clip) < 1e-5);
}

#[test]
fn carries_no_gradient() {
    let audio = Tensor::from_slice(&signal(0)).reshape([1, SAMPLES as i64]).set_requires_grad(true);
    assert!(!Mel::new(&parameters::Mel::default(), RATE, Device::Cpu).forward(&audio).requires_grad());
}
