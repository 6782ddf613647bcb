//! The changes of rate against their definition, against soxr, and against what is said of them.

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::engine::{Engine, length};
use super::quality::Quality;

const QUALITIES: [Quality; 3] = [Quality::Fast, Quality::High, Quality::Best];

/// Up and down, with FFTs and (the last three) with interpolation.
const RATES: [(u32, u32); 10] = [
    (44_100, 16_000),
    (48_000, 16_000),
    (8_000, 16_000),
    (44_100, 48_000),
    (11_025, 16_000),
    (96_000, 16_000),
    (22_050, 44_100),
    (44_099, 16_000),
    (16_000, 44_099),
    (44_100, 44_099),
];

fn noise(frames: usize, mut seed: u64) -> Vec<f32> {
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..frames).map(|_| next()).collect()
}

/// Channel after channel, cut at the given places.
fn stream(engine: &mut Engine, planes: &[Vec<f32>], cuts: &[usize]) -> Vec<Vec<f32>> {
    let mut results = vec![Vec::new(); planes.len()];
    let mut samples = Vec::new();
    let mut add = |samples: &[f32]| {
        let frames = samples.len() / planes.len();
        results.iter_mut().zip(samples.chunks(frames.max(1))).for_each(|(plane, new)| plane.extend(new));
    };
    let (mut at, mut cuts) = (0, cuts.iter().cycle());
    while at < planes[0].len() {
        let mut frames = (*cuts.next().unwrap()).clamp(1, planes[0].len() - at);
        let begin = at;
        at += frames;
        loop {
            engine.process(frames, |channel| &planes[channel][begin..begin + frames], &mut samples);
            if samples.is_empty() {
                break;
            }
            add(&samples);
            frames = 0;
        }
    }
    while engine.finish(&mut samples) {
        add(&samples);
    }
    results
}

fn whole(samples: &[f32], from: u32, to: u32, quality: Quality) -> Vec<f32> {
    stream(&mut Engine::new(from, to, quality, 1), &[samples.to_vec()], &[usize::MAX]).remove(0)
}

fn tone(hz: f64, rate: u32, frames: usize) -> Vec<f32> {
    (0..frames).map(|i| (0.5 * (TAU * hz * i as f64 / f64::from(rate)).cos()) as f32).collect()
}

fn decibels(amplitude: f64) -> f64 {
    20.0 * amplitude.log10()
}

fn power(samples: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = samples.fold((0.0, 0), |(sum, count), sample| (sum + sample * sample, count + 1));
    sum / f64::from(count)
}

/// The middle half of a signal: what the filter makes of begin and end is left out.
fn middle(samples: &[f32]) -> &[f32] {
    &samples[samples.len() / 4..samples.len() * 3 / 4]
}

/// Frames of a tone whose middle is out of reach of begin and end for all qualities.
fn long_enough(from: u32, to: u32) -> usize {
    2_400 * from.div_ceil(to) as usize + 2_000
}

#[test]
fn each_result_is_the_sum_that_defines_it() {
    for (from, to) in RATES {
        for quality in QUALITIES {
            let samples = noise(3_000, u64::from(from));
            let results = whole(&samples, from, to, quality);
            let kernel = quality.kernel(from.into(), to.into());
            let tolerance = match quality {
                Quality::Fast => 1e-4,
                Quality::High => 5e-6,
                Quality::Best => 2e-7,
            };
            assert_eq!(results.len() as u64, length(3_000, from.into(), to.into()));
            let largest = (0..results.len()).step_by(7).map(|n| {
                let time = n as f64 * f64::from(from) / f64::from(to);
                let sum: f64 = samples
                    .iter()
                    .enumerate()
                    .map(|(k, sample)| f64::from(*sample) * kernel.at(time - k as f64))
                    .sum();
                (sum - f64::from(results[n])).abs()
            });
            let largest = largest.fold(0.0, f64::max);
            assert!(largest < tolerance, "{from} to {to}, {quality:?}: off by {largest}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn streaming_is_processing_the_whole_signal(
        rates in prop_oneof![
            proptest::sample::select(RATES.to_vec()),
            (1_000u32..100_000, 1_000u32..100_000),
        ],
        quality in proptest::sample::select(QUALITIES.to_vec()),
        frames in prop_oneof![0usize..300, 300usize..60_000],
        cuts in proptest::collection::vec(prop_oneof![1usize..200, 1_000usize..50_000], 1..6),
        seed in any::<u64>(),
    ) {
        let planes = [noise(frames, seed), noise(frames, seed ^ 1)];
        let mut engine = Engine::new(rates.0, rates.1, quality, 2);
        // What was before leaves no trace.
        stream(&mut engine, &[noise(777, 3), noise(777, 4)], &[100]);
        engine.reset();
        let streamed = stream(&mut engine, &planes, &cuts);
        for (streamed, plane) in streamed.iter().zip(&planes) {
            prop_assert_eq!(streamed.len() as u64, length(frames as u64, rates.0.into(), rates.1.into()));
            prop_assert!(*streamed == whole(plane, rates.0, rates.1, quality));
        }
    }
}

/// What the documentation says of a quality, in the order of `QUALITIES`: the end of the pass-band,
/// where what is stopped begins (fractions of the lower Nyquist frequency), and by how many dB.
const SAID: [(f64, f64, f64); 3] = [(0.85, 1.0, 75.0), (0.9, 1.0, 110.0), (0.97, 1.0, 140.0)];

#[test]
fn the_pass_band_is_flat() {
    for (quality, (pass, _, _)) in QUALITIES.into_iter().zip(SAID) {
        for (from, to) in RATES {
            let nyquist = f64::from(from.min(to)) / 2.0;
            for step in 1..=20 {
                let hz = pass * nyquist * f64::from(step) / 20.0;
                let results = whole(&tone(hz, from, long_enough(from, to)), from, to, quality);
                let first = results.len() / 4;
                let (mut real, mut imaginary, mut weight) = (0.0, 0.0, 0.0);
                for (i, sample) in middle(&results).iter().enumerate() {
                    let angle = TAU * hz * (first + i) as f64 / f64::from(to);
                    let hann =
                        (std::f64::consts::PI * i as f64 / middle(&results).len() as f64).sin().powi(2);
                    real += hann * f64::from(*sample) * angle.cos();
                    imaginary += hann * f64::from(*sample) * angle.sin();
                    weight += hann * 0.25;
                }
                let level = decibels((real.powi(2) + imaginary.powi(2)).sqrt() / weight);
                assert!(level.abs() < 0.1, "{from} to {to}, {quality:?}: {level} dB at {hz} Hz");
                // Nothing is moved in time.
                assert!((imaginary / real).abs() < 1e-3, "{from} to {to}, {quality:?} at {hz} Hz");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_removed() {
    for (quality, (_, stop, attenuation)) in QUALITIES.into_iter().zip(SAID) {
        for (from, to) in RATES.into_iter().filter(|(from, to)| from > to) {
            let (begin, end) = (stop * f64::from(to) / 2.0, f64::from(from) / 2.0);
            for step in 0..30 {
                let hz = begin + (end - begin) * f64::from(step) / 30.0;
                if hz >= end {
                    continue;
                }
                let results = whole(&tone(hz, from, long_enough(from, to)), from, to, quality);
                let level = decibels(
                    (power(middle(&results).iter().map(|sample| f64::from(*sample))) / 0.125).sqrt(),
                );
                assert!(level < -attenuation, "{from} to {to}, {quality:?}: {level} dB at {hz} Hz");
            }
        }
    }
}

/// A tone that goes up in rate is that tone and nothing else.
#[test]
fn no_images_come_in() {
    for (quality, (pass, _, attenuation)) in QUALITIES.into_iter().zip(SAID) {
        for (from, to) in RATES {
            for part in [0.1, 0.5, 0.7, pass] {
                let hz = part * f64::from(from.min(to)) / 2.0;
                let results = whole(&tone(hz, from, long_enough(from, to)), from, to, quality);
                let first = results.len() / 4;
                let right = |i: usize| 0.5 * (TAU * hz * (first + i) as f64 / f64::from(to)).cos();
                let samples = middle(&results);
                // With the filter's gain at this frequency.
                let (product, square) =
                    samples.iter().enumerate().fold((0.0, 0.0), |(product, square), (i, sample)| {
                        (product + f64::from(*sample) * right(i), square + right(i) * right(i))
                    });
                let gain = product / square;
                let rest = samples.iter().enumerate().map(|(i, sample)| f64::from(*sample) - gain * right(i));
                let level = decibels((power(rest) / 0.125).sqrt());
                assert!(level < -attenuation, "{from} to {to}, {quality:?}: {level} dB with {hz} Hz");
            }
        }
    }
}

/// A signal of 0.1 s with nothing above 0.85 of the Nyquist frequency of 16 kHz.
fn chirp_and_tones(rate: u32) -> Vec<f64> {
    let seconds = 0.1;
    let at = |i: u32| {
        let t = f64::from(i) / f64::from(rate);
        let chirp = (TAU * (200.0 * t + 5_000.0 / seconds * t * t / 2.0)).sin();
        let tones: f64 =
            (0..7).map(|tone| (TAU * (500.0 + 780.0 * f64::from(tone)) * t + f64::from(tone)).sin()).sum();
        (std::f64::consts::PI * t / seconds).sin().powi(4) * (0.4 * chirp + 0.05 * tones)
    };
    (0..rate / 10).map(at).collect()
}

/// How far a result is from what it should be.
fn distance(ours: &[f32], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let difference = ours.iter().zip(theirs).map(|(ours, theirs)| f64::from(*ours) - theirs);
    decibels((power(difference) / power(theirs.iter().copied())).sqrt())
}

/// `golden/golden.py` made the figures. At 44.1 kHz soxr itself is -103.8 dB from the signal.
#[test]
fn the_result_is_soxrs_and_the_signal_itself() {
    let golden: [(u32, &[u8], f64); 2] = [
        (44_100, include_bytes!("golden/soxr_44100.f32"), 103.0),
        (48_000, include_bytes!("golden/soxr_48000.f32"), 130.0),
    ];
    for (rate, bytes, most) in golden {
        let (soxrs, _) = bytes.as_chunks();
        let soxrs: Vec<f64> = soxrs.iter().map(|four| f64::from(f32::from_le_bytes(*four))).collect();
        let exact = chirp_and_tones(16_000);
        let signal: Vec<f32> = chirp_and_tones(rate).into_iter().map(|sample| sample as f32).collect();
        for (quality, least) in [(Quality::Fast, 70.0), (Quality::High, 110.0), (Quality::Best, 130.0)] {
            let ours = whole(&signal, rate, 16_000, quality);
            let level = distance(&ours, &exact);
            assert!(level < -least, "{rate}, {quality:?}: {level} dB from the signal");
            let level = distance(&ours, &soxrs);
            assert!(level < -least.min(most), "{rate}, {quality:?}: {level} dB from soxr");
        }
    }
}

#[test]
fn silence_and_nothing() {
    for quality in QUALITIES {
        assert!(whole(&[], 44_100, 16_000, quality).is_empty());
        let silence = whole(&[0.0; 20_000], 44_100, 16_000, quality);
        assert!(silence.len() == 7_257 && silence.iter().all(|sample| *sample == 0.0));
    }
}

/// What a header says costs neither memory nor time out of proportion.
#[test]
fn extreme_rates() {
    for quality in QUALITIES {
        for (from, to) in [(1_000, 384_000), (1_000, 383_999), (768_000, 1_000), (767_999, 1_000)] {
            let results = whole(&noise(5, 1), from, to, quality);
            assert_eq!(results.len() as u64, length(5, from.into(), to.into()));
            assert!(results.iter().all(|sample| sample.abs() < 2.0));
        }
    }
}
