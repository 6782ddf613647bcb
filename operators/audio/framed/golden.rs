//! Others' figures for frame-wise features: `golden/common.py` says how they are made.

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::Operator;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::harness::{at, clip, operator, run};

pub(crate) const RATE: u32 = 16_000;

/// The scripts' signal: three tones and noise of a linear congruential generator.
pub(crate) fn signal(samples: usize) -> Vec<f32> {
    let mut state = 1u32;
    let sample = |t: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f64::from(state >> 8) / f64::from(1 << 23) - 1.0;
        let tone =
            |hz: f64, phase: f64| (std::f64::consts::TAU * hz * t as f64 / f64::from(RATE) + phase).sin();
        let tones = 0.4 * tone(220.0, 0.0) + 0.2 * tone(1375.0, 1.0) + 0.1 * tone(5050.0, 2.0);
        (tones + 0.05 * noise) as f32
    };
    (0..samples).map(sample).collect()
}

/// So many samples of it as a clip.
pub(crate) fn sound(samples: usize) -> (Header, Block) {
    at(RATE, clip(0, &signal(samples)))
}

/// The largest difference over the largest value.
pub(crate) fn scaled_error(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0f32, |most, value| most.max(value.abs()));
    ours.iter().zip(theirs).fold(0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

/// The only signal that comes of a clip, channel after channel.
pub(crate) fn features(operator: &impl Operator, clip: &(Header, Block)) -> Vec<Vec<f32>> {
    let mut outcome = run(operator, std::slice::from_ref(clip));
    assert_eq!((outcome.signals.len(), &outcome.stop), (1, &None));
    outcome.signals.remove(0).1
}

/// An error unless the operator gives what the golden file has, for each of its cases.
pub(crate) fn agrees<T: Operator + DeserializeOwned>(golden: &str) {
    let golden: Value = serde_json::from_str(golden).unwrap();
    let sound = sound(golden["samples"].as_u64().unwrap() as usize);
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 6);
    for case in cases {
        let what = format!("{}: {}", case["by"], case["parameters"]);
        let planes = features(&operator::<T>(case["parameters"].clone()), &sound);
        assert!(planes.iter().all(|plane| plane.len() as u64 == case["frames"].as_u64().unwrap()), "{what}");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for (frame, column) in case["columns"].as_object().unwrap() {
            let frame: usize = frame.parse().unwrap();
            ours.extend(planes.iter().map(|plane| plane[frame]));
            theirs.extend(column.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32));
        }
        let error = scaled_error(&ours, &theirs);
        println!("{error:.1e} {what}");
        assert!(error <= 1e-5, "{what}: scaled error {error}");
    }
}

/// For each parameter two values that give different features, and one that is out of its range.
pub(crate) fn no_parameter_is_ignored<T: Operator + DeserializeOwned>(
    base: &Value,
    table: &[(&str, Value, Value, Value)],
) {
    let sound = sound(2500);
    let with = |parameter: &str, value: &Value| {
        let mut parameters = base.clone();
        // A dot leads into a nested one.
        let place = parameter.split('.').fold(&mut parameters, |place, name| &mut place[name]);
        *place = value.clone();
        operator::<T>(parameters)
    };
    for (parameter, one, other, bad) in table {
        let [one, other] = [one, other].map(|value| features(&with(parameter, value), &sound));
        assert!(one != other, "{parameter}");
        if !bad.is_null() {
            let found = crate::harness::wrong(&with(parameter, bad));
            assert!(
                found.as_deref().is_some_and(|found| found.starts_with(parameter)),
                "{parameter}: {found:?}"
            );
        }
    }
    // All parameters are there.
    let names: Vec<&str> =
        table.iter().map(|(parameter, ..)| parameter.split('.').next().unwrap_or("")).collect();
    let parameters = operator::<T>(base.clone()).parameters();
    for name in parameters.as_object().unwrap().keys() {
        assert!(names.contains(&name.as_str()), "{name} is not in the table");
    }
}
