use etude_pipeline::flow::Unit;
use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::harness::{operator, recording, run, wrong};

fn drop_tokens(ratio: f64) -> DropTokens {
    operator(json!({"ratio": ratio}))
}

/// Two channels that say which frame it is.
fn features(number: u64, frames: usize) -> (Header, Block) {
    let ramp: Vec<f32> = (0..frames).map(|i| i as f32).collect();
    let (header, block) = recording(&[ramp.clone(), ramp.iter().map(|value| -value).collect()]);
    (Header { start: number * 1000, hop: 10, frames: Some(frames as u64), ..header }, block)
}

#[test]
fn the_mask_says_what_is_missing() {
    let mut seen = vec![0; 40];
    for number in 0..300 {
        let (header, planes) = run(&drop_tokens(0.75), &[features(number, 40)]).signals.remove(0);
        assert_eq!((header.frames, header.start), (Some(10), number * 1000));
        let mask = header.mask.unwrap().covered;
        let missing = |frame: u64| mask.iter().any(|(from, to)| (*from..*to).contains(&frame));
        let kept: Vec<f32> = (0..40).filter(|frame| !missing(*frame)).map(|frame| frame as f32).collect();
        assert_eq!(planes[0], kept);
        assert!(planes[1].iter().zip(&kept).all(|(there, here)| *there == -here));
        kept.into_iter().for_each(|frame| seen[frame as usize] += 1);
    }
    // Each frame is kept in a quarter of 300 clips: 75 ± 7.5.
    assert!(seen.iter().all(|count| (45..105).contains(count)), "{seen:?}");
}

#[test]
fn keeps_as_many_as_myna() {
    // n − int(ratio · n): of 48, 96, 49 and 98 tokens at 90 %.
    for (frames, kept) in [(48, 5), (96, 10), (49, 5), (98, 10), (10, 1), (1, 1), (0, 0)] {
        let planes = run(&drop_tokens(0.9), &[features(0, frames)]).signals.remove(0).1;
        assert_eq!(planes[0].len(), kept, "of {frames}");
    }
    assert_eq!(run(&drop_tokens(0.0), &[features(0, 7)]).signals[0].1[0].len(), 7);
    assert_eq!(run(&drop_tokens(1.0 - f64::EPSILON / 2.0), &[features(0, 9)]).signals[0].1[0].len(), 1);
}

#[test]
fn every_choice_is_as_likely() {
    let mut random = Random::keyed(&[b"choose"]);
    let (mut counts, mut chosen) = (BTreeMap::<Vec<bool>, u32>::new(), Vec::new());
    for _ in 0..30_000 {
        choose(2, 6, &mut random, &mut chosen);
        *counts.entry(chosen.clone()).or_default() += 1;
    }
    assert_eq!(counts.len(), 15);
    assert!(counts.iter().all(|(chosen, count)| chosen.iter().filter(|chosen| **chosen).count() == 2
        && (1820..2180).contains(count)));
    choose(3, 3, &mut random, &mut chosen);
    assert_eq!(chosen, [true; 3]);
    choose(0, 3, &mut random, &mut chosen);
    assert_eq!(chosen, [false; 3]);
}

#[test]
fn other_views_lose_others() {
    let of = |view| {
        let (header, block) = features(0, 100);
        run(&drop_tokens(0.5), &[(Header { view, ..header }, block)]).signals.remove(0).0.mask
    };
    assert_eq!(of(0), of(0));
    assert_ne!(of(0), of(1));
}

#[test]
fn what_is_known_beforehand() {
    let given = |signal: SignalType| match drop_tokens(0.9)
        .output(&Inputs(vec![("from", vec![&Flow::Signal(signal)])]))
    {
        Ok(Flow::Signal(signal)) => Ok(signal),
        Ok(other) => panic!("{other}"),
        Err(message) => Err(message),
    };
    let tokens = || SignalType { hop: 10, ..SignalType::audio(Some(1000), Some(256), Unit::Clip) };
    let signal = given(SignalType { frames: Some(48), most_frames: Some(98), ..tokens() }).unwrap();
    assert_eq!((signal.frames, signal.most_frames, signal.masking), (Some(5), Some(10), Masking::Dropped));
    assert_eq!(given(tokens()).unwrap().frames, None);
    assert!(
        given(SignalType { masking: Masking::Marked, ..tokens() })
            .unwrap_err()
            .message
            .contains("not masked yet")
    );
    assert!(given(SignalType { hop: 1, ..tokens() }).unwrap_err().message.contains("not audio"));
    assert!(given(SignalType { unit: Unit::Recording, ..tokens() }).is_err());
}

#[test]
fn the_range_is_enforced() {
    for (ratio, right) in [(0.0, true), (0.999, true), (1.0, false), (-0.1, false)] {
        assert_eq!(wrong(&drop_tokens(ratio)), (!right).then(|| "ratio".into()), "{ratio}");
    }
}

#[test]
fn what_moves_or_cuts_frames_stands_above_it() {
    let dropped = Flow::Signal(SignalType {
        masking: Masking::Dropped,
        ..SignalType::audio(Some(1000), Some(2), Unit::Clip)
    });
    let crop: crate::crop::Crop = operator(json!({"seconds": 0.1}));
    let told = crop.output(&Inputs(vec![("from", vec![&dropped])])).unwrap_err();
    assert!(told.message.contains("drop_tokens"), "{told}");
}
