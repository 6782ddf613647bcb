use std::sync::Arc;

use etude_pipeline::flow::{Header, SignalType};
use serde_json::json;

use super::*;
use crate::harness::{operator, run};

const CHANNELS: usize = 5;
const FRAMES: usize = 37;

fn value(channel: usize, frame: usize) -> f32 {
    (channel as f32 + 1.0) * (frame as f32 * 0.7).sin() - 20.0
}

/// A clip of features, then what came out of it.
fn out(over: &str) -> Vec<Vec<f32>> {
    let header = Header::audio(Arc::from("a"), 0, 8000, CHANNELS as u16, Some(FRAMES as u64));
    let values = (0..CHANNELS).flat_map(|channel| (0..FRAMES).map(move |frame| value(channel, frame)));
    let clip = (Header { hop: 10, ..header }, Block::planar(CHANNELS, values.collect()));
    run(&operator::<Standardisation>(json!({"over": over})), &[clip]).signals.remove(0).1
}

/// The formula, in double precision.
fn expected(values: &[f32]) -> Vec<f32> {
    let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    values.iter().map(|value| ((value - mean) / (variance.sqrt() + 1e-5)) as f32).collect()
}

fn close(found: &[f32], expected: &[f32]) {
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-6), "{found:?} {expected:?}");
}

#[test]
fn a_clip_has_one_mean_and_deviation() {
    let values: Vec<f32> =
        (0..CHANNELS).flat_map(|channel| (0..FRAMES).map(move |frame| value(channel, frame))).collect();
    close(&out("clip").concat(), &expected(&values));
}

#[test]
fn frames_have_their_own() {
    let found = out("frame");
    for frame in 0..FRAMES {
        let values: Vec<f32> = (0..CHANNELS).map(|channel| value(channel, frame)).collect();
        close(&found.iter().map(|plane| plane[frame]).collect::<Vec<_>>(), &expected(&values));
    }
}

#[test]
fn what_does_not_vary_becomes_zero() {
    for over in ["frame", "clip"] {
        let header = Header::audio(Arc::from("a"), 0, 8000, 2, Some(3));
        let clip = (Header { hop: 10, ..header }, Block::planar(2, vec![-7.0; 6]));
        let outcome = run(&operator::<Standardisation>(json!({"over": over})), &[clip]);
        assert_eq!(outcome.signals[0].1, [[0.0; 3]; 2]);
    }
}

#[test]
fn what_there_is_none_of_is_refused() {
    let output = |over: &str, channels: u16, unit: Unit| {
        let signal = Flow::Signal(SignalType::audio(Some(8000), Some(channels), unit));
        operator::<Standardisation>(json!({"over": over})).output(&Inputs(vec![("from", vec![&signal])]))
    };
    assert!(output("clip", 1, Unit::Clip).is_ok() && output("frame", 2, Unit::Recording).is_ok());
    assert!(output("clip", 2, Unit::Recording).unwrap_err().message.contains("segment"));
    assert!(output("frame", 1, Unit::Clip).unwrap_err().message.contains("clip"));
}
