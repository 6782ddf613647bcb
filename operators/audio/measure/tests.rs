use std::sync::Arc;

use etude_pipeline::random::Random;

use super::*;

fn header(rate: u32, channels: u16) -> Header {
    Header::audio(Arc::from("a.wav"), 0, rate, channels, None)
}

fn measure(rate: u32, signal: &Block, block: usize) -> Measure {
    let mut measure = Measure::new(&header(rate, signal.channels() as u16), true).unwrap();
    for from in (0..signal.frames()).step_by(block) {
        let to = signal.frames().min(from + block);
        measure.add(&signal.slice(from, to), 0, to - from).unwrap();
    }
    measure
}

/// The formula in `golden/measure.py`.
fn formula(rate: u32, channels: usize, frames: usize, scale: f64) -> Block {
    let sample = |channel: usize, frame: usize| {
        let gain = [1.0, 0.05, 0.5][3 * frame / frames] * scale;
        let (c, turn) = (channel as f64, std::f64::consts::TAU * frame as f64 / f64::from(rate));
        let tones = 0.4 * ((220.0 + 180.0 * c) * turn).sin() + 0.1 * ((1500.0 + 300.0 * c) * turn).sin();
        (gain * tones).clamp(-1.0, 1.0) as f32
    };
    let samples = (0..channels).flat_map(|channel| (0..frames).map(move |frame| sample(channel, frame)));
    Block::planar(channels, samples.collect())
}

/// numpy's, pyloudnorm's and ffmpeg's figures.
#[test]
fn figures_are_those_of_numpy_pyloudnorm_and_ffmpeg() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden/measure.json")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let whole = |name: &str| case[name].as_u64().unwrap() as usize;
        let (rate, scale) = (whole("rate") as u32, case["scale"].as_f64().unwrap());
        let signal = formula(rate, whole("channels"), whole("frames"), scale);
        let measure = measure(rate, &signal, 4096);
        let near = |name: &str, found: f64, tolerance: f64| {
            let Some(expected) = case[name].as_f64() else { return };
            assert!((found - expected).abs() <= tolerance, "{name} of {case}: {found}");
        };
        near("rms_db", measure.level().rms_db(), 1e-4);
        near("peak_db", measure.level().peak_db(), 1e-4);
        near("clipping", measure.level().clipping(), 2e-4);
        near("ffmpeg", measure.lufs(), 0.1);
        // pyloudnorm's high shelf is off by up to 0.12 dB where 2 kHz is not far below half the rate.
        let tolerance = if rate < 44_100 { 0.15 } else { 0.1 };
        near("pyloudnorm", measure.lufs(), tolerance);
        near("whole", measure.lufs(), tolerance);
    }
}

#[test]
fn nothing_depends_on_blocks() {
    let mut random = Random::keyed(&[b"measure"]);
    let samples = (0..2 * 30_001).map(|_| (1.1 * random.range(-1.0, 1.0)) as f32).collect();
    let signal = Block::planar(2, samples);
    let bits = |measure: &Measure| {
        let level = measure.level();
        [level.rms_db(), level.peak_db(), level.clipping(), measure.lufs()].map(f64::to_bits)
    };
    let whole = bits(&measure(16_000, &signal, usize::MAX / 2));
    for block in [1, 3, 7, 8, 9, 64, 1000, 29_999] {
        assert_eq!(bits(&measure(16_000, &signal, block)), whole, "blocks of {block}");
    }
}

#[test]
fn a_square_wave_at_full_scale_is_0_db_and_all_clipped() {
    let square = Block::planar(1, (0..1000).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect());
    let measure = measure(16_000, &square, 100);
    let level = measure.level();
    assert_eq!((level.rms_db(), level.peak_db(), level.clipping()), (0.0, 0.0, 1.0));
    let quiet = Block::planar(1, vec![0.5; 1000]);
    assert_eq!(self::measure(16_000, &quiet, 100).level().clipping(), 0.0);
}

#[test]
fn silence_and_nothing_are_minus_infinity() {
    for frames in [0, 100, 20_000] {
        let measure = measure(16_000, &Block::zeros(2, frames), 999);
        assert_eq!(measure.level().rms_db(), f64::NEG_INFINITY);
        assert_eq!(measure.level().peak_db(), f64::NEG_INFINITY);
        assert_eq!(measure.lufs(), f64::NEG_INFINITY, "{frames} frames");
        assert!(measure.level().is_finite());
    }
}

/// What is added as silence counts as zeros do.
#[test]
fn silence_is_zeros() {
    let tone = formula(16_000, 1, 1003, 1.0);
    let mut added = Level::new(1);
    added.add(&tone, 0, 1003);
    added.add_silence(501);
    added.add(&tone, 5, 900);
    let mut zeros = Level::new(1);
    zeros.add(&tone, 0, 1003);
    zeros.add(&Block::zeros(1, 501), 0, 501);
    zeros.add(&tone, 5, 900);
    assert_eq!(added.rms_db().to_bits(), zeros.rms_db().to_bits());
    assert_eq!(added.frames(), 2399);
    added.reset();
    assert_eq!((added.frames(), added.peak()), (0, 0.0));
}

#[test]
fn what_is_no_number_is_noticed() {
    for sample in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut samples = vec![0.1; 50];
        samples[13] = sample;
        assert!(!measure(16_000, &Block::planar(1, samples), 7).level().is_finite());
    }
    let loud = Block::planar(1, vec![f32::MAX; 50]);
    assert!(measure(16_000, &loud, 7).level().is_finite());
}

/// A header that lies costs no memory: it is refused.
#[test]
fn loudness_of_a_header_that_lies_is_refused() {
    for (rate, channels) in [(2_800_000, 64), (u32::MAX, 1), (3999, 1), (44_100, u16::MAX), (44_100, 0)] {
        let refused = Measure::new(&header(rate, channels), true);
        assert!(matches!(refused, Err(Stop::Rejected { class: "loudness", .. })), "{rate} {channels}");
    }
    assert!(Measure::new(&header(384_000, 8), true).is_ok());
    assert!(Measure::new(&header(4000, 1), true).is_ok());
    assert!(Measure::new(&header(1000, 1), false).is_ok());
}
