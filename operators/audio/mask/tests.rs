use serde_json::{Value, json};

use super::*;
use crate::harness::{clip, operator, run, wrong};

fn mask(parameters: Value) -> Mask {
    operator(parameters)
}

fn share(spans: &Spans, frames: usize) -> f64 {
    let mut random = Random::keyed(&[b"mask"]);
    let masked: usize =
        (0..2000).map(|_| spans.draw(frames, &mut random).iter().filter(|masked| **masked).count()).sum();
    masked as f64 / (2000 * frames) as f64
}

#[test]
fn masks_what_wav2vec2_masks() {
    // wav2vec 2.0, section 4.2: p 0.065 and 10 frames mask about 49 % of a clip.
    let share = share(&Spans::default(), 750);
    assert!((share - 0.491).abs() < 0.01, "{share}");
}

/// fairseq's own function, by `golden/spans.py`.
#[test]
fn masks_what_fairseq_masks() {
    let golden: Vec<Value> = serde_json::from_str(include_str!("golden/spans.json")).unwrap();
    assert_eq!(golden.len(), 4);
    for row in golden {
        let number = |name: &str| row[name].as_f64().unwrap();
        let whole = |name: &str| number(name) as usize;
        let (length, least) = (whole("length"), whole("least"));
        let spans = Spans { p: number("p"), length, least, overlap: true };
        let mut random = Random::keyed(&[b"fairseq"]);
        let (mut masked, mut count, clips, frames) = (0, 0, 4000, whole("frames"));
        for _ in 0..clips {
            for run in runs(&spans.draw(frames, &mut random)) {
                (masked, count) = (masked + run.len(), count + 1);
            }
        }
        let share = masked as f64 / (clips * frames) as f64;
        let run = masked as f64 / f64::from(count);
        assert!((share - number("share")).abs() < 0.01, "{row}: {share}");
        assert!((run / number("run") - 1.0).abs() < 0.02, "{row}: runs of {run}");
    }
}

#[test]
fn each_parameter_of_spans_counts() {
    let spans = |p, length, least, overlap| Spans { p, length, least, overlap };
    assert!(share(&spans(0.1, 10, 2, true), 200) > share(&spans(0.05, 10, 2, true), 200) + 0.1);
    assert!(share(&spans(0.05, 20, 2, true), 200) > share(&spans(0.05, 10, 2, true), 200) + 0.1);
    assert!(share(&spans(0.001, 10, 9, true), 200) > share(&spans(0.001, 10, 2, true), 200) + 0.1);
    assert!(share(&spans(0.05, 10, 2, false), 200) > share(&spans(0.05, 10, 2, true), 200) + 0.05);
}

#[test]
fn spans_that_do_not_overlap_fit_in_every_way_alike() {
    let spans = Spans { p: 0.2, length: 3, least: 1, overlap: false };
    let mut random = Random::keyed(&[b"apart"]);
    let mut counts = std::collections::BTreeMap::<Vec<bool>, u32>::new();
    for _ in 0..30_000 {
        let mask = spans.draw(10, &mut random);
        assert_eq!(mask.iter().filter(|masked| **masked).count(), 6);
        *counts.entry(mask).or_default() += 1;
    }
    // Two spans of three among ten frames: 15 ways, of which 5 have them side by side and look like one of six.
    assert_eq!(counts.len(), 15);
    assert!(counts.values().all(|count| (1750..2250).contains(count)), "{counts:?}");
    assert_eq!(Spans { p: 1.0, ..spans }.draw(10, &mut random).iter().filter(|masked| **masked).count(), 9);
}

#[test]
fn blocks_lie_on_a_grid() {
    let mask = mask(json!({"pattern": {"blocks": {"p": 0.5, "seconds": 0.1}}}));
    let mut masked = 0;
    for start in 0..200 {
        let (header, planes) = run(&mask, &[clip(start, &[1.0; 950])]).signals.remove(0);
        for (from, to) in header.mask.unwrap().covered.iter() {
            assert!(from % 100 == 0 && (to % 100 == 0 || *to == 950), "{from} {to}");
        }
        masked += planes[0].iter().filter(|sample| **sample == 0.0).count();
    }
    let share = masked as f64 / (200.0 * 950.0);
    assert!((share - 0.5).abs() < 0.05, "{share}");
    let rare = self::mask(json!({"pattern": {"blocks": {"p": 0.0001, "seconds": 0.1}}}));
    for start in 0..20 {
        let (header, _) = run(&rare, &[clip(start, &[1.0; 950])]).signals.remove(0);
        assert!(header.mask.unwrap().covered.len() == 1);
    }
}

#[test]
fn what_stands_for_masked_frames() {
    let filled = |fill: Value| {
        let mask = mask(json!({"pattern": {"spans": {"p": 0.02, "length": 50}}, "fill": fill}));
        let (header, planes) = run(&mask, &[clip(7, &[1.0; 5000])]).signals.remove(0);
        let mut inside = Vec::new();
        let mut rest = planes[0].clone();
        for (from, to) in header.mask.unwrap().covered.iter().rev() {
            inside.extend(rest.drain(*from as usize..*to as usize));
        }
        assert!(rest.iter().all(|sample| *sample == 1.0) && !inside.is_empty());
        inside
    };
    assert!(filled(json!("zero")).iter().all(|sample| *sample == 0.0));
    assert!(filled(json!("learned")).iter().all(|sample| *sample == 1.0));
    let deviation = |std: f64| {
        let noise = filled(json!({"noise": {"std": std}}));
        (noise.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / noise.len() as f64).sqrt()
    };
    assert!((deviation(0.1) - 0.1).abs() < 0.01 && (deviation(2.0) - 2.0).abs() < 0.2);
}

#[test]
fn only_chosen_views_are_masked() {
    let mask = mask(json!({"pattern": {"spans": {}}, "views": [1]}));
    for view in [0, 1, 2] {
        let (mut header, block) = clip(0, &[1.0; 500]);
        header.view = view;
        let (header, planes) = run(&mask, &[(header, block)]).signals.remove(0);
        assert_eq!(header.mask.unwrap().covered.is_empty(), view != 1);
        assert_eq!(planes[0].contains(&0.0), view == 1);
    }
}

#[test]
fn ranges_are_enforced() {
    let spans = |spans: Value| wrong(&mask(json!({"pattern": {"spans": spans}})));
    for p in [json!(0), json!(1.1)] {
        assert_eq!(spans(json!({"p": p})), Some("pattern.spans.p".into()));
        let blocks = wrong(&mask(json!({"pattern": {"blocks": {"p": p}}})));
        assert_eq!(blocks, Some("pattern.blocks.p".into()));
    }
    for length in [0, 1_000_001] {
        assert_eq!(spans(json!({"length": length})), Some("pattern.spans.length".into()));
    }
    for least in [0, 1001] {
        assert_eq!(spans(json!({"least": least})), Some("pattern.spans.least".into()));
    }
    let blocks = |blocks: Value| wrong(&mask(json!({"pattern": {"blocks": blocks}})));
    for seconds in [0, 61] {
        assert_eq!(blocks(json!({"seconds": seconds})), Some("pattern.blocks.seconds".into()));
    }
    let fill = |fill: Value| wrong(&mask(json!({"pattern": {"spans": {}}, "fill": fill})));
    for std in [0, 1001] {
        assert_eq!(fill(json!({"noise": {"std": std}})), Some("fill.noise.std".into()));
    }
    assert_eq!(wrong(&mask(json!({"pattern": {"spans": {}}, "views": []}))), Some("views".into()));
}
