use etude_pipeline::operator::{Context, Stop};
use serde_json::{Value, json};

use super::*;
use crate::harness::{self, Outcome, operator, output, run};
use crate::measure::to_db;

/// Loudness is not measured at the rate of the harness.
const RATE: u32 = 4000;

fn clip(start: u64, plane: &[f32]) -> (Header, Block) {
    harness::at(RATE, harness::clip(start, plane))
}

fn recording(planes: &[Vec<f32>]) -> (Header, Block) {
    harness::at(RATE, harness::recording(planes))
}

/// So many frames of a sine of 100 Hz, 40 to a period.
fn tone(amplitude: f64, frames: usize) -> Vec<f32> {
    let sample = |i: usize| amplitude * (std::f64::consts::TAU * 100.0 * i as f64 / f64::from(RATE)).sin();
    (0..frames).map(|i| sample(i) as f32).collect()
}

fn normalise(parameters: Value, signals: &[(Header, Block)]) -> Outcome {
    run(&operator::<Normalise>(parameters), signals)
}

/// The measure of each signal that came out.
fn measures(outcome: &Outcome) -> Vec<Measure> {
    let measure = |(header, planes): &(Header, Vec<Vec<f32>>)| {
        let block = Block::planar(planes.len(), planes.concat());
        let mut measure = Measure::new(header, true).unwrap();
        measure.add(&block, 0, block.frames()).unwrap();
        measure
    };
    outcome.signals.iter().map(measure).collect()
}

/// The gain in dB that each signal got.
fn gains(outcome: &Outcome, signals: &[(Header, Block)]) -> Vec<f64> {
    let pairs = outcome.signals.iter().zip(signals);
    pairs.map(|(after, before)| to_db(f64::from(after.1[0][3]) / f64::from(before.1.channel(0)[3]))).collect()
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-3, "{found}, expected {expected}");
}

#[test]
fn each_clip_reaches_the_target() {
    let signals = [clip(0, &tone(0.5, 1000)), clip(1000, &tone(0.05, 1000)), clip(2000, &tone(0.9, 250))];
    for (name, target) in [("peak_db", -1.0), ("rms_db", -20.0), ("lufs", -23.0)] {
        let outcome = normalise(json!({name: target}), &signals);
        assert_eq!((outcome.signals.len(), outcome.counts.len()), (3, 0));
        for measure in measures(&outcome) {
            let level = measure.level();
            near(
                match name {
                    "peak_db" => level.peak_db(),
                    "rms_db" => level.rms_db(),
                    _ => measure.lufs(),
                },
                target,
            );
        }
    }
}

#[test]
fn a_recording_gets_one_gain_for_all_channels() {
    let loud: Vec<f32> = tone(0.5, 1000).into_iter().chain(tone(0.01, 1000)).collect();
    let signal = recording(&[loud.clone(), tone(0.1, 2000)]);
    for (name, target) in [("peak_db", -1.0), ("rms_db", -20.0), ("lufs", -23.0)] {
        let outcome = normalise(json!({name: target, "of": "recording"}), std::slice::from_ref(&signal));
        let (header, planes) = &outcome.signals[0];
        assert_eq!(*header, signal.0);
        let factor = planes[0][3] / loud[3];
        let scaled = |plane: &[f32], before: &[f32]| {
            plane.iter().zip(before).all(|(after, before)| (after - before * factor).abs() < 1e-6)
        };
        assert!(scaled(&planes[0], &loud) && scaled(&planes[1], &tone(0.1, 2000)));
        let measure = &measures(&outcome)[0];
        let level = measure.level();
        near(
            match name {
                "peak_db" => level.peak_db(),
                "rms_db" => level.rms_db(),
                _ => measure.lufs(),
            },
            target,
        );
    }
}

/// The gain of a recording comes from all its clips, and a frame that is in two of them counts once.
#[test]
fn clips_share_the_gain_of_their_recording() {
    let whole: Vec<f32> = tone(0.5, 1000).into_iter().chain(tone(0.1, 1000)).collect();
    let recordings = [recording(std::slice::from_ref(&whole))];
    let apart: Vec<_> = (0..4).map(|i| clip(i * 500, &whole[i as usize * 500..][..500])).collect();
    let overlapping: Vec<_> = (0..7).map(|i| clip(i * 250, &whole[i as usize * 250..][..500])).collect();
    for name in ["peak_db", "rms_db", "lufs"] {
        let parameters = json!({name: -20, "of": "recording"});
        let expected = gains(&normalise(parameters.clone(), &recordings), &recordings)[0];
        for clips in [&apart, &overlapping] {
            let outcome = normalise(parameters.clone(), clips);
            assert_eq!(outcome.signals.len(), clips.len());
            gains(&outcome, clips).into_iter().for_each(|gain| near(gain, expected));
        }
    }
}

#[test]
fn silence_and_what_is_no_number_stay_as_they_are() {
    let mut broken = tone(0.1, 1000);
    broken[70] = f32::INFINITY;
    let signals = [clip(0, &[0.0; 1000]), clip(1000, &broken), clip(2000, &tone(1e-4, 1000))];
    for name in ["peak_db", "rms_db", "lufs"] {
        let outcome = normalise(json!({name: -20, "max_gain_db": 120}), &signals);
        assert_eq!(outcome.signals[0].1[0], vec![0.0; 1000]);
        assert_eq!(outcome.signals[1].1[0], broken);
        assert_eq!(outcome.counts["not_finite"], 1);
        // −84 LUFS is below the absolute gate.
        assert_eq!(outcome.counts["silent"], if name == "lufs" { 2 } else { 1 });
    }
    let recording = [recording(&[vec![0.0; 1000]])];
    let outcome = normalise(json!({"rms_db": -20, "of": "recording"}), &recording);
    assert_eq!((outcome.signals[0].1[0].as_slice(), outcome.counts["silent"]), ([0.0; 1000].as_slice(), 1));
}

#[test]
fn gains_are_limited_and_counted() {
    // A sine has a peak 3.01 dB above its RMS.
    let signals = [clip(0, &tone(0.001, 1000)), clip(1000, &tone(0.5, 1000))];
    let outcome = normalise(json!({"rms_db": -10, "max_gain_db": 20}), &signals);
    near(gains(&outcome, &signals)[0], 20.0);
    near(measures(&outcome)[1].level().rms_db(), -10.0);
    assert_eq!(outcome.counts, [("gain_limited", 1)].into());
    let outcome = normalise(json!({"rms_db": -1, "limit_peak_db": -0.5, "max_gain_db": 100}), &signals);
    measures(&outcome).iter().for_each(|measure| near(measure.level().peak_db(), -0.5));
    assert_eq!(outcome.counts, [("peak_limited", 2)].into());
    // Both: the first needs more than it may have, and even that is too much for its peak.
    let outcome = normalise(json!({"rms_db": 0, "limit_peak_db": -50, "max_gain_db": 20}), &signals);
    measures(&outcome).iter().for_each(|measure| near(measure.level().peak_db(), -50.0));
    assert_eq!(outcome.counts, [("gain_limited", 1), ("peak_limited", 2)].into());
    // Nothing is limited where nothing is asked for.
    let outcome = normalise(json!({"rms_db": 0}), &signals[1..]);
    near(measures(&outcome)[0].level().peak_db(), 3.0103);
    // Of a recording it is counted once.
    let clips = [clip(0, &tone(0.001, 500)), clip(500, &tone(0.001, 500))];
    let outcome = normalise(json!({"rms_db": -10, "max_gain_db": 20, "of": "recording"}), &clips);
    assert_eq!(outcome.counts, [("gain_limited", 1)].into());
}

/// Without its first pass, or with that of another item, there is no gain.
#[test]
fn a_recording_that_was_not_measured_is_rejected() {
    let Body::Map(make) = operator::<Normalise>(json!({"lufs": -20, "of": "recording"})).body() else {
        panic!()
    };
    let context = Context {
        seed: 0,
        stage: "test".into(),
        epoch: 0,
        block: 100,
        cancel: Default::default(),
        sides: Default::default(),
    };
    let (mut map, mut output) = (make(context), Outcome::default());
    let (header, samples) = recording(&[tone(0.5, 1000)]);
    let rejected = |step| matches!(step, Err(Stop::Rejected { class: "normalise", .. }));
    assert!(rejected(map.begin(&header, &mut output)));
    let survey = map.survey().unwrap();
    survey.item();
    survey.begin(&header).unwrap();
    survey.block(&samples).unwrap();
    survey.end().unwrap();
    assert!(rejected(map.begin(&Header { item: "b".into(), ..header.clone() }, &mut output)));
    assert!(map.begin(&header, &mut output).is_ok());
    // Clips need no first pass.
    let Body::Map(make) = operator::<Normalise>(json!({"lufs": -20})).body() else { panic!() };
    let context = Context {
        seed: 0,
        stage: "test".into(),
        epoch: 0,
        block: 100,
        cancel: Default::default(),
        sides: Default::default(),
    };
    assert!(make(context).survey().is_none());
}

#[test]
fn recordings_have_to_be_asked_for() {
    let of = |of: &str, unit| output(&operator::<Normalise>(json!({"lufs": -20, "of": of})), unit, None);
    assert!(of("clip", Unit::Recording).unwrap_err().contains("say `of: recording`"));
    assert!(of("clip", Unit::Clip).is_ok());
    assert!(of("recording", Unit::Clip).is_ok());
    assert!(of("recording", Unit::Recording).is_ok());
    let lufs = operator::<Normalise>(json!({"lufs": -20}));
    assert!(output(&lufs, Unit::Clip, Some(3999)).unwrap_err().contains("from 4000 Hz on"));
}

#[test]
fn ranges_are_enforced_by_name() {
    let wrong = |parameters: Value| harness::wrong(&operator::<Normalise>(parameters)).unwrap_or_default();
    assert_eq!(wrong(json!({})), "peak_db");
    assert_eq!(wrong(json!({"rms_db": -20, "lufs": -20})), "lufs");
    assert_eq!(wrong(json!({"peak_db": 1})), "peak_db");
    assert_eq!(wrong(json!({"rms_db": -121})), "rms_db");
    assert_eq!(wrong(json!({"lufs": -71})), "lufs");
    assert_eq!(wrong(json!({"lufs": -20, "max_gain_db": -1})), "max_gain_db");
    assert_eq!(wrong(json!({"lufs": -20, "limit_peak_db": 1})), "limit_peak_db");
    assert_eq!(wrong(json!({"peak_db": -20, "limit_peak_db": -1})), "limit_peak_db");
    assert_eq!(wrong(json!({"lufs": -20, "limit_peak_db": -1})), "");
}
