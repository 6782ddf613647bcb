//! decode → mono → resample → segment, streamed, is what processing the whole file at once gives.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

#[path = "blocks/cut.rs"]
mod cut;

use std::path::Path;
use std::sync::Arc;

use etude_audio::OPERATORS;
use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Item, Link, Output, Step, Table};
use etude_pipeline::place::Place;
use etude_pipeline::run::{Chain, Trail};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const TABLE: Table = Table::new(&[OPERATORS]);

/// Clips with their starts.
#[derive(Debug, Default, PartialEq)]
struct Clips {
    done: Vec<(u64, Vec<f32>)>,
    longest_block: usize,
}

impl Output for Clips {
    fn begin(&mut self, header: &Header) -> Step {
        self.done.push((header.start, Vec::new()));
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        self.longest_block = self.longest_block.max(block.frames());
        self.done.last_mut().unwrap().1.extend_from_slice(block.samples());
        Ok(())
    }

    fn end(&mut self) -> Step {
        Ok(())
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}

/// Sends a file through operators, in blocks of that many frames.
fn send(path: &Path, operators: &[(&str, Value)], block: usize, output: &mut dyn Output) {
    let link = |(operator, parameters): &(&str, Value)| Link {
        stage: (*operator).into(),
        operator: (*operator).into(),
        version: TABLE.get(operator).unwrap().version,
        parameters: parameters.clone(),
        sides: Vec::new(),
    };
    let links: Vec<Link> = operators.iter().map(link).collect();
    let chain = Chain::new(&TABLE, None, &links, 1).unwrap().with_block(block);
    let key = Arc::from("a.wav");
    let item = Item { key, place: Place::at(path), size: 0, digest: "".into(), stamp: None, rows: None };
    let mut instance = chain.instance(0, &CancellationToken::new()).unwrap();
    instance.run(&item, output, &mut Trail::new(chain.len(), None), false).unwrap();
}

/// The clips that come out.
fn stream(path: &Path, operators: &[(&str, Value)], block: usize) -> Clips {
    let mut clips = Clips::default();
    send(path, operators, block, &mut clips);
    clips
}

fn write_wav(path: &Path, rate: u32, planes: &[Vec<f32>]) {
    let (channels, frames) = (planes.len() as u32, planes[0].len());
    let data = frames as u32 * channels * 4;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend(3u16.to_le_bytes());
    bytes.extend((channels as u16).to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * channels * 4).to_le_bytes());
    bytes.extend((channels as u16 * 4).to_le_bytes());
    bytes.extend(32u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(data.to_le_bytes());
    (0..frames).for_each(|frame| planes.iter().for_each(|plane| bytes.extend(plane[frame].to_le_bytes())));
    std::fs::write(path, bytes).unwrap();
}

fn noise(frames: usize, seed: u64) -> Vec<f32> {
    let mut random = etude_pipeline::random::Random::keyed(&[&seed.to_le_bytes()]);
    (0..frames).map(|_| random.range(-0.9, 0.9) as f32).collect()
}

fn cut_whole(samples: &[f32], length: usize, hop: usize, tail: &str) -> Vec<(u64, Vec<f32>)> {
    let (mut clips, mut start, mut covered) = (Vec::new(), 0, 0);
    while start + length <= samples.len() {
        clips.push((start as u64, samples[start..start + length].to_vec()));
        covered = start + length;
        start += hop;
    }
    if tail != "drop" && start < samples.len() && samples.len() > covered {
        let mut last = samples[start..].to_vec();
        if tail == "pad" {
            last.resize(length, 0.0);
        }
        clips.push((start as u64, last));
    }
    clips
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn streaming_is_processing_the_whole_file(
        frames in 9_000usize..40_000,
        channels in 1usize..=3,
        rates in prop_oneof![
            Just((44_100u32, 16_000u32)), Just((8_000, 16_000)), Just((22_050, 16_000)),
            Just((48_000, 44_100)), Just((16_000, 16_000)), Just((44_100, 48_000)),
        ],
        block in prop_oneof![16usize..200, 1_000usize..50_000],
        length in 500usize..3_000,
        hop in 300usize..4_000,
        tail in prop_oneof![Just("drop"), Just("pad"), Just("keep")],
        seed in any::<u64>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let planes: Vec<Vec<f32>> = (0..channels).map(|channel| noise(frames, seed ^ channel as u64)).collect();
        write_wav(&path, rates.0, &planes);
        let seconds = |frames: usize| frames as f64 / f64::from(rates.1);
        let streamed = stream(&path, &[
            ("decode", json!({"channels": "mono"})),
            ("resample", json!({"rate": rates.1})),
            ("segment", json!({"seconds": seconds(length), "hop": seconds(hop), "tail": tail})),
        ], block);

        let once = stream(&path, &[
            ("decode", json!({"channels": "mono"})),
            ("resample", json!({"rate": rates.1})),
        ], 1 << 20);
        let whole = cut_whole(&once.done[0].1, length, hop, tail);
        prop_assert_eq!(streamed.done.len(), whole.len());
        for ((start, clip), (whole_start, whole_clip)) in streamed.done.iter().zip(&whole) {
            prop_assert_eq!((start, clip.len()), (whole_start, whole_clip.len()));
            prop_assert!(clip == whole_clip, "the clip at {start} differs");
        }
    }

    #[test]
    fn features_do_not_depend_on_blocks(frames in 600usize..9_000, block in 16usize..3_000, seed in any::<u64>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        write_wav(&path, 16_000, &[noise(frames, seed)]);
        let operators = [("decode", json!({})), ("mel", json!({"n_fft": 512, "hop": 160, "n_mels": 8}))];
        let features = |block| {
            let mut clips = Columns::default();
            send(&path, &operators, block, &mut clips);
            clips.0
        };
        prop_assert_eq!(features(block), features(100_000));
    }
}

/// Frames of features, one after another.
#[derive(Default)]
struct Columns(Vec<Vec<f32>>);

impl Output for Columns {
    fn begin(&mut self, _: &Header) -> Step {
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        let column =
            |frame: usize| (0..block.channels()).map(|channel| block.channel(channel)[frame]).collect();
        self.0.extend((0..block.frames()).map(column));
        Ok(())
    }

    fn end(&mut self) -> Step {
        Ok(())
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}

/// The level in dB of what a tone of `hz` becomes, relative to the tone.
fn level(hz: f64, from: u32, to: u32) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tone.wav");
    let tone: Vec<f32> = (0..from * 3)
        .map(|i| (0.5 * (std::f64::consts::TAU * hz * f64::from(i) / f64::from(from)).sin()) as f32)
        .collect();
    write_wav(&path, from, &[tone]);
    let clips = stream(&path, &[("decode", json!({})), ("resample", json!({"rate": to}))], 16_384);
    let result = &clips.done[0].1;
    // Away from the begin and the end of the tone.
    let middle = &result[to as usize..2 * to as usize];
    let power = middle.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / middle.len() as f64;
    10.0 * (power / 0.125).log10()
}

/// How far a tone is moved, in samples of the result.
fn offset(from: u32, to: u32) -> f64 {
    let hz = 400.0;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tone.wav");
    let tone: Vec<f32> = (0..from * 3)
        .map(|i| (0.5 * (std::f64::consts::TAU * hz * f64::from(i) / f64::from(from)).cos()) as f32)
        .collect();
    write_wav(&path, from, &[tone]);
    let clips = stream(&path, &[("decode", json!({})), ("resample", json!({"rate": to}))], 16_384);
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (i, sample) in clips.done[0].1.iter().enumerate().skip(to as usize).take(to as usize) {
        let angle = std::f64::consts::TAU * hz * i as f64 / f64::from(to);
        real += f64::from(*sample) * angle.cos();
        imaginary += f64::from(*sample) * angle.sin();
    }
    imaginary.atan2(real) / std::f64::consts::TAU / hz * f64::from(to)
}

#[test]
fn nothing_is_moved_in_time() {
    for (from, to) in
        [(22_050, 16_000), (44_100, 16_000), (8_000, 16_000), (48_000, 44_100), (11_025, 16_000)]
    {
        let offset = offset(from, to);
        assert!(offset.abs() < 1e-2, "{from} to {to}: {offset} samples");
    }
}

#[test]
fn the_anti_alias_filter_keeps_what_fits_and_removes_what_does_not() {
    assert!(level(7_200.0, 44_100, 16_000).abs() < 0.5);
    assert!(level(9_000.0, 44_100, 16_000) < -80.0);
    assert!(level(9_900.0, 44_100, 22_050).abs() < 0.5);
    assert!(level(12_000.0, 44_100, 22_050) < -80.0);
    assert!(level(3_600.0, 8_000, 16_000).abs() < 0.5);
}

/// PyTorch's figures for the same spectrogram, standardised; `operators/trainer/golden` says how they were made.
#[test]
fn mel_is_pytorchs() {
    let golden: Value = serde_json::from_str(include_str!("../../trainer/golden/train_step.json")).unwrap();
    let theirs: Vec<f64> =
        golden["front_end"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let sample =
        |t: f64| 0.5 * (std::f64::consts::TAU * 110.0 * t / 8000.0).sin() + 0.1 * (0.013 * t * t).sin();
    write_wav(&path, 8000, &[(0..2048).map(|t| sample(f64::from(t)) as f32).collect()]);
    let mel = json!({"n_fft": 256, "hop": 128, "n_mels": 16, "f_min": 50, "f_max": 4000});
    let mut columns = Columns::default();
    send(&path, &[("decode", json!({})), ("mel", mel)], 500, &mut columns);
    let frames = columns.0.len();
    assert_eq!((frames, columns.0[0].len()), (15, 16));
    let ours: Vec<f64> =
        (0..16).flat_map(|band| columns.0.iter().map(move |column| f64::from(column[band]))).collect();
    let mean = ours.iter().sum::<f64>() / ours.len() as f64;
    let deviation = (ours.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / ours.len() as f64).sqrt();
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!(((ours - mean) / (deviation + 1e-5) - theirs).abs() < 1e-5, "{ours} {theirs}");
    }
}

#[test]
fn crops_depend_on_the_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    write_wav(&path, 8_000, &[noise(40_000, 7)]);
    let operators = [
        ("decode", json!({})),
        ("segment", json!({"seconds": 1.0})),
        ("crop", json!({"seconds": 0.25, "views": 2})),
        (
            "augment",
            json!({"chain": [{"gain": {}}, {"noise": {}}, {"polarity": {}}, {"low_pass": {"cutoff": [500, 3000]}}]}),
        ),
    ];
    let views = stream(&path, &operators, 1_000);
    assert_eq!(views.done.len(), 10);
    assert_eq!(views.done, stream(&path, &operators, 64).done);
    assert_ne!(views.done[0], views.done[1]);
    assert!(views.done.iter().all(|(_, view)| view.len() == 2_000));
}
