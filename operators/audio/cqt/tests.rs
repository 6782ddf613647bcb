use std::f64::consts::{PI, TAU};

use etude_pipeline::flow::{Header, Mask, Unit};
use serde_json::{Value, json};

use super::*;
use crate::harness::{at, clip, operator, output, run, wrong};

const RATE: u32 = 22_050;

/// What `golden/cqt.py` calls noise.
fn noise(samples: usize) -> Vec<f32> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..samples).map(|_| next()).collect()
}

/// A second of cosines of that amplitude.
fn tones(hz: &[f64], amplitude: f64) -> Vec<f32> {
    let sample = |i: u32| {
        let seconds = f64::from(i) / f64::from(RATE);
        (amplitude * hz.iter().map(|hz| (TAU * hz * seconds).cos()).sum::<f64>()) as f32
    };
    (0..RATE).map(sample).collect()
}

fn cqt(parameters: &Value) -> Cqt {
    operator(parameters.clone())
}

/// With one more parameter.
fn with(parameters: &Value, name: &str, value: Value) -> Value {
    let mut parameters = parameters.clone();
    parameters[name] = value;
    parameters
}

/// Channels of frames, and what announced them.
fn transformed(parameters: &Value, rate: u32, samples: &[f32]) -> (Header, Vec<Vec<f32>>) {
    let mut outcome = run(&cqt(parameters), &[at(rate, clip(0, samples))]);
    assert_eq!(outcome.stop, None);
    outcome.signals.remove(0)
}

fn channels(parameters: &Value, samples: &[f32]) -> Vec<Vec<f32>> {
    transformed(parameters, RATE, samples).1
}

/// The frequency of a bin of the default transform.
fn bin_hz(bin: f64) -> f64 {
    440.0 * 2f64.powf((bin - 45.0) / 12.0)
}

/// The length of its window, as the documentation has it.
fn length(hz: f64, gamma: f64) -> f64 {
    let r = 2f64.powf(1.0 / 12.0);
    let alpha = (r * r - 1.0) / (r * r + 1.0);
    (f64::from(RATE) / (alpha * hz + gamma)).ceil()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn gives_what_direct_kernels_of_others_give() {
    let golden: Value = serde_json::from_str(include_str!("golden/cqt.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let parameters = with(&case["parameters"], "values", json!("complex"));
        let samples = noise(case["samples"].as_u64().unwrap() as usize);
        let (_, found) = transformed(&parameters, case["rate"].as_u64().unwrap() as u32, &samples);
        let n_bins = found.len() / 2;
        let mut furthest = 0f64;
        for (frame, bins) in case["frames"].as_array().unwrap().iter().zip(case["values"].as_array().unwrap())
        {
            let frame = frame.as_u64().unwrap() as usize;
            assert_eq!(bins.as_array().unwrap().len(), n_bins);
            for (bin, parts) in bins.as_array().unwrap().iter().enumerate() {
                for (part, value) in parts.as_array().unwrap().iter().enumerate() {
                    let found = f64::from(found[part * n_bins + bin][frame]);
                    furthest = furthest.max((found - value.as_f64().unwrap()).abs());
                }
            }
        }
        let scaled = furthest / case["largest"].as_f64().unwrap();
        assert!(scaled < 1e-5, "{parameters}: {scaled:.2e}");
    }
}

/// The definition, in double precision: bins of frames of [re, im].
fn direct(
    samples: &[f32],
    hop: usize,
    hz: &[f64],
    gamma: f64,
    at: impl Fn(i64) -> f64,
) -> Vec<Vec<[f64; 2]>> {
    let frame = |middle: i64, hz: f64| {
        let length = length(hz, gamma);
        let first = -(length / 2.0).ceil() as i64;
        let mut sum = [0.0; 2];
        for i in 0..length as i64 {
            let weight = (0.5 - 0.5 * (TAU * i as f64 / length).cos()) * 2.0 / length.sqrt();
            let (sin, cos) = (-TAU * hz * (first + i) as f64 / f64::from(RATE)).sin_cos();
            let value = at(middle + first + i) * weight;
            sum = [sum[0] + value * cos, sum[1] + value * sin];
        }
        sum
    };
    let frames = 0..1 + samples.len() / hop;
    hz.iter().map(|hz| frames.clone().map(|index| frame((index * hop) as i64, *hz)).collect()).collect()
}

#[test]
fn gives_what_the_definition_gives() {
    // Of several blocks, and of less than a window.
    for (samples, hop, gamma, padding) in [
        (150_000, 3000, 0.0, "zero"),
        (60_000, 1999, 7.0, "reflect"),
        (1_000, 100, 0.0, "reflect"),
        (1, 2, 0.0, "zero"),
        (90, 2, 0.0, "zero"),
    ] {
        let samples = noise(samples);
        let reflected = |place: i64| {
            let period = 2 * (samples.len() as i64 - 1);
            let place = place.rem_euclid(period);
            f64::from(samples[place.min(period - place) as usize])
        };
        let silent = |place: i64| samples.get(place as usize).map_or(0.0, |sample| f64::from(*sample));
        let bins: Vec<f64> = (0..84).map(|bin| bin_hz(f64::from(bin))).collect();
        let expected = if padding == "zero" {
            direct(&samples, hop, &bins, gamma, silent)
        } else {
            direct(&samples, hop, &bins, gamma, reflected)
        };
        let parameters = json!({"hop": hop, "gamma": gamma, "padding": padding, "values": "complex"});
        let found = channels(&parameters, &samples);
        let (mut largest, mut furthest) = (0f64, 0f64);
        for (bin, frames) in expected.iter().enumerate() {
            assert_eq!(found[bin].len(), frames.len());
            for (frame, [re, im]) in frames.iter().enumerate() {
                let (found_re, found_im) = (f64::from(found[bin][frame]), f64::from(found[84 + bin][frame]));
                largest = largest.max(re.hypot(*im));
                furthest = furthest.max((found_re - re).hypot(found_im - im));
            }
        }
        assert!(furthest < 5e-6 * largest, "{parameters}: {furthest:.2e} of {largest:.2e}");
    }
}

#[test]
fn a_steady_sinusoid_has_its_amplitude_in_its_bin() {
    let hz = bin_hz(50.0);
    let samples = tones(&[hz], 0.5);
    let ortho = 0.5 * length(hz, 0.0).sqrt() / 2.0;
    for (scale, magnitude) in [("amplitude", 0.5), ("ortho", ortho)] {
        let parameters = json!({"scale": scale});
        let magnitudes = channels(&parameters, &samples);
        let powers = channels(&with(&parameters, "values", json!("power")), &samples);
        let parts = channels(&with(&parameters, "values", json!("complex")), &samples);
        for frame in 2..42 {
            let column: Vec<f32> = magnitudes.iter().map(|channel| channel[frame]).collect();
            let peak = (0..84).max_by(|a, b| column[*a].total_cmp(&column[*b])).unwrap();
            assert_eq!(peak, 50);
            let near = |found: f32, expected: f64| {
                assert!((f64::from(found) - expected).abs() < 1e-4 * magnitude, "{found} not {expected}");
            };
            near(column[50], magnitude);
            near(powers[50][frame], magnitude * magnitude);
            let phase = TAU * hz * (frame * 512) as f64 / f64::from(RATE);
            near(parts[50][frame], magnitude * phase.cos());
            near(parts[84 + 50][frame], magnitude * phase.sin());
        }
    }
}

#[test]
fn a_tone_of_other_pitch_is_moved_by_bins() {
    let column = |pitch: f64| -> Vec<f32> {
        // Octaves, which no window confuses: else it would matter where they are in their periods.
        let partials = [1.0, 2.0, 4.0].map(|partial| bin_hz(pitch) * partial);
        let magnitudes = channels(&json!({"scale": "amplitude"}), &tones(&partials, 0.1));
        magnitudes.iter().map(|channel| channel[21]).collect()
    };
    let low = column(30.3);
    for steps in [1, 5, 12] {
        let high = column(30.3 + steps as f64);
        // Windows are of whole samples, so bins are alike only nearly.
        let apart = furthest(&low[20..84 - steps], &high[20 + steps..]);
        assert!(apart < 0.003, "{steps} bins: {apart}");
        assert!(furthest(&low, &high) > 0.03);
    }
}

#[test]
fn planes_are_harmonics_and_in_them_parts() {
    let samples = noise(9_000);
    let parameters = json!({"n_bins": 30, "f_min": 100, "harmonics": [1, 0.5, 3, 2], "values": "complex"});
    let (header, all) = transformed(&parameters, RATE, &samples);
    assert_eq!((header.channels, header.planes, header.hop, header.frames), (240, 8, 512, Some(18)));
    for (plane, factor) in [1.0, 0.5, 3.0, 2.0].into_iter().enumerate() {
        let one = json!({"n_bins": 30, "f_min": 100.0 * factor, "values": "complex"});
        let parts = channels(&one, &samples);
        for (found, expected) in all[plane * 60..(plane + 1) * 60].iter().zip(&parts) {
            assert!(furthest(found, expected) < 3e-5, "harmonic {factor}");
        }
        let magnitudes = channels(&with(&one, "values", json!("magnitude")), &samples);
        let root = |bin: usize| parts[bin][9].hypot(parts[30 + bin][9]);
        assert!((0..30).all(|bin| (root(bin) - magnitudes[bin][9]).abs() < 1e-5));
    }
    // An octave up is twelve bins further.
    assert_eq!(all[..18].to_vec(), all[60 + 12..60 + 30].to_vec());
}

#[test]
fn masked_samples_mask_the_frames_about_them() {
    let (header, samples) = at(RATE, clip(0, &noise(2_000)));
    let header = Header { mask: Some(Mask::marked([(0, 1), (500, 1025), (1999, 2000)].into())), ..header };
    let outcome = run(&cqt(&json!({"f_min": 110, "n_bins": 12})), &[(header, samples)]);
    assert_eq!(outcome.signals[0].0.mask, Some(Mask::marked([(0, 3)].into())));
}

#[test]
fn bins_that_coincide_are_computed_once() {
    let bins = cqt(&json!({"harmonics": [0.5, 1, 2, 4, 3], "n_bins": 24})).bins(RATE);
    // Five octaves, and those of the third.
    assert_eq!(bins.len(), 60 + 24);
    let mut places: Vec<usize> = bins.iter().flat_map(|bin| bin.places.iter().copied()).collect();
    places.sort_unstable();
    assert!(places.into_iter().eq(0..5 * 24));
}

#[test]
fn long_windows_are_apart_from_short_ones() {
    let groups = |parameters: Value| cqt(&parameters).groups(RATE).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(groups(json!({})), [84]);
    // 116,000 samples, then from 29,000 on.
    let long = json!({"n_bins": 360, "bins_per_octave": 60, "f_min": 16.35});
    assert_eq!(groups(long.clone()), [121, 239]);
    let samples = noise(30_000);
    let found = channels(&long, &samples);
    for bin in [0, 120, 121, 359] {
        let one = with(&long, "f_min", json!(16.35 * 2f64.powf(bin as f64 / 60.0)));
        let alone = channels(&with(&one, "n_bins", json!(1)), &samples);
        assert!(furthest(&found[bin], &alone[0]) < 2e-5, "bin {bin}");
    }
}

#[test]
fn each_parameter_matters() {
    let samples = noise(6_000);
    let base = json!({"n_bins": 24, "f_min": 200});
    let before = channels(&base, &samples);
    for (name, value) in [
        ("hop", json!(511)),
        ("f_min", json!(201)),
        ("n_bins", json!(25)),
        ("bins_per_octave", json!(13)),
        ("gamma", json!(5)),
        ("filter_scale", json!(0.9)),
        ("scale", json!("amplitude")),
        ("padding", json!("reflect")),
        ("values", json!("power")),
        ("harmonics", json!([2])),
    ] {
        let after = channels(&with(&base, name, value), &samples);
        let moved = |(a, b): (&Vec<f32>, &Vec<f32>)| a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-3);
        assert!(before.len() != after.len() || before.iter().zip(&after).any(moved), "{name}");
    }
}

#[test]
fn clips_may_be_short_and_of_other_lengths() {
    let empty = run(&cqt(&json!({})), &[at(RATE, clip(0, &[]))]);
    assert_eq!((empty.signals[0].0.frames, empty.counts["too_short"]), (Some(0), 1));
    let lengths = [1, 511, 512, 40_000, 100, 40_000];
    let signals: Vec<_> = lengths.iter().map(|length| at(RATE, clip(7, &noise(*length)))).collect();
    let parameters = json!({"f_min": 110, "n_bins": 12});
    let outcome = run(&cqt(&parameters), &signals);
    for ((header, found), length) in outcome.signals.iter().zip(lengths) {
        assert_eq!((header.start, header.frames), (7, Some(1 + length as u64 / 512)));
        assert_eq!(*found, channels(&parameters, &noise(length)));
    }
    // A click in the middle of the first window, whose height there is 1.
    let lengths = (0..12).map(|bin| length(110.0 * 2f64.powf(f64::from(bin) / 12.0), 0.0));
    for (channel, length) in channels(&parameters, &[1.0]).iter().zip(lengths) {
        let height = if length % 2.0 == 0.0 { 1.0 } else { 0.5 + 0.5 * (PI / length).cos() };
        assert!((f64::from(channel[0]) - height * 2.0 / length.sqrt()).abs() < 1e-6);
    }
}

#[test]
fn ranges_are_enforced() {
    let wrong = |parameters: Value| wrong(&cqt(&parameters));
    for (name, inside, outside) in [
        ("hop", vec![json!(2), json!(65_536)], vec![json!(1), json!(65_537)]),
        ("f_min", vec![json!(0.1)], vec![json!(0), json!(-1)]),
        ("n_bins", vec![json!(1), json!(4096)], vec![json!(0), json!(4097)]),
        ("bins_per_octave", vec![json!(1), json!(1200)], vec![json!(0), json!(1201)]),
        ("gamma", vec![json!(0), json!(10_000)], vec![json!(-1), json!(10_001)]),
        ("filter_scale", vec![json!(0.01), json!(100)], vec![json!(0.009), json!(101)]),
        (
            "harmonics",
            vec![json!([64]), json!(vec![1; 32])],
            vec![json!([]), json!([0]), json!([1, 65]), json!(vec![1; 33])],
        ),
    ] {
        inside.into_iter().for_each(|value| assert_eq!(wrong(json!({name: value})), None));
        outside.into_iter().for_each(|value| assert_eq!(wrong(json!({name: value})).as_deref(), Some(name)));
    }
    assert_eq!(wrong(json!({"n_bins": 4096, "harmonics": vec![1; 15]})), None);
    assert_eq!(wrong(json!({"n_bins": 4096, "harmonics": vec![1; 16]})).as_deref(), Some("n_bins"));
    assert_eq!(
        wrong(json!({"n_bins": 4096, "harmonics": vec![1; 8], "values": "complex"})).as_deref(),
        Some("n_bins")
    );
}

#[test]
fn the_output_is_known_before_it_is_there() {
    let parameters = json!({"values": "complex", "harmonics": [0.5, 1, 2], "n_bins": 60, "hop": 441});
    let signal = output(&cqt(&parameters), Unit::Clip, Some(RATE)).unwrap();
    assert_eq!((signal.channels, signal.planes, signal.hop), (Some(360), 6, 441));
    let of = |frames| SignalType { frames: Some(frames), most_frames: Some(frames), ..signal.clone() };
    let inputs = |frames| Flow::Signal(SignalType { hop: 1, channels: Some(1), planes: 1, ..of(frames) });
    for (samples, frames) in [(0, 0), (440, 1), (441, 2), (44_100, 101)] {
        let flow = inputs(samples);
        let Ok(Flow::Signal(found)) = cqt(&parameters).output(&Inputs(vec![("from", vec![&flow])])) else {
            panic!("it gives a signal")
        };
        assert_eq!(found, of(frames));
    }
    let stereo = Flow::Signal(SignalType { hop: 1, channels: Some(2), ..signal.clone() });
    let error = cqt(&parameters).output(&Inputs(vec![("from", vec![&stereo])])).unwrap_err();
    assert_eq!(error.message, "expects mono audio: decode with `channels: mono`");
}

#[test]
fn what_cannot_be_is_said_before() {
    let error = |parameters: Value, unit, rate| output(&cqt(&parameters), unit, rate).unwrap_err();
    let found = error(json!({}), Unit::Recording, Some(RATE));
    assert_eq!(found, "expects clips, not whole recordings: put `op: segment` above it");
    assert_eq!(error(json!({}), Unit::Clip, None), "expects one rate: put `op: resample` above it");
    let found = error(json!({"harmonics": [1, 3]}), Unit::Clip, Some(RATE));
    assert_eq!(
        found,
        "the highest bin of harmonic 3 is at 11853.20 Hz, not below half the rate, 11025 Hz: lower `n_bins` or `f_min`"
    );
    assert!(output(&cqt(&json!({"harmonics": [1, 3]})), Unit::Clip, Some(24_000)).is_ok());
    let found = error(json!({"f_min": 1, "bins_per_octave": 96}), Unit::Clip, Some(RATE));
    assert!(found.contains("at 1 Hz, would have 3053950 samples, more than 1048576"), "{found}");
}
