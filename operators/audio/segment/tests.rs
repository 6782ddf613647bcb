use etude_pipeline::flow::Unit;
use etude_pipeline::operator::Stop;
use serde_json::{Value, json};

use super::*;
use crate::harness::{self, Outcome, clip, operator, output, recording, run};

/// Frames that say where they are.
fn ramp(frames: usize) -> Vec<f32> {
    (0..frames).map(|frame| frame as f32 + 1.0).collect()
}

fn wrong(parameters: Value) -> Option<String> {
    harness::wrong(&operator::<Segment>(parameters))
}

/// Cuts a ramp of that many frames, at 1000 Hz.
fn cut(parameters: Value, frames: usize) -> Outcome {
    run(&operator::<Segment>(parameters), &[recording(&[ramp(frames)])])
}

/// First frame, start and length of each clip, by the ramp's values.
fn spans(outcome: &Outcome) -> Vec<(u64, f32, usize)> {
    let clips = outcome.clips();
    clips.iter().map(|(start, clip)| (*start, clip.iter().copied().next().unwrap(), clip.len())).collect()
}

/// The parameters with a table of windows.
fn with_windows(csv: &str, mut parameters: Value) -> (tempfile::TempDir, Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("windows.csv");
    std::fs::write(&path, csv).unwrap();
    parameters["windows"] = json!(path);
    (folder, parameters)
}

#[test]
fn seconds_and_frames_are_the_same() {
    let seconds = cut(json!({"seconds": 0.1, "hop": 0.03, "tail": "keep", "minimum": 0.02}), 333);
    let frames = cut(json!({"frames": 100, "hop": 30, "tail": "keep", "minimum": 20}), 333);
    assert_eq!(seconds, frames);
    assert_eq!(seconds.signals.len(), 9);
    assert_eq!(
        spans(&cut(json!({"frames": 100}), 333)),
        [(0, 1.0, 100), (100, 101.0, 100), (200, 201.0, 100)]
    );
}

#[test]
fn a_tail_needs_its_minimum() {
    let pad = |minimum: u64, frames| cut(json!({"frames": 100, "tail": "pad", "minimum": minimum}), frames);
    let padded = pad(20, 120);
    assert_eq!(spans(&padded), [(0, 1.0, 100), (100, 101.0, 100)]);
    assert!(padded.clips()[1].1[20..].iter().all(|sample| *sample == 0.0));
    let short = pad(21, 120);
    assert_eq!((short.signals.len(), short.counts["short_tails"]), (1, 1));
    assert_eq!(pad(50, 49).reason(), "shorter than `minimum`, 50 frames");
    assert_eq!(cut(json!({"seconds": 1}), 999).reason(), "shorter than a clip of 1 s");
    assert_eq!(cut(json!({"frames": 1000}), 999).reason(), "shorter than a clip of 1000 frames");
    let keep = cut(json!({"frames": 100, "tail": "keep", "minimum": 20}), 119);
    assert_eq!((spans(&keep), keep.counts["short_tails"]), (vec![(0, 1.0, 100)], 1));
}

/// A tail that the last clip holds already is no clip of its own.
#[test]
fn no_clip_twice() {
    let tail = |frames| spans(&cut(json!({"frames": 100, "hop": 40, "tail": "pad"}), frames)).len();
    assert_eq!([100, 101, 140, 141, 180].map(tail), [1, 2, 2, 3, 3]);
}

#[test]
fn silent_clips_are_left_out_and_counted() {
    let sound = |amplitude: f32, frames: usize| {
        (0..frames).map(move |i| if i % 2 == 0 { amplitude } else { -amplitude })
    };
    let samples: Vec<f32> = sound(0.5, 200).chain(sound(0.0, 350)).chain(sound(0.5, 50)).collect();
    let segment = |ratio: f64, tail: &str| {
        let silence = json!({"below_db": -40, "keep_ratio": ratio});
        operator::<Segment>(json!({"frames": 200, "tail": tail, "silence": silence}))
    };
    let signals = [recording(&[samples.clone(), samples.clone()])];
    // Of the windows of 50 ms, 4 of 4, 0 of 4 and 1 of 4 sound.
    for (ratio, starts) in [(0.25, &[0, 400][..]), (0.26, &[0])] {
        let outcome = run(&segment(ratio, "drop"), &signals);
        let found: Vec<u64> = outcome.clips().iter().map(|(start, _)| *start).collect();
        assert_eq!((found.as_slice(), outcome.counts["silent_clips"]), (starts, 3 - starts.len() as u64));
    }
    let silent = run(&segment(0.5, "drop"), &[recording(&[vec![0.0; 600]])]);
    assert_eq!(silent.reason(), "all of its clips are silent, 3 of them");
    // Padding is silence too.
    let padded = [recording(&[samples[..50].to_vec()])];
    assert_eq!(run(&segment(0.25, "pad"), &padded).signals.len(), 1);
    assert_eq!(run(&segment(0.26, "pad"), &padded).reason(), "all of its clips are silent, 1 of them");
    assert_eq!(run(&segment(1.0, "keep"), &padded).signals.len(), 1);
}

#[test]
fn clips_of_clips_are_counted_each_on_its_own() {
    let signals = [clip(500, &ramp(250)), clip(2000, &ramp(99))];
    let outcome = run(&operator::<Segment>(json!({"frames": 100})), &signals);
    assert_eq!(spans(&outcome), [(500, 1.0, 100), (600, 101.0, 100)]);
    assert_eq!(outcome.counts["too_short"], 1);
}

#[test]
fn windows_come_in_the_order_of_their_starts() {
    let table = "start,item,bpm\n0.5,a,120\n0.1,a,120\n0.7,b,90\n0.15,a,120\n0.1,a,120\n";
    let (_folder, parameters) = with_windows(table, json!({"seconds": 0.1}));
    let outcome = cut(parameters, 1000);
    assert_eq!(spans(&outcome), [(100, 101.0, 100), (100, 101.0, 100), (150, 151.0, 100), (500, 501.0, 100)]);
    assert_eq!(outcome.counts.len(), 0);
}

#[test]
fn windows_of_their_own_length_may_lie_in_each_other() {
    let table = "item,start,end\na,0.1,0.9\na,0.3,0.4\na,0.85,0.95\na,0.2,0.21\n";
    let (_folder, parameters) = with_windows(table, json!({}));
    let outcome = cut(parameters.clone(), 1000);
    assert_eq!(spans(&outcome), [(100, 101.0, 800), (200, 201.0, 10), (300, 301.0, 100), (850, 851.0, 100)]);
    let segment: Segment = operator(parameters.clone());
    assert_eq!(output(&segment, Unit::Recording, Some(1000)).unwrap().frames, None);
    let mut longer = parameters;
    longer["minimum"] = json!(0.1);
    let outcome = cut(longer, 1000);
    assert_eq!((outcome.signals.len(), outcome.counts["windows_too_short"]), (3, 1));
}

#[test]
fn windows_beyond_the_recording_follow_tail() {
    let table = "item,centre\na,0.03\na,0.5\na,0.98\na,5\na,-5\n";
    let tail = |tail: &str, more: Value| {
        let mut parameters = json!({"frames": 100, "tail": tail});
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (_folder, parameters) = with_windows(table, parameters);
        cut(parameters, 1000)
    };
    let drop = tail("drop", json!({}));
    assert_eq!((spans(&drop), drop.counts["windows_outside"]), (vec![(450, 451.0, 100)], 4));
    let keep = tail("keep", json!({}));
    assert_eq!(spans(&keep), [(0, 1.0, 80), (450, 451.0, 100), (930, 931.0, 70)]);
    assert_eq!(keep.counts["windows_outside"], 2);
    let pad = tail("pad", json!({}));
    assert_eq!(spans(&pad), [(0, 0.0, 100), (450, 451.0, 100), (930, 931.0, 100)]);
    let first = &pad.clips()[0].1;
    assert!(first[..20].iter().all(|sample| *sample == 0.0) && first[20] == 1.0 && first[99] == 80.0);
    assert!(pad.clips()[2].1[70..].iter().all(|sample| *sample == 0.0));
    let minimum = tail("pad", json!({"minimum": 75}));
    assert_eq!((minimum.signals.len(), minimum.counts["windows_too_short"]), (2, 1));
}

#[test]
fn windows_count_from_the_beginning_of_the_recording() {
    let (_folder, parameters) = with_windows("item,start\na,0.6\na,0.1\n", json!({"frames": 50}));
    let (mut header, samples) = recording(&[ramp(400)]);
    header.start = 500;
    let outcome = run(&operator::<Segment>(parameters), &[(header, samples)]);
    assert_eq!((spans(&outcome), outcome.counts["windows_outside"]), (vec![(600, 101.0, 50)], 1));
}

#[test]
fn recordings_without_a_window_are_filtered() {
    let (_folder, parameters) = with_windows("item,start\nb,0.6\n", json!({"frames": 50}));
    assert_eq!(cut(parameters, 400).reason(), "`windows` has none of it");
    let (_folder, parameters) = with_windows("item,start\na,0.6\n", json!({"frames": 50}));
    assert_eq!(cut(parameters, 400).reason(), "none of its `windows` lies within it");
    let table = "item,start,end\na,0.1,0.2\na,0.2,0.3\na,9,9.9\n";
    let (_folder, parameters) = with_windows(table, json!({"minimum": 0.2}));
    let reason = "none of its `windows` is long enough, 2 are too short";
    assert_eq!(cut(parameters, 400).reason(), reason);
}

/// A table that changed after it was checked is no fault of the recording: nothing is stored.
#[test]
fn a_table_that_is_gone_is_transient() {
    let (folder, parameters) = with_windows("item,start\na,0.1\n", json!({"frames": 50}));
    drop(folder);
    let stop = cut(parameters, 400).stop;
    assert!(
        matches!(&stop, Some(Stop::Transient { message }) if message.starts_with("`windows`")),
        "{stop:?}"
    );
}

#[test]
fn the_length_is_known_where_it_is_the_same() {
    let of = |parameters: Value, rate| {
        output(&operator::<Segment>(parameters), Unit::Recording, rate).map(|signal| signal.frames)
    };
    assert_eq!(of(json!({"seconds": 2}), Some(16_000)), Ok(Some(32_000)));
    assert_eq!(of(json!({"seconds": 2}), None), Ok(None));
    assert_eq!(of(json!({"frames": 2}), None), Ok(Some(2)));
    assert_eq!(of(json!({"frames": 2, "tail": "keep"}), None), Ok(None));
    assert!(of(json!({"seconds": 1e-6}), Some(16_000)).unwrap_err().contains("1/16000 s"));
    let windows = operator::<Segment>(json!({"windows": "w.csv"}));
    assert!(output(&windows, Unit::Clip, None).unwrap_err().contains("whole recordings"));
}

#[test]
fn ranges_are_enforced_by_name() {
    assert_eq!(wrong(json!({"seconds": 1})), None);
    assert_eq!(wrong(json!({})), Some("seconds".into()));
    assert_eq!(wrong(json!({"seconds": 1, "frames": 1})), Some("frames".into()));
    assert_eq!(wrong(json!({"windows": "nowhere.csv"})), None);
    assert_eq!(wrong(json!({"windows": "nowhere.csv", "seconds": 1, "hop": 1})), Some("hop".into()));
    for seconds in [json!(0), json!(-1), json!(3601)] {
        assert_eq!(wrong(json!({"seconds": seconds})), Some("seconds".into()));
        assert_eq!(wrong(json!({"seconds": 1, "hop": seconds})), Some("hop".into()));
    }
    assert_eq!(wrong(json!({"frames": 0})), Some("frames".into()));
    assert_eq!(wrong(json!({"frames": 10, "hop": 0.5})), Some("hop".into()));
    assert_eq!(wrong(json!({"frames": 10, "hop": 20})), None);
    assert_eq!(wrong(json!({"seconds": 1, "minimum": 0.5})), Some("minimum".into()));
    assert_eq!(wrong(json!({"seconds": 1, "tail": "pad", "minimum": 0.5})), None);
    assert_eq!(wrong(json!({"seconds": 1, "tail": "pad", "minimum": 1.5})), Some("minimum".into()));
    assert_eq!(wrong(json!({"windows": "nowhere.csv", "minimum": 0.5})), None);
    for (name, value) in [("below_db", -121), ("below_db", 1), ("keep_ratio", 0), ("keep_ratio", 2)] {
        assert_eq!(wrong(json!({"seconds": 1, "silence": {name: value}})), Some(format!("silence.{name}")));
    }
    assert_eq!(wrong(json!({"seconds": 1, "silence": {}})), None);
    let (_folder, parameters) = with_windows("item,begin\na,1\n", json!({"seconds": 1}));
    assert_eq!(wrong(parameters.clone()), Some("windows".into()));
    let message = operator::<Segment>(parameters).check().unwrap_err().message;
    assert!(message.contains("it has the columns `item`, `begin`"), "{message}");
}
