use etude_pipeline::operator::Stop;
use serde_json::{Value, json};

use super::*;
use crate::harness::{self, Outcome, clip, operator, recording, run};

/// So many frames of a square wave.
fn square(amplitude: f32, frames: usize) -> Vec<f32> {
    (0..frames).map(|frame| if frame % 2 == 0 { amplitude } else { -amplitude }).collect()
}

fn filter(parameters: Value, signals: &[(Header, Block)]) -> Outcome {
    run(&operator::<Filter>(parameters), signals)
}

/// What is said of a recording; nothing if it passes, which it does unchanged.
fn of_recording(parameters: Value, samples: Vec<f32>) -> String {
    let signal = recording(&[samples]);
    let outcome = filter(parameters, std::slice::from_ref(&signal));
    if outcome.stop.is_some() {
        return outcome.reason().to_owned();
    }
    assert_eq!(outcome.signals, [(signal.0, vec![signal.1.channel(0).to_vec()])]);
    String::new()
}

#[test]
fn recordings_that_do_not_pass_are_taken_back_with_the_reason() {
    let of = of_recording;
    assert_eq!(of(json!({"duration": {"min": 0.2, "max": 0.4}}), square(0.5, 200)), "");
    assert_eq!(of(json!({"duration": {"min": 0.2, "max": 0.4}}), square(0.5, 400)), "");
    assert_eq!(
        of(json!({"duration": {"min": 0.2}}), square(0.5, 199)),
        "lasts 0.199 s, expected at least 0.2 s"
    );
    assert_eq!(of(json!({"duration": {"max": 0.4}}), square(0.5, 401)), "longer than 0.4 s");
    // 0.5 is −6.02 dB.
    let between = |name: &str| json!({name: {"min": -6.1, "max": -5.9}});
    assert_eq!(of(between("rms_db"), square(0.5, 200)), "");
    assert_eq!(of(between("peak_db"), square(0.5, 200)), "");
    assert_eq!(of(between("rms_db"), square(0.4, 200)), "RMS -7.96 dBFS, expected at least -6.1 dBFS");
    assert_eq!(of(between("rms_db"), square(0.6, 200)), "RMS -4.44 dBFS, expected at most -5.9 dBFS");
    assert_eq!(of(between("peak_db"), square(0.4, 200)), "peak -7.96 dBFS, expected at least -6.1 dBFS");
    assert_eq!(of(between("peak_db"), square(0.6, 200)), "peak of more than -5.9 dBFS");
    assert_eq!(
        of(json!({"rms_db": {"min": -100}}), vec![0.0; 50]),
        "RMS -inf dBFS, expected at least -100 dBFS"
    );
    let clipped: Vec<f32> = square(1.0, 10).into_iter().chain(square(0.5, 90)).collect();
    assert_eq!(of(json!({"clipping": {"max": 0.1}}), clipped.clone()), "");
    assert_eq!(of(json!({"clipping": {"max": 0.09}}), clipped), "clipping 0.10000, expected at most 0.09");
    assert_eq!(
        of(json!({"duration": {"min": 0}}), vec![0.1, f32::NAN, 0.1]),
        "has samples that are no numbers"
    );
}

#[test]
fn loudness_of_recordings() {
    // A sine of 0.1 has −23 dBFS; at 100 Hz the K-weighting takes about 1 dB away, and −0.7 is its constant.
    let tone = |frames: i32| {
        let sample = |i: i32| (0.1 * (f64::from(i) * std::f64::consts::TAU / 40.0).sin()) as f32;
        (0..frames).map(sample).collect()
    };
    let of = |limits: Value, samples: Vec<f32>| {
        let outcome = filter(json!({"loudness": limits}), &[harness::at(4000, recording(&[samples]))]);
        if outcome.stop.is_some() { outcome.reason().to_owned() } else { String::new() }
    };
    // One is shorter than a block of 0.4 s.
    for frames in [8000, 1000] {
        assert_eq!(of(json!({"min": -26, "max": -24}), tone(frames)), "");
        assert!(of(json!({"min": -24}), tone(frames)).ends_with("LUFS, expected at least -24 LUFS"));
        assert!(of(json!({"max": -26}), tone(frames)).ends_with("LUFS, expected at most -26 LUFS"));
    }
    let silent = of(json!({"min": -70}), vec![0.0; 8000]);
    assert_eq!(silent, "loudness -inf LUFS, expected at least -70 LUFS");
}

/// Two faults that are certain before the end: the earlier one is told, whatever the blocks.
#[test]
fn the_reason_does_not_depend_on_blocks() {
    let parameters = json!({"duration": {"max": 0.1}, "peak_db": {"max": -3}});
    let samples =
        |loud: usize| -> Vec<f32> { (0..300).map(|frame| if frame == loud { 1.0 } else { 0.1 }).collect() };
    assert_eq!(of_recording(parameters.clone(), samples(99)), "peak of more than -3 dBFS");
    assert_eq!(of_recording(parameters, samples(100)), "longer than 0.1 s");
}

#[test]
fn clips_that_do_not_pass_are_counted_under_the_reason() {
    let parameters = json!({
        "duration": {"min": 0.05, "max": 0.2},
        "peak_db": {"min": -40, "max": 3},
        "rms_db": {"min": -30, "max": -3},
        "clipping": {"max": 0.5},
    });
    let quiet: Vec<f32> = std::iter::once(0.1).chain(square(0.001, 99)).collect();
    let mut broken = square(0.1, 100);
    broken[50] = f32::INFINITY;
    broken[50] -= f32::INFINITY;
    let signals = [
        clip(0, &square(0.5, 100)),
        clip(100, &square(0.5, 49)),
        clip(200, &square(0.5, 201)),
        clip(300, &square(0.005, 100)),
        clip(400, &square(1.5, 100)),
        clip(500, &quiet),
        clip(600, &square(0.9, 100)),
        clip(700, &square(1.0, 100)),
        clip(800, &broken),
        clip(900, &square(0.3, 200)),
    ];
    let outcome = filter(parameters, &signals);
    let kept: Vec<u64> = outcome.clips().iter().map(|(start, _)| *start).collect();
    assert_eq!((kept, outcome.stop), (vec![0, 900], None));
    let counts: Vec<(&str, u64)> = outcome.counts.into_iter().collect();
    let one_each = [
        "clipped",
        "not_finite",
        "peak_too_high",
        "peak_too_low",
        "rms_too_high",
        "rms_too_low",
        "too_long",
        "too_short",
    ];
    assert_eq!(counts, one_each.map(|name| (name, 1)));
    let loud = filter(json!({"loudness": {"max": -10}}), &[harness::at(4000, clip(0, &square(0.9, 4000)))]);
    assert_eq!((loud.signals.len(), loud.counts["loudness_too_high"]), (0, 1));
    let soft = filter(json!({"loudness": {"min": -10}}), &[harness::at(4000, clip(0, &square(0.1, 4000)))]);
    assert_eq!((soft.signals.len(), soft.counts["loudness_too_low"]), (0, 1));
}

/// A recording that is too long ends where that is certain; the rest is not asked for.
#[test]
fn a_long_recording_ends_early() {
    let Body::Map(make) = operator::<Filter>(json!({"duration": {"max": 0.1}})).body() else { panic!() };
    let context = operator::Context {
        seed: 0,
        stage: std::sync::Arc::from("test"),
        epoch: 0,
        block: 100,
        cancel: Default::default(),
        sides: Default::default(),
    };
    let (mut map, mut output) = (make(context), Outcome::default());
    let (header, samples) = recording(&[square(0.5, 101)]);
    map.begin(&header, &mut output).unwrap();
    map.block(&mut samples.slice(0, 100), &mut output).unwrap();
    let stop = map.block(&mut samples.slice(100, 101), &mut output);
    assert!(matches!(stop, Err(Stop::Filtered { .. })));
}

#[test]
fn ranges_are_enforced_by_name() {
    let wrong = |parameters: Value| harness::wrong(&operator::<Filter>(parameters)).unwrap_or_default();
    assert_eq!(wrong(json!({})), "duration");
    assert_eq!(wrong(json!({"rms_db": {}})), "rms_db");
    assert_eq!(wrong(json!({"rms_db": {"min": 0, "max": -1}})), "rms_db.min");
    assert_eq!(wrong(json!({"rms_db": {"min": -1, "max": -1}})), "");
    assert_eq!(wrong(json!({"duration": {"min": -1}})), "duration.min");
    assert_eq!(wrong(json!({"duration": {"max": -1}})), "duration.max");
    assert_eq!(wrong(json!({"clipping": {"max": 1.5}})), "clipping.max");
    assert_eq!(wrong(json!({"clipping": {"max": 0}})), "");
    let infinite = |min| Filter { loudness: Some(Limits { min: Some(min), max: None }), ..Filter::default() };
    assert_eq!(harness::wrong(&infinite(f64::NAN)).unwrap(), "loudness.min");
    assert_eq!(harness::wrong(&infinite(f64::NEG_INFINITY)).unwrap(), "loudness.min");
}
