use std::collections::BTreeMap;
use std::sync::Arc;

use etude_pipeline::flow::{Block, Header, Mask, Unit};
use serde_json::{Value, json};

use super::*;
use crate::harness::{clip, operator, recording, run, wrong};

fn shift(parameters: Value) -> AxisShift {
    operator(parameters)
}

/// Planes of bins whose values say where they were: 1000 · channel + frame + 1.
fn features(number: u64, (planes, bins): (u16, u16), frames: usize) -> (Header, Block) {
    let row =
        |channel: u16| (0..frames).map(|frame| f32::from(channel) * 1000.0 + frame as f32 + 1.0).collect();
    let rows: Vec<Vec<f32>> = (0..planes * bins).map(row).collect();
    let (header, block) = recording(&rows);
    let frames = Some(frames as u64);
    (Header { start: number * 1_000_000, hop: 10, planes, frames, ..header }, block)
}

fn drawn(header: &Header, name: &str) -> i64 {
    let (known, number) = header.drawn.last().unwrap();
    assert_eq!(&**known, name);
    number.unwrap() as i64
}

/// How often each shift was drawn for 400 clips; `see` gets input, output and shift.
fn shifts(
    shift: &AxisShift,
    name: &str,
    (shape, frames): ((u16, u16), usize),
    mut see: impl FnMut((&Header, &Block), (&Header, &[Vec<f32>]), i64),
) -> BTreeMap<i64, u32> {
    let mut counts = BTreeMap::new();
    for number in 0..400 {
        let signal = features(number, shape, frames);
        let (header, planes) = run(shift, std::slice::from_ref(&signal)).signals.remove(0);
        let by = drawn(&header, name);
        see((&signal.0, &signal.1), (&header, &planes), by);
        *counts.entry(by).or_default() += 1;
    }
    counts
}

/// Every shift from `low` to `high`, each about as often.
fn even(counts: &BTreeMap<i64, u32>, [low, high]: [i64; 2]) {
    assert!(counts.keys().copied().eq(low..=high), "{counts:?}");
    let mean = 400.0 / (high - low + 1) as f64;
    assert!(counts.values().all(|count| (f64::from(*count) - mean).abs() < 4.0 * mean.sqrt()), "{counts:?}");
}

#[test]
fn bins_move_up_and_zeros_come_in() {
    let up = shift(json!({"axis": "pitch", "by": [-3, 4]}));
    let counts = shifts(&up, "axis_shift_bins", ((2, 9), 5), |(before, block), (after, planes), by| {
        assert_eq!((after.channels, after.frames, after.start), (18, Some(5), before.start));
        for (channel, row) in planes.iter().enumerate() {
            let (plane, bin) = (channel / 9, (channel % 9) as i64);
            let there = bin - by;
            match (0..9).contains(&there) {
                true => assert_eq!(row, block.channel(plane * 9 + there as usize)),
                false => assert_eq!(row, &[0.0; 5]),
            }
        }
    });
    even(&counts, [-3, 4]);
}

#[test]
fn bins_are_cropped_to_what_every_shift_leaves() {
    let crop = shift(json!({"axis": "pitch", "by": [-3, 4], "edge": "crop"}));
    let counts = shifts(&crop, "axis_shift_bins", ((2, 9), 5), |_, (after, planes), by| {
        assert_eq!((after.channels, after.planes, planes.len()), (4, 2, 4));
        for (channel, row) in planes.iter().enumerate() {
            // Not moved, the first bin is bin 4; what is heard goes up by `by`.
            let bin = (channel / 2 * 9 + channel % 2 + 4) as i64 - by;
            assert_eq!(row[2], bin as f32 * 1000.0 + 3.0);
        }
    });
    even(&counts, [-3, 4]);
}

#[test]
fn pesto_and_stone() {
    let bins = |by: [i64; 2], bins| {
        let flow =
            Flow::Signal(SignalType { hop: 10, ..SignalType::audio(Some(1000), Some(bins), Unit::Clip) });
        let shift = shift(json!({"axis": "pitch", "by": by, "edge": "crop"}));
        match shift.output(&Inputs(vec![("from", vec![&flow])])) {
            Ok(Flow::Signal(signal)) => {
                assert_eq!(signal.drawn, [Arc::from("axis_shift_bins")]);
                signal.channels.unwrap()
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(bins([-16, 16], 296), 264);
    assert_eq!(bins([0, 15], 99), 84);
}

#[test]
fn frames_move_later_and_zeros_come_in() {
    let later = shift(json!({"axis": "time", "by": [-3, 4]}));
    let counts = shifts(&later, "axis_shift_frames", ((1, 2), 9), |(before, _), (after, planes), by| {
        assert_eq!((after.frames, after.start), (Some(9), before.start));
        for (frame, value) in (0..).zip(&planes[1]) {
            let there = frame - by;
            assert_eq!(*value, if (0..9).contains(&there) { 1001.0 + there as f32 } else { 0.0 });
        }
    });
    even(&counts, [-3, 4]);
}

#[test]
fn frames_are_cropped_to_what_every_shift_leaves() {
    let crop = shift(json!({"axis": "time", "by": [-3, 4], "edge": "crop"}));
    let counts = shifts(&crop, "axis_shift_frames", ((1, 2), 9), |(before, _), (after, planes), by| {
        let first = 4 - by;
        assert_eq!((after.frames, after.start), (Some(2), before.start + 10 * first as u64));
        assert_eq!(planes[1], [1001.0 + first as f32, 1002.0 + first as f32]);
    });
    even(&counts, [-3, 4]);
}

#[test]
fn masks_move_with_frames() {
    for edge in ["zero", "crop"] {
        let later = shift(json!({"axis": "time", "by": [-3, 4], "edge": edge}));
        for number in 0..40 {
            let (mut header, block) = features(number, (1, 1), 20);
            header.mask = Some(Mask::marked([(0, 3), (9, 12), (18, 20)].into()));
            let masked =
                |frame: i64| (0..3).contains(&frame) || (9..12).contains(&frame) || (18..20).contains(&frame);
            let (header, planes) = run(&later, &[(header, block)]).signals.remove(0);
            let said: Vec<u64> =
                header.mask.unwrap().covered.iter().flat_map(|(from, to)| *from..*to).collect();
            let wanted =
                (0..).zip(&planes[0]).filter(|(_, value)| **value > 0.0 && masked(**value as i64 - 1));
            assert_eq!(said, wanted.map(|(frame, _)| frame).collect::<Vec<u64>>());
        }
    }
}

#[test]
fn audio_moves_in_time() {
    let later = shift(json!({"axis": "time", "by": [2, 2]}));
    assert_eq!(run(&later, &[clip(5, &[1.0, 2.0, 3.0])]).clips(), [(5, vec![0.0, 0.0, 1.0])]);
}

#[test]
fn other_views_are_moved_by_0() {
    for (axis, name) in [("pitch", "axis_shift_bins"), ("time", "axis_shift_frames")] {
        for edge in ["zero", "crop"] {
            let shift = shift(json!({"axis": axis, "by": [-3, 4], "edge": edge, "views": [1]}));
            let mut moved = [0; 3];
            for number in 0..60 {
                for view in 0..3 {
                    let (header, block) = features(number, (1, 9), 9);
                    let (header, planes) =
                        run(&shift, &[(Header { view, ..header }, block)]).signals.remove(0);
                    let by = drawn(&header, name);
                    moved[view as usize] += u32::from(by != 0);
                    let first = if edge == "crop" { 4 } else { 0 };
                    let middle =
                        if axis == "pitch" { 1000.0 * first as f32 + 1.0 } else { first as f32 + 1.0 };
                    assert!(by != 0 || planes[0][0] == middle);
                }
            }
            assert_eq!((moved[0], moved[2]), (0, 0));
            assert!(moved[1] > 40);
        }
    }
}

#[test]
fn of_a_short_clip_nothing_is_left() {
    let crop = shift(json!({"axis": "time", "by": [-3, 4], "edge": "crop"}));
    let outcome = run(&crop, &[features(0, (1, 1), 7), features(1, (1, 1), 8)]);
    assert_eq!((outcome.signals.len(), outcome.counts["too_short"]), (1, 1));
    // Of what is moved out altogether zeros are left.
    let far = shift(json!({"axis": "time", "by": [9, 9]}));
    assert_eq!(run(&far, &[features(0, (1, 1), 7)]).signals[0].1[0], [0.0; 7]);
}

#[test]
fn what_is_known_beforehand() {
    let given = |parameters: Value, signal: SignalType| match shift(parameters)
        .output(&Inputs(vec![("from", vec![&Flow::Signal(signal)])]))
    {
        Ok(Flow::Signal(signal)) => Ok(signal),
        Ok(other) => panic!("{other}"),
        Err(message) => Err(message),
    };
    let of = |planes, channels, frames| {
        let signal = SignalType::audio(Some(1000), Some(channels), Unit::Clip);
        SignalType { planes, frames, most_frames: Some(50), hop: 10, ..signal }
    };
    let pitch = |by: [i64; 2], edge: &str| json!({"axis": "pitch", "by": by, "edge": edge});
    let time = |by: [i64; 2], edge: &str| json!({"axis": "time", "by": by, "edge": edge});
    assert_eq!(given(pitch([-2, 3], "crop"), of(2, 20, None)).unwrap().channels, Some(10));
    assert_eq!(given(pitch([-2, 3], "zero"), of(2, 20, None)).unwrap().channels, Some(20));
    assert!(given(pitch([-5, 5], "crop"), of(2, 20, None)).unwrap_err().message.contains("leaves nothing"));
    assert!(given(pitch([0, 10], "zero"), of(2, 20, None)).unwrap_err().message.contains("out of the clip"));
    let signal = given(time([-2, 3], "crop"), of(1, 20, Some(40))).unwrap();
    assert_eq!((signal.frames, signal.most_frames), (Some(35), Some(45)));
    assert_eq!(signal.drawn, [Arc::from("axis_shift_frames")]);
    let signal = given(time([-2, 3], "crop"), of(1, 20, None)).unwrap();
    assert_eq!((signal.frames, signal.most_frames), (None, Some(45)));
    let signal = given(time([-2, 3], "zero"), of(1, 20, Some(40))).unwrap();
    assert_eq!((signal.frames, signal.most_frames), (Some(40), Some(50)));
    assert!(given(time([-40, 0], "zero"), of(1, 20, Some(40))).is_err());
    assert!(given(time([-40, 0], "crop"), of(1, 20, Some(40))).is_err());
    let audio = || SignalType::audio(Some(1000), Some(1), Unit::Clip);
    assert!(given(pitch([0, 0], "zero"), audio()).unwrap_err().message.contains("not audio"));
    assert!(given(time([0, 0], "zero"), SignalType { unit: Unit::Recording, ..audio() }).is_err());
    let views = json!({"axis": "time", "by": [0, 1], "views": [2]});
    assert!(given(views.clone(), SignalType { views: 2, ..audio() }).unwrap_err().message.contains("view 2"));
    assert!(given(views, SignalType { views: 3, ..audio() }).is_ok());
}

#[test]
fn ranges_are_enforced() {
    let wrong = |by: [i64; 2], edge: &str| wrong(&shift(json!({"axis": "time", "by": by, "edge": edge})));
    assert_eq!(wrong([2, 1], "zero"), Some("by".into()));
    assert_eq!(wrong([-1_000_001, 0], "zero"), Some("by".into()));
    assert_eq!(wrong([0, 1_000_001], "zero"), Some("by".into()));
    assert_eq!(wrong([1, 2], "crop"), Some("by".into()));
    assert_eq!(wrong([-2, -1], "crop"), Some("by".into()));
    assert_eq!(wrong([1, 2], "zero"), None);
    let none = shift(json!({"axis": "time", "by": [0, 1], "views": []}));
    assert_eq!(crate::harness::wrong(&none), Some("views".into()));
}
