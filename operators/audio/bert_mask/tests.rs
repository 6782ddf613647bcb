use etude_pipeline::flow::Unit;
use etude_pipeline::random::Random;
use serde_json::{Value, json};

use super::*;
use crate::harness::{clip, operator, recording, run, wrong};

fn bert_mask(parameters: Value) -> BertMask {
    operator(parameters)
}

/// Two channels that say which frame it is, from 1 on.
fn features(number: u64, frames: usize) -> (Header, Block) {
    let ramp: Vec<f32> = (1..=frames).map(|i| i as f32).collect();
    let (header, block) = recording(&[ramp.clone(), ramp.iter().map(|value| value + 0.5).collect()]);
    (Header { start: number * 1000, hop: 10, frames: Some(frames as u64), ..header }, block)
}

/// Of `clips` clips of 100 frames: frames that are chosen, filled with zeros, replaced, and left as they are.
fn fates(parameters: Value, clips: u64) -> [usize; 4] {
    let mask = bert_mask(parameters);
    let mut counts = [0; 4];
    for number in 0..clips {
        let (header, planes) = run(&mask, &[features(number, 100)]).signals.remove(0);
        let spans = header.mask.unwrap().covered;
        let chosen = |frame: usize| spans.iter().any(|(from, to)| (*from..*to).contains(&(frame as u64)));
        assert!(spans.windows(2).all(|pair| pair[0].1 < pair[1].0));
        for (frame, (left, right)) in planes[0].iter().zip(&planes[1]).enumerate() {
            let same = *left == (frame + 1) as f32;
            assert!(chosen(frame) || same);
            assert_eq!(*right, if *left == 0.0 { 0.0 } else { left + 0.5 });
            if chosen(frame) {
                counts[0] += 1;
                counts[if *left == 0.0 {
                    1
                } else if same {
                    3
                } else {
                    2
                }] += 1;
            }
        }
    }
    counts
}

/// A share of a count within four deviations.
fn near(count: usize, of: usize, share: f64) {
    let (mean, deviation) = (of as f64 * share, (of as f64 * share * (1.0 - share)).sqrt());
    assert!((count as f64 - mean).abs() <= 4.0 * deviation, "{count} of {of}, not {share}");
}

#[test]
fn by_default_eighty_ten_ten_of_fifteen() {
    let [chosen, filled, replaced, same] = fates(json!({}), 300);
    assert_eq!(chosen, 300 * 15);
    near(filled, chosen, 0.8);
    near(replaced, chosen, 0.1);
    near(same, chosen, 0.1);
}

#[test]
fn each_share_counts() {
    assert_eq!(fates(json!({"p": 0.4}), 20)[0], 20 * 40);
    let [chosen, filled, replaced, same] = fates(json!({"p": 0.5, "mask": 0.3, "random": 0.5}), 60);
    near(filled, chosen, 0.3);
    near(replaced, chosen, 0.5);
    near(same, chosen, 0.2);
    assert_eq!(fates(json!({"mask": 1, "random": 0}), 20)[1], 20 * 15);
    assert_eq!(fates(json!({"mask": 0, "random": 1}), 20)[2], 20 * 15);
    assert_eq!(fates(json!({"mask": 0, "random": 0}), 20)[3], 20 * 15);
}

#[test]
fn at_least_one_frame_and_at_most_all() {
    let chosen = |p: f64, frames: usize| {
        let header = run(&bert_mask(json!({"p": p})), &[features(0, frames)]).signals.remove(0).0;
        header.mask.unwrap().covered.iter().map(|(from, to)| to - from).sum::<u64>()
    };
    assert_eq!(
        [chosen(0.15, 3), chosen(0.15, 10), chosen(0.15, 9), chosen(1.0, 9), chosen(0.5, 0)],
        [1, 2, 1, 9, 0]
    );
}

#[test]
fn every_frame_is_as_likely_and_every_replacement() {
    let mask = bert_mask(json!({"p": 0.25, "mask": 0, "random": 1}));
    let mut random = Random::keyed(&[b"bert"]);
    let mut fates = Fates::default();
    let (mut chosen, mut pairs) = ([0u32; 8], [[0u32; 8]; 8]);
    for _ in 0..28_000 {
        fates.draw(&mask, 8, &mut random);
        assert_eq!(fates.replaced.len(), 2);
        for (frame, other) in &fates.replaced {
            chosen[*frame] += 1;
            pairs[*frame][*other] += 1;
        }
    }
    // 7000 of each frame, 1000 of each pair.
    assert!(chosen.iter().all(|count| (6700..7300).contains(count)), "{chosen:?}");
    for (frame, others) in pairs.iter().enumerate() {
        for (other, count) in others.iter().enumerate() {
            let right = if frame == other { *count == 0 } else { (870..1130).contains(count) };
            assert!(right, "{frame} by {other}: {count}");
        }
    }
}

#[test]
fn a_learned_fill_says_what_is_not_to_be_seen() {
    let fates = |fill: &str, number: u64| {
        let mask = bert_mask(json!({"p": 0.5, "mask": 0.6, "random": 0.3, "fill": fill}));
        run(&mask, &[features(number, 200)]).signals.remove(0)
    };
    let within = |spans: &[(u64, u64)], frame: usize| {
        spans.iter().any(|(from, to)| (*from..*to).contains(&(frame as u64)))
    };
    let mut replaced = 0;
    for number in 0..5 {
        let ((learned, planes), (zero, filled)) = (fates("learned", number), fates("zero", number));
        let (mask, zero) = (learned.mask.unwrap(), zero.mask.unwrap());
        assert_eq!((&mask.covered, zero.unseen.len()), (&zero.covered, 0));
        for frame in 0..200 {
            let (value, own) = (planes[0][frame], (frame + 1) as f32);
            // What the other fill puts zeros in is unseen, and is what it was; the rest is the same.
            let unseen = filled[0][frame] == 0.0;
            assert_eq!(within(&mask.unseen, frame), unseen);
            assert_eq!(value, if unseen { own } else { filled[0][frame] });
            replaced += usize::from(value != own);
        }
    }
    assert!(replaced > 50, "{replaced}");
    let masking = |more: Value| {
        let clips = Flow::Signal(SignalType::audio(Some(1000), Some(1), Unit::Clip));
        match bert_mask(more).output(&Inputs(vec![("from", vec![&clips])])) {
            Ok(Flow::Signal(signal)) => signal.masking,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(masking(json!({"fill": "learned"})), Masking::Mixed);
    // Where nothing is replaced, what was there still is.
    assert_eq!(masking(json!({"fill": "learned", "random": 0})), Masking::Marked);
    assert_eq!(masking(json!({})), Masking::Filled);
}

#[test]
fn replacements_come_from_the_clip_as_it_was() {
    let mask = bert_mask(json!({"p": 1, "mask": 0.5, "random": 0.5}));
    let planes = run(&mask, &[features(0, 200)]).signals.remove(0).1;
    assert!(planes[0].iter().enumerate().all(|(frame, value)| *value != (frame + 1) as f32));
    let replaced = planes[0].iter().filter(|value| **value != 0.0).count();
    near(replaced, 200, 0.5);
    let alone = bert_mask(json!({"mask": 0, "random": 1}));
    assert_eq!(run(&alone, &[features(0, 1)]).signals[0].1[0], [1.0]);
}

#[test]
fn noise_fills_too() {
    let filled = |std: Option<f64>| {
        let noise = std.map_or(json!({}), |std| json!({"std": std}));
        let mask = bert_mask(json!({"p": 1, "mask": 1, "random": 0, "fill": {"noise": noise}}));
        let planes = run(&mask, &[features(0, 4000)]).signals.remove(0).1;
        assert_ne!(planes[0], planes[1]);
        let mean = planes[0].iter().copied().map(f64::from).sum::<f64>() / 4000.0;
        let power = planes[0].iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / 4000.0;
        (mean, power.sqrt())
    };
    for (std, wanted) in [(None, 0.1), (Some(2.0), 2.0)] {
        let (mean, deviation) = filled(std);
        assert!(mean.abs() < 0.07 * wanted && (deviation / wanted - 1.0).abs() < 0.05, "{mean} {deviation}");
    }
    // What is chosen does not depend on the fill.
    let chosen =
        |fill: Value| run(&bert_mask(json!({"fill": fill})), &[features(0, 100)]).signals.remove(0).0.mask;
    assert_eq!(chosen(json!("zero")), chosen(json!({"noise": {}})));
}

#[test]
fn spans_share_a_fate() {
    let mask = bert_mask(json!({"p": 0.5, "mask": 0.5, "random": 0.25, "span": 7}));
    let mut counts = [0; 3];
    for number in 0..200 {
        let (header, planes) = run(&mask, &[features(number, 40)]).signals.remove(0);
        // Six blocks, the last of them of five frames: three are chosen.
        let spans = header.mask.unwrap().covered;
        let blocks: Vec<usize> = (0..6)
            .filter(|block| spans.iter().any(|(from, to)| (*from..*to).contains(&(block * 7))))
            .map(|block| block as usize)
            .collect();
        assert_eq!(blocks.len(), 3);
        assert!(spans.iter().all(|(from, to)| from % 7 == 0 && (to % 7 == 0 || *to == 40)));
        for block in blocks {
            let part = block * 7..40.min(block * 7 + 7);
            let values = &planes[0][part.clone()];
            let same = values.iter().zip(part).filter(|(value, frame)| **value == (frame + 1) as f32).count();
            let zeros = values.iter().filter(|value| **value == 0.0).count();
            assert!([same, zeros].iter().all(|count| [0, values.len()].contains(count)));
            counts[if zeros > 0 {
                0
            } else if same > 0 {
                2
            } else {
                1
            }] += 1;
        }
    }
    near(counts[0], 600, 0.5);
    near(counts[1], 600, 0.25);
    near(counts[2], 600, 0.25);
    let audio = bert_mask(json!({"p": 0.5, "mask": 1, "random": 0, "span": 50}));
    let samples = run(&audio, &[clip(0, &[1.0; 100])]).signals.remove(0).1.remove(0);
    assert_eq!(samples.iter().filter(|sample| **sample == 0.0).count(), 50);
    assert_eq!(samples[0] == 0.0, samples[49] == 0.0);
}

#[test]
fn other_views_stay_as_they_are() {
    let mask = bert_mask(json!({"views": [1]}));
    for view in [0, 1, 2] {
        let (header, block) = features(0, 100);
        let (header, planes) = run(&mask, &[(Header { view, ..header }, block.clone())]).signals.remove(0);
        let changed = view == 1;
        assert_eq!(header.mask.unwrap().covered.is_empty(), !changed);
        assert_eq!(planes[0] != block.channel(0), changed);
    }
}

#[test]
fn other_clips_and_views_have_other_masks() {
    let of = |number, view| {
        let (header, block) = features(number, 100);
        run(&bert_mask(json!({})), &[(Header { view, ..header }, block)]).signals.remove(0).0.mask
    };
    assert_eq!(of(0, 0), of(0, 0));
    assert_ne!(of(0, 0), of(0, 1));
    assert_ne!(of(0, 0), of(1, 0));
}

#[test]
fn what_is_known_beforehand() {
    let given = |signal: SignalType| {
        bert_mask(json!({})).output(&Inputs(vec![("from", vec![&Flow::Signal(signal)])]))
    };
    let clips = || SignalType::audio(Some(1000), Some(1), Unit::Clip);
    assert!(matches!(given(clips()), Ok(Flow::Signal(SignalType { masking: Masking::Filled, .. }))));
    assert!(
        given(SignalType { masking: Masking::Marked, ..clips() })
            .unwrap_err()
            .message
            .contains("not masked yet")
    );
    assert!(
        given(SignalType { unit: Unit::Recording, ..clips() }).unwrap_err().message.contains("recordings")
    );
    let second = bert_mask(json!({"views": [1]}));
    let error = second.output(&Inputs(vec![("from", vec![&Flow::Signal(clips())])])).unwrap_err();
    assert!(error.message.contains("view 1"));
}

#[test]
fn ranges_are_enforced() {
    let wrong = |parameters: Value| wrong(&bert_mask(parameters));
    assert_eq!(wrong(json!({"p": 0})), Some("p".into()));
    assert_eq!(wrong(json!({"p": 1.1})), Some("p".into()));
    assert_eq!(wrong(json!({"mask": 1.1})), Some("mask".into()));
    assert_eq!(wrong(json!({"mask": -0.1})), Some("mask".into()));
    assert_eq!(wrong(json!({"random": 0.3})), Some("random".into()));
    assert_eq!(wrong(json!({"random": -0.1})), Some("random".into()));
    assert_eq!(wrong(json!({"mask": 0.9, "random": 0.1})), None);
    assert_eq!(wrong(json!({"fill": {"noise": {"std": 0}}})), Some("fill.noise.std".into()));
    assert_eq!(wrong(json!({"fill": {"noise": {"std": 1001}}})), Some("fill.noise.std".into()));
    assert_eq!(wrong(json!({"mask": 0, "fill": "learned"})), Some("fill".into()));
    assert_eq!(wrong(json!({"views": []})), Some("views".into()));
    assert_eq!(wrong(json!({"span": 0})), Some("span".into()));
    assert_eq!(wrong(json!({"span": 1_000_001})), Some("span".into()));
}
