use etude_pipeline::flow::{Mask, SignalType, Unit};
use serde_json::{Value, json};

use super::*;
use crate::harness::{clip, operator, output, recording, run, wrong};

fn n_grams(parameters: Value) -> NGrams {
    operator(parameters)
}

/// Two channels that say which frame it is.
fn features(start: u64, frames: usize) -> (Header, Block) {
    let ramp: Vec<f32> = (0..frames).map(|i| i as f32).collect();
    let (mut header, block) = recording(&[ramp.clone(), ramp.iter().map(|value| -value).collect()]);
    (header.start, header.hop, header.frames) = (start, 10, Some(frames as u64));
    (header, block)
}

#[test]
fn each_is_a_clip_of_its_own() {
    for (frames, length, hop) in
        [(100, 32, 1), (100, 32, 7), (100, 5, 9), (32, 32, 3), (100, 1, 1), (95, 10, 40)]
    {
        let signals = run(&n_grams(json!({"frames": length, "hop": hop})), &[features(5000, frames)]).signals;
        assert_eq!(signals.len(), (frames - length) / hop + 1);
        for (number, (header, planes)) in signals.iter().enumerate() {
            let first = number * hop;
            assert_eq!(header.start, 5000 + 10 * first as u64);
            assert_eq!((header.frames, header.view, header.channels), (Some(length as u64), 0, 2));
            let wanted: Vec<f32> = (first..first + length).map(|i| i as f32).collect();
            assert_eq!(planes[0], wanted);
            assert!(planes[1].iter().zip(&wanted).all(|(there, here)| *there == -here));
        }
    }
}

#[test]
fn one_frame_apart_by_default() {
    assert_eq!(run(&n_grams(json!({"frames": 32})), &[features(0, 50)]).signals.len(), 19);
}

#[test]
fn masks_go_with_them() {
    let (mut header, block) = features(0, 40);
    header.mask = Some(Mask::marked([(3, 12), (30, 40)].into()));
    for (number, (header, _)) in
        run(&n_grams(json!({"frames": 8, "hop": 8})), &[(header, block)]).signals.into_iter().enumerate()
    {
        let wanted: &[(u64, u64)] = [&[(3, 8)][..], &[(0, 4)], &[], &[(6, 8)], &[(0, 8)]][number];
        assert_eq!(&*header.mask.unwrap().covered, wanted);
    }
}

#[test]
fn recordings_and_several_clips() {
    let (mut header, block) = features(0, 5000);
    header.frames = None;
    assert_eq!(run(&n_grams(json!({"frames": 64, "hop": 64})), &[(header, block)]).signals.len(), 78);
    let outcome =
        run(&n_grams(json!({"frames": 6, "hop": 3})), &[features(0, 9), features(900, 5), features(70, 6)]);
    let starts: Vec<u64> = outcome.signals.iter().map(|(header, _)| header.start).collect();
    assert_eq!((starts, outcome.counts["too_short"]), (vec![0, 30, 70], 1));
    let audio = run(&n_grams(json!({"frames": 2})), &[clip(7, &[1.0, 2.0, 3.0])]);
    assert_eq!(audio.clips(), [(7, vec![1.0, 2.0]), (8, vec![2.0, 3.0])]);
}

#[test]
fn what_is_known_beforehand() {
    let grams = n_grams(json!({"frames": 32}));
    let signal = output(&grams, Unit::Recording, Some(1000)).unwrap();
    assert_eq!((signal.unit, signal.frames, signal.most_frames), (Unit::Clip, Some(32), Some(32)));
    let given = |signal: SignalType| grams.output(&Inputs(vec![("from", vec![&Flow::Signal(signal)])]));
    let clips = || SignalType::audio(Some(1000), Some(1), Unit::Clip);
    assert!(
        given(SignalType { frames: Some(31), ..clips() })
            .unwrap_err()
            .message
            .contains("more than the clips have")
    );
    assert!(given(SignalType { most_frames: Some(31), ..clips() }).is_err());
    assert!(given(SignalType { frames: Some(32), ..clips() }).is_ok());
    assert!(given(SignalType { views: 2, ..clips() }).unwrap_err().message.contains("one view"));
}

#[test]
fn ranges_are_enforced() {
    let wrong = |parameters| wrong(&n_grams(parameters));
    assert_eq!(wrong(json!({"frames": 0})), Some("frames".into()));
    assert_eq!(wrong(json!({"frames": 1_000_001})), Some("frames".into()));
    assert_eq!(wrong(json!({"frames": 1, "hop": 0})), Some("hop".into()));
    assert_eq!(wrong(json!({"frames": 1_000_000, "hop": 1_000_001})), Some("hop".into()));
}
