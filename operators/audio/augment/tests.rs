mod background;
mod drawn;
mod impulse;
mod parameters;
mod pitch_shift;
mod reverb;
mod sounds;
mod time_stretch;

use std::ops::Range;

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Names, Stop};
use etude_pipeline::random::Random;
use serde_json::{Value, json};

use super::chain::Source;
use super::clip::Clip;
use super::impulse::Impulses;
use super::side::Side;
use super::sounds::{Shape, Sounds};
use super::step::Step;
use super::*;
use crate::harness::{clip, operator, recording, run, wrong};

const RATE: u32 = 16_000;

fn tone(hz: f64) -> Block {
    let sample = |i: usize| (0.5 * (std::f64::consts::TAU * hz * i as f64 / f64::from(RATE)).sin()) as f32;
    Block::planar(1, (0..RATE as usize).map(sample).collect())
}

fn rms(block: &Block) -> f64 {
    let power: f64 = block.samples().iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (power / block.samples().len() as f64).sqrt()
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

/// Clips in memory, with their rates.
#[derive(Clone)]
struct Memory(Vec<(u32, Block)>);

impl Sounds for Memory {
    fn count(&self) -> u64 {
        self.0.len() as u64
    }

    fn shape(&mut self, index: u64) -> Result<Shape, Stop> {
        let (rate, block) = &self.0[index as usize];
        Ok(Shape { rate: *rate, channels: block.channels(), frames: block.frames() })
    }

    fn read(&mut self, index: u64, frames: Range<usize>) -> Result<Block, Stop> {
        Ok(self.0[index as usize].1.slice(frames.start, frames.end))
    }
}

/// Noise of a key.
fn noise(key: &str, channels: usize, frames: usize) -> Block {
    let mut random = Random::keyed(&[key.as_bytes()]);
    Block::planar(channels, (0..channels * frames).map(|_| 0.1 * random.normal() as f32).collect())
}

/// Two backgrounds and two impulse responses.
fn side(rate: u32) -> Side {
    let sounds = |key: &str, frames: usize, fall: f32| {
        let mut block = noise(key, 1, frames);
        let fading = |(at, sample): (usize, &mut f32)| *sample *= (-fall * at as f32).exp();
        block.samples_mut().iter_mut().enumerate().for_each(fading);
        (rate, block)
    };
    let background = Memory(vec![sounds("a", 40_000, 0.0), sounds("b", 700, 0.0)]);
    let impulses = Memory(vec![sounds("c", 300, 0.02), sounds("d", 900, 0.01)]);
    Side {
        background: Some(Box::new(background)),
        impulses: Some(Impulses::new(Box::new(impulses), 1 << 20)),
    }
}

/// What becomes of a clip, with the numbers of a key, and what is noted.
fn applied(
    rate: u32,
    chain: Value,
    block: &Block,
    key: &str,
    side: &mut Side,
) -> Result<(Block, Vec<Option<f64>>), Stop> {
    applied_to(Clip::from(block.clone()), rate, chain, key, side)
}

fn applied_to(
    mut clip: Clip,
    rate: u32,
    chain: Value,
    key: &str,
    side: &mut Side,
) -> Result<(Block, Vec<Option<f64>>), Stop> {
    let steps: Vec<Step> = serde_json::from_value(chain).unwrap();
    chain::check_all(&steps, "chain", "chain").unwrap();
    let mut drawn = vec![None; chain::numbers(&steps)];
    let random = |at: &str| Random::keyed(&[key.as_bytes(), at.as_bytes()]);
    let mut source = Source { rate, random: &random, side };
    chain::apply_all(&steps, &mut "chain".to_owned(), &mut clip, &mut source, &mut drawn)?;
    Ok((clip.whole().clone(), drawn))
}

/// Applies a step, with the numbers of a key.
fn apply(step: Value, block: &Block, key: &str) -> Block {
    apply_at(RATE, step, block, key)
}

fn apply_at(rate: u32, step: Value, block: &Block, key: &str) -> Block {
    applied(rate, json!([step]), block, key, &mut side(rate)).unwrap().0
}

fn difference(changed: &Block, clip: &Block) -> Block {
    let samples = changed.samples().iter().zip(clip.samples()).map(|(a, b)| a - b).collect();
    Block::planar(clip.channels(), samples)
}

#[test]
fn gain_polarity_and_reverse() {
    let gained = apply(json!({"gain": {"p": 1, "db": [-6, -6]}}), &tone(440.0), "a");
    assert!((db(rms(&gained) / rms(&tone(440.0))) + 6.0).abs() < 1e-4);
    let turned = apply(json!({"polarity": {"p": 1}}), &tone(440.0), "a");
    assert!(turned.samples().iter().zip(tone(440.0).samples()).all(|(a, b)| *a == -*b));
    let stereo = Block::planar(2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let reversed = apply(json!({"reverse": {"p": 1}}), &stereo, "a");
    assert_eq!(reversed.samples(), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
}

#[test]
fn noise_has_the_ratio_that_was_asked_for() {
    let clip = tone(440.0);
    for colour in ["white", "pink", "brown"] {
        for snr in [0.0, 20.0] {
            let noisy = apply(json!({"noise": {"p": 1, "colour": colour, "snr_db": [snr, snr]}}), &clip, "a");
            let found = db(rms(&clip) / rms(&difference(&noisy, &clip)));
            assert!((found - snr).abs() < 0.2, "{colour}: {found} dB instead of {snr}");
        }
        let noisy =
            apply(json!({"noise": {"p": 1, "colour": colour, "std_ratio": [0.01, 0.01]}}), &clip, "a");
        let found = rms(&difference(&noisy, &clip)) / rms(&clip);
        assert!((found / 0.01 - 1.0).abs() < 0.02, "{colour}: {found}");
    }
    let silent = Block::zeros(1, 100);
    assert_eq!(apply(json!({"noise": {"p": 1, "snr_db": [0, 0]}}), &silent, "a"), silent);
}

#[test]
fn noise_has_its_colour() {
    // The power between 1 and 2 kHz over that between 4 and 8 kHz: an octave has twice the width of that below, so it is
    // 1/4 of white noise, and 3 or 6 dB an octave more of coloured noise, over two octaves.
    let frames = 1 << 17;
    let quiet = Block::planar(1, (0..frames).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect());
    for (colour, expected) in [("white", -6.0), ("pink", 0.0), ("brown", 6.0)] {
        let noisy = apply(json!({"noise": {"p": 1, "colour": colour, "snr_db": [0, 0]}}), &quiet, "a");
        let mut noise = difference(&noisy, &quiet).samples().to_vec();
        let powers = crate::spectrum::real(frames, |forward, _| {
            let mut bins = forward.make_output_vec();
            forward.process(&mut noise, &mut bins).unwrap();
            bins.iter().map(|bin| f64::from(bin.norm_sqr())).collect::<Vec<_>>()
        });
        let band = |low: f64, high: f64| -> f64 {
            let bin = |hz: f64| (hz / f64::from(RATE) * frames as f64) as usize;
            powers[bin(low)..bin(high)].iter().sum()
        };
        let found = 10.0 * (band(1000.0, 2000.0) / band(4000.0, 8000.0)).log10();
        assert!((found - expected).abs() < 0.3, "{colour}: {found} dB, expected {expected}");
    }
}

#[test]
fn filters_have_their_cutoff_and_slope() {
    // |H|² = 1 / (1 + (tan πf/rate / tan πf₀/rate)^±2n): a Butterworth filter of order n after the bilinear transform, which
    // falls by 6n dB an octave.
    let warp = |hz: f64| (std::f64::consts::PI * hz / f64::from(RATE)).tan();
    let one = |hz: f64, edge: f64, twice: i32| -10.0 * (1.0 + (warp(hz) / warp(edge)).powi(twice)).log10();
    for rolloff in [6, 12, 18, 24, 36] {
        let given = |parameters: &[(&str, f64)]| {
            let mut given = json!({"p": 1, "rolloff": [rolloff, rolloff]});
            parameters.iter().for_each(|(name, value)| given[name] = json!([value, value]));
            given
        };
        let low = json!({"low_pass": given(&[("cutoff", 1000.0)])});
        let high = json!({"high_pass": given(&[("cutoff", 1000.0)])});
        let band = json!({"band_pass": given(&[("centre", 1000.0), ("bandwidth_fraction", 0.8)])});
        let twice = rolloff / 3;
        for hz in [500.0, 1000.0, 2000.0] {
            for (step, expected) in [
                (&low, one(hz, 1000.0, twice)),
                (&high, one(hz, 1000.0, -twice)),
                (&band, one(hz, 600.0, -twice) + one(hz, 1400.0, twice)),
            ] {
                // What it does at its begin is no answer to a tone.
                let late = |clip: &Block| rms(&clip.slice(8000, 16_000));
                let found = db(late(&apply(step.clone(), &tone(hz), "a")) / late(&tone(hz)));
                assert!(
                    (found - expected).abs() < 0.1,
                    "{step} at {hz} Hz: {found:.2} dB, expected {expected:.2}"
                );
            }
        }
    }
    // Each of those that the range has.
    let rolloffs: std::collections::BTreeSet<u64> = (0..100)
        .map(|key| {
            let step = json!([{"low_pass": {"p": 1, "rolloff": [24, 60]}}]);
            let (_, drawn) = applied(RATE, step, &tone(440.0), &key.to_string(), &mut side(RATE)).unwrap();
            drawn[1].unwrap() as u64
        })
        .collect();
    assert!(rolloffs.into_iter().eq([24, 30, 36, 42, 48, 54, 60]));
}

#[test]
fn a_delay_is_added_once() {
    let mut click = Block::zeros(1, 16_000);
    click.samples_mut()[100] = 1.0;
    let delayed = apply(json!({"delay": {"p": 1, "milliseconds": [250, 250], "volume": 0.5}}), &click, "a");
    let found: Vec<(usize, f32)> =
        delayed.samples().iter().copied().enumerate().filter(|(_, sample)| *sample != 0.0).collect();
    assert_eq!(found, [(100, 0.5), (100 + 4000, 0.25)]);
    // Only steps of the interval.
    let step = json!({"delay": {"p": 1, "milliseconds": [200, 450], "interval": 50}});
    let places = |step: &Value| -> std::collections::BTreeSet<usize> {
        let place = |key: usize| {
            let delayed = apply(step.clone(), &click, &key.to_string());
            delayed.samples().iter().rposition(|sample| *sample != 0.0).unwrap() - 100
        };
        (0..200).map(place).collect()
    };
    assert!(places(&step).into_iter().eq([3200, 4000, 4800, 5600, 6400, 7200]));
    assert!(places(&json!({"delay": {"p": 1, "interval": 0}})).len() > 100);
}

#[test]
fn a_mask_and_a_shift_are_as_long_as_asked_for() {
    let ones = Block::planar(1, vec![1.0; 16_000]);
    let step = json!({"time_mask": {"p": 1, "part": [0.25, 0.25], "fade": 0.01}});
    let starts: std::collections::BTreeSet<usize> = (0..50)
        .map(|key| {
            let masked = apply(step.clone(), &ones, &key.to_string());
            let zeros = masked.samples().iter().filter(|sample| **sample == 0.0).count();
            assert_eq!(zeros, 4000 - 2 * 160);
            let partly = masked.samples().iter().filter(|sample| **sample > 0.0 && **sample < 1.0).count();
            assert_eq!(partly, 2 * 160);
            masked.samples().iter().position(|sample| *sample < 1.0).unwrap()
        })
        .collect();
    assert!(starts.len() > 40 && *starts.last().unwrap() <= 12_000);

    let ramp = Block::planar(1, (0..1000).map(|at| at as f32 + 1.0).collect());
    let shifted = |by: f64, rollover: bool| {
        let step = json!({"shift": {"p": 1, "fraction": [by, by], "rollover": rollover, "fade": 0}});
        apply(step, &ramp, "a").samples().to_vec()
    };
    assert!(shifted(0.25, true).iter().eq(ramp.samples()[750..].iter().chain(&ramp.samples()[..750])));
    assert!(shifted(-0.25, true).iter().eq(ramp.samples()[250..].iter().chain(&ramp.samples()[..250])));
    assert!(shifted(0.25, false).iter().eq([0.0; 250].iter().chain(&ramp.samples()[..750])));
    assert!(shifted(-0.25, false).iter().eq(ramp.samples()[250..].iter().chain(&[0.0; 250])));
    assert!(shifted(1.0, true) == ramp.samples() && shifted(0.0, true) == ramp.samples());
    let faded = apply(json!({"shift": {"p": 1, "fraction": [0.5, 0.5], "fade": 0.01}}), &ones, "a");
    assert_eq!(faded.samples().iter().filter(|sample| **sample < 1.0).count(), 2 * 160);
}

#[test]
fn a_step_applies_with_its_probability() {
    let clip = Block::planar(1, vec![1.0]);
    let share = |step: Value| {
        let turned = |key: usize| apply(step.clone(), &clip, &key.to_string()).samples()[0] < 0.0;
        (0..2000).filter(|key| turned(*key)).count() as f64 / 2000.0
    };
    for p in [0.0, 0.3, 1.0] {
        assert!((share(json!({"polarity": {"p": p}})) - p).abs() < 0.04);
        assert!((share(json!({"apply": {"p": p, "of": [{"polarity": {"p": 0.5}}]}})) - p / 2.0).abs() < 0.04);
    }
    // One of them in any case, as often as their own probabilities say beside each other.
    let one_of = |other: f64, own: f64| {
        let other = json!({"gain": {"p": other, "db": [0, 0]}});
        json!({"one_of": {"p": 0.9, "of": [other, {"polarity": {"p": own}}, other]}})
    };
    assert!((share(one_of(0.2, 0.2)) - 0.3).abs() < 0.04);
    assert!((share(one_of(0.1, 0.4)) - 0.6).abs() < 0.04);
    assert!((share(one_of(1.0, 0.0)) - 0.0).abs() < 1e-9);
    let never: Augment = operator(json!({"chain": [one_of(0.0, 0.0)]}));
    assert_eq!(crate::harness::wrong(&never), Some("chain.0.one_of.of".into()));
}

#[test]
fn what_one_step_draws_leaves_the_others_alone() {
    let samples: Vec<f32> = tone(440.0).samples()[..500].to_vec();
    let out = |chain: Value| {
        run(&operator::<Augment>(json!({"chain": chain})), &[clip(0, &samples)]).clips()[0].1.clone()
    };
    let gain = json!({"gain": {"p": 0.5}});
    let first = |noise: Value| out(json!([noise, {"polarity": {"p": 0}}, gain]));
    // The gain is the same whether noise is added before it or not.
    let without = first(json!({"noise": {"p": 0}}));
    let with = first(json!({"noise": {"p": 1, "snr_db": [120, 120]}}));
    let worst = without.iter().zip(&with).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst > 0.0 && worst < 1e-4, "{worst}");
    // Two of the same kind draw numbers of their own.
    let gains = |chain: Value| db(f64::from(out(chain)[100]) / f64::from(samples[100]));
    let (one, two) =
        (gains(json!([{"gain": {"p": 1}}])), gains(json!([{"gain": {"p": 1}}, {"gain": {"p": 1}}])));
    assert!((two - 2.0 * one).abs() > 0.01, "{one} {two}");
}

#[test]
fn channels_get_the_same_but_for_noise() {
    let tone: Vec<f32> = tone(440.0).samples()[..800].to_vec();
    let same = |step: Value| {
        let (header, block) = recording(&[tone.clone(), tone.clone()]);
        let header = Header { frames: Some(tone.len() as u64), ..header };
        let outcome = run(&operator::<Augment>(json!({"chain": [step]})), &[(header, block)]);
        let (_, planes) = &outcome.signals[0];
        planes[0] == planes[1]
    };
    for step in [
        json!({"gain": {"p": 1}}),
        json!({"shift": {"p": 1}}),
        json!({"time_mask": {"p": 1}}),
        json!({"delay": {"p": 1, "milliseconds": [10, 20]}}),
        json!({"band_pass": {"p": 1, "centre": [100, 200]}}),
        json!({"clipping": {"p": 1}}),
        json!({"tanh_distortion": {"p": 1}}),
        json!({"pitch_shift": {"p": 1}}),
        json!({"time_stretch": {"p": 1}}),
        json!({"reverb": {"p": 1}}),
    ] {
        assert!(same(step.clone()), "{step}");
    }
    assert!(!same(json!({"noise": {"p": 1}})));
}

#[test]
fn what_does_not_suit_the_rate_is_refused() {
    let output = |step: Value| {
        let augment: Augment = operator(json!({"chain": [{"one_of": {"of": [step]}}]}));
        crate::harness::output(&augment, etude_pipeline::flow::Unit::Clip, Some(8000))
    };
    let high = output(json!({"high_pass": {"cutoff": [100, 4000]}})).unwrap_err();
    assert_eq!(high, "high_pass: `cutoff` must stay below half the rate, 4000 Hz");
    let band = output(json!({"band_pass": {}})).unwrap_err();
    assert_eq!(band, "band_pass: `centre` must stay below half the rate, 4000 Hz");
    assert!(output(json!({"low_pass": {}})).is_ok());
}

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/steps.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|sample| sample.as_f64().unwrap() as f32).collect()
}

/// The largest difference over the largest sample.
fn scaled_error(found: &Block, expected: &[f32]) -> f32 {
    assert_eq!(found.samples().len(), expected.len());
    let largest = expected.iter().fold(0f32, |most, sample| most.max(sample.abs()));
    found.samples().iter().zip(expected).fold(0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

/// SciPy's filters and audiomentations' other steps, by `golden/steps.py`.
#[test]
fn steps_are_those_of_others() {
    let golden = golden();
    let signal = Block::planar(1, numbers(&golden["signal"]));
    let steps = golden["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 19);
    for step in steps {
        let worst = scaled_error(&apply(step[0].clone(), &signal, "a"), &numbers(&step[1]));
        assert!(worst < 1e-5, "{}: scaled error {worst}", step[0]);
    }
}
