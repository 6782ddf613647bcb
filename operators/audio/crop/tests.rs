use etude_pipeline::flow::{Mask, SignalType, Unit};
use etude_pipeline::random::Random;
use serde_json::{Value, json};

use super::place::Near;
use super::*;
use crate::harness::{clip, operator, run, wrong};

fn crop(parameters: Value) -> Crop {
    operator(parameters)
}

fn ramp(frames: usize) -> Vec<f32> {
    (0..frames).map(|i| i as f32).collect()
}

/// Starts of the views of 300 clips of two seconds.
fn starts(parameters: Value) -> Vec<Vec<u64>> {
    let crop = crop(parameters);
    let of = |number: u64| run(&crop, &[clip(number * 10_000, &ramp(2000))]).signals;
    let start = |number: u64| {
        let signals = of(number);
        let check = |(header, planes): &(Header, Vec<Vec<f32>>)| {
            let start = header.start - number * 10_000;
            assert_eq!(planes[0][0], start as f32);
            start
        };
        signals.iter().map(check).collect()
    };
    (0..300).map(start).collect()
}

#[test]
fn independent_views_lie_anywhere() {
    let starts = starts(json!({"seconds": 0.5, "views": 2}));
    let all: Vec<u64> = starts.iter().flatten().copied().collect();
    assert!(*all.iter().min().unwrap() < 30 && *all.iter().max().unwrap() > 1470);
    assert!(all.iter().all(|start| *start <= 1500));
    let near = starts.iter().filter(|pair| pair[0].abs_diff(pair[1]) < 50).count();
    assert!(near < 50, "{near} of 300 pairs are close");
}

#[test]
fn views_at_the_same_place() {
    for pair in starts(json!({"seconds": 0.5, "views": 3, "placement": "same"})) {
        assert!(pair.iter().all(|start| *start == pair[0]));
    }
}

#[test]
fn adjacent_views_keep_their_distance() {
    let starts =
        starts(json!({"seconds": 0.5, "views": 2, "placement": {"adjacent": {"distance": [0.5, 0.7]}}}));
    let distances: Vec<u64> = starts.iter().map(|pair| pair[0].abs_diff(pair[1])).collect();
    assert!(distances.iter().all(|distance| (500..=700).contains(distance)), "{distances:?}");
    assert!(*distances.iter().min().unwrap() < 520 && *distances.iter().max().unwrap() > 680);
    let before = starts.iter().filter(|pair| pair[1] < pair[0]).count();
    assert!((100..200).contains(&before), "{before} of 300 lie before");
}

#[test]
fn every_place_near_another_is_as_likely() {
    for (least, most, room, from) in [(0, 3, 10, 5), (2, 4, 10, 1), (2, 4, 5, 3), (0, 0, 4, 2), (3, 9, 9, 4)]
    {
        let near = Near { least, most, room };
        let allowed = |place: &u64| (least..=most).contains(&place.abs_diff(from));
        let places: Vec<u64> = (0..=room).filter(allowed).collect();
        let mut random = Random::keyed(&[b"near"]);
        let mut counts = vec![0u32; room as usize + 1];
        let n = 2000 * places.len() as u32;
        (0..n).for_each(|_| counts[near.other(from, &mut random).unwrap() as usize] += 1);
        for (place, count) in counts.into_iter().enumerate() {
            let wanted = if places.contains(&(place as u64)) { 1800..2200 } else { 0..1 };
            assert!(wanted.contains(&count), "{least} {most} {room} {from}: {place} {count} times");
        }
    }
}

#[test]
fn a_first_place_has_others_near_it() {
    let mut random = Random::keyed(&[b"first"]);
    for (least, room) in [(0, 7), (3, 7), (5, 7), (7, 7)] {
        let near = Near { least, most: 100, room };
        let mut seen = vec![false; room as usize + 1];
        (0..2000).for_each(|_| seen[near.first(&mut random).unwrap() as usize] = true);
        let has = |from: u64| from >= least || from + least <= room;
        assert!((0..=room).all(|from| seen[from as usize] == has(from)), "{least} {room}: {seen:?}");
    }
    assert_eq!(Near { least: 8, most: 9, room: 7 }.first(&mut random), None);
}

#[test]
fn without_seconds_views_are_copies() {
    let crop = crop(json!({"views": 2}));
    let signals = run(&crop, &[clip(5, &ramp(100))]).signals;
    assert_eq!(signals.len(), 2);
    for (view, (header, planes)) in signals.iter().enumerate() {
        assert_eq!((header.start, header.view, header.frames), (5, view as u32, Some(100)));
        assert_eq!(planes[0], ramp(100));
    }
    assert!(!crop.random());
}

#[test]
fn features_are_cut_by_frames_and_masks_go_with_them() {
    let (mut header, block) = clip(1000, &ramp(50));
    header.hop = 10;
    header.mask = Some(Mask::marked([(0, 5), (20, 30)].into()));
    // A frame is 10 ms: 100 ms are 10 of them.
    for (header, planes) in run(&crop(json!({"seconds": 0.1, "views": 8})), &[(header, block)]).signals {
        let first = planes[0][0] as u64;
        assert_eq!((planes[0].len(), header.start), (10, 1000 + 10 * first));
        let masked: Vec<u64> =
            (0..10).filter(|i| (first + i) < 5 || (20..30).contains(&(first + i))).collect();
        let said: Vec<u64> = header.mask.unwrap().covered.iter().flat_map(|(from, to)| *from..*to).collect();
        assert_eq!(said, masked);
    }
}

#[test]
fn what_is_too_short_gives_none() {
    let outcome = run(&crop(json!({"seconds": 0.5})), &[clip(0, &ramp(499))]);
    assert_eq!((outcome.signals.len(), outcome.counts["too_short"]), (0, 1));
    let apart = json!({"seconds": 0.5, "views": 2, "placement": {"adjacent": {"distance": [1, 2]}}});
    let outcome = run(&crop(apart.clone()), &[clip(0, &ramp(1499))]);
    assert_eq!((outcome.signals.len(), outcome.counts["too_short"]), (0, 1));
    let given = |frames| {
        let signal =
            SignalType { frames: Some(frames), ..SignalType::audio(Some(1000), Some(1), Unit::Clip) };
        crop(apart.clone()).output(&Inputs(vec![("from", vec![&Flow::Signal(signal)])]))
    };
    assert!(given(1499).unwrap_err().message.contains("too short"));
    assert!(given(499).unwrap_err().message.contains("longer than the clips"));
    assert!(given(1500).is_ok());
}

#[test]
fn ranges_are_enforced() {
    let wrong = |parameters| wrong(&crop(parameters));
    assert_eq!(wrong(json!({"seconds": 0})), Some("seconds".into()));
    assert_eq!(wrong(json!({"seconds": 3601})), Some("seconds".into()));
    assert_eq!(wrong(json!({"views": 65})), Some("views".into()));
    assert_eq!(wrong(json!({"placement": "same"})), Some("placement".into()));
    assert_eq!(wrong(json!({"seconds": 1, "placement": "same"})), Some("placement".into()));
    assert_eq!(wrong(json!({"seconds": 1, "views": 0})), Some("views".into()));
    let apart = |distance: Value| {
        wrong(json!({"seconds": 1, "views": 2, "placement": {"adjacent": {"distance": distance}}}))
    };
    for distance in [json!([2, 1]), json!([-1, 1]), json!([0, 3601])] {
        assert_eq!(apart(distance), Some("placement.adjacent.distance".into()));
    }
}
