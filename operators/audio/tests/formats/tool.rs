//! Files by ffmpeg, and what it and we decode of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use etude_audio::decode::{Decode, read_here};
use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Context, Item, Output, Step, Stop};
use etude_pipeline::place::Place;
use serde_json::Value;

/// Whether ffmpeg is installed; says so where it is not.
pub fn ffmpeg_is_there(test: &str) -> bool {
    let there = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status();
    let there = there.is_ok_and(|status| status.success());
    if !there {
        println!("{test}: skipped, ffmpeg is not installed");
    }
    there
}

/// A signal with something in every band and another one in every channel, as a WAV file.
pub fn source(folder: &Path, rate: u32, channels: u32) -> PathBuf {
    let path = folder.join(format!("source_{rate}_{channels}.wav"));
    if path.exists() {
        return path;
    }
    let frames = rate * 6 / 5 + 37;
    let mut random = etude_pipeline::random::Random::keyed(&[&rate.to_le_bytes(), &channels.to_le_bytes()]);
    let mut raw = Vec::new();
    for frame in 0..frames {
        let time = f64::from(frame) / f64::from(rate);
        for channel in 1..=channels {
            let tone =
                |from: f64, to: f64| (std::f64::consts::TAU * time * (from + (to - from) * time / 2.4)).sin();
            let sweep = tone(220.0 * f64::from(channel), f64::from(rate) * 0.3);
            let low = tone(97.0 * f64::from(channel + 1), 97.0 * f64::from(channel + 1));
            let level = 0.6 + 0.4 * (4.0 * time + f64::from(channel)).sin();
            let sample = level * (0.25 * sweep + 0.1 * low + 0.01 * random.range(-1.0, 1.0));
            raw.extend_from_slice(&((sample * 2_147_483_647.0) as i32).to_le_bytes());
        }
    }
    let input = folder.join(format!("source_{rate}_{channels}.raw"));
    std::fs::write(&input, raw).unwrap();
    let (rate, channels) = (rate.to_string(), channels.to_string());
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "s32le", "-ar", &rate, "-ac", &channels, "-i"])
        .arg(&input)
        .args(["-c:a", "pcm_s32le"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    path
}

/// Encodes the signal; none when this ffmpeg cannot.
pub fn encode(folder: &Path, name: &str, rate: u32, channels: u32, arguments: &str) -> Option<PathBuf> {
    let path = folder.join(name);
    let made = Command::new("ffmpeg")
        .args(["-v", "quiet", "-y", "-i"])
        .arg(source(folder, rate, channels))
        .args(arguments.split_whitespace())
        .arg(&path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    if !made.success() {
        println!("{name}: skipped, this ffmpeg cannot make it with {arguments}");
    }
    made.success().then_some(path)
}

/// The samples that ffmpeg decodes, frame after frame.
pub fn reference(path: &Path, options: &str) -> Vec<f32> {
    let output = Command::new("ffmpeg")
        .args(["-v", "quiet"])
        .args(options.split_whitespace())
        .arg("-i")
        .arg(path)
        .args(["-map", "0:a:0", "-f", "f32le", "-"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    output.stdout.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// What is decoded.
#[derive(Default)]
pub struct Decoded {
    pub header: Option<Header>,
    /// Frame after frame.
    pub samples: Vec<f32>,
    pub counts: Vec<(&'static str, u64)>,
}

impl Decoded {
    pub fn channels(&self) -> usize {
        self.header.as_ref().map_or(1, |header| usize::from(header.channels))
    }

    pub fn frames(&self) -> usize {
        self.samples.len() / self.channels()
    }

    /// What was counted under a name.
    pub fn count(&self, name: &str) -> u64 {
        self.counts.iter().filter(|(what, _)| *what == name).map(|(_, amount)| amount).sum()
    }
}

impl Output for Decoded {
    fn begin(&mut self, header: &Header) -> Step {
        assert!(self.header.is_none());
        self.header = Some(header.clone());
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        for frame in 0..block.frames() {
            self.samples.extend((0..block.channels()).map(|channel| block.channel(channel)[frame]));
        }
        Ok(())
    }

    fn end(&mut self) -> Step {
        Ok(())
    }

    fn count(&mut self, what: &'static str, amount: u64) {
        self.counts.push((what, amount));
    }
}

/// Decodes a file.
pub fn decode(path: &Path, parameters: Value) -> Result<Decoded, Stop> {
    let decode: Decode = serde_json::from_value(parameters).unwrap();
    let key = path.file_name().unwrap().to_string_lossy();
    let item = Item {
        key: Arc::from(&*key),
        place: Place::at(path),
        size: 0,
        digest: "".into(),
        stamp: None,
        rows: None,
    };
    let context = Context {
        seed: 0,
        stage: Arc::from("decode"),
        epoch: 0,
        block: 5000,
        cancel: Default::default(),
        sides: Default::default(),
    };
    let mut decoded = Decoded::default();
    read_here(&decode, &item, &context, &mut decoded)?;
    Ok(decoded)
}

/// Class and message of a rejection.
pub fn rejected(path: &Path, parameters: Value) -> (&'static str, String) {
    match decode(path, parameters) {
        Err(Stop::Rejected { class, message, .. }) => (class, message),
        Err(other) => panic!("{}: {other:?}", path.display()),
        Ok(decoded) => panic!("{}: {} frames", path.display(), decoded.frames()),
    }
}

/// How far samples are from others of the same length, in decibels below them.
pub fn distance(expected: &[f32], found: &[f32]) -> f64 {
    let square = |value: f64| value * value;
    let signal: f64 = expected.iter().map(|sample| square(f64::from(*sample))).sum();
    let difference: f64 =
        expected.iter().zip(found).map(|(one, other)| square(f64::from(*one) - f64::from(*other))).sum();
    if difference == 0.0 { f64::INFINITY } else { 10.0 * (signal / difference).log10() }
}
