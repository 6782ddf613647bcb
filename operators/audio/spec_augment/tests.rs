use etude_pipeline::flow::{SignalType, Unit};
use serde_json::{Value, json};

use super::*;
use crate::harness::{operator, recording, run, wrong};

fn augment(parameters: Value) -> SpecAugment {
    operator(parameters)
}

const BINS: usize = 12;

/// Two planes of bins without a 0, of which the second is far higher.
fn features(number: u64, frames: usize) -> (Header, Block) {
    let row = |channel: usize| {
        let value = |frame: usize| {
            (1 + channel / BINS * 100) as f32 + ((channel * 31 + frame * 17) % 97) as f32 / 97.0
        };
        (0..frames).map(value).collect()
    };
    let rows: Vec<Vec<f32>> = (0..2 * BINS).map(row).collect();
    let (header, block) = recording(&rows);
    (Header { start: number * 1_000_000, hop: 10, planes: 2, frames: Some(frames as u64), ..header }, block)
}

/// Which values of the first plane have changed; in the second they are the same.
fn changed(augment: &SpecAugment, number: u64, frames: usize) -> Vec<Vec<bool>> {
    let (header, block) = features(number, frames);
    let (after, planes) = run(augment, &[(header.clone(), block.clone())]).signals.remove(0);
    assert_eq!(Header { drawn: Vec::new(), ..after.clone() }, header);
    let differs = |channel: usize| {
        planes[channel].iter().zip(block.channel(channel)).map(|(after, before)| after != before).collect()
    };
    let changed: Vec<Vec<bool>> = (0..BINS).map(differs).collect();
    assert!((0..BINS).all(|bin| differs(BINS + bin) == changed[bin]));
    // What is noted is what was masked.
    let parts = |name: &str| -> Vec<Range<usize>> {
        let noted = after.drawn.iter().filter(|(drawn, _)| drawn.starts_with(name));
        let noted: Vec<usize> = noted.map(|(_, number)| number.unwrap() as usize).collect();
        noted.chunks(2).map(|pair| pair[0]..pair[0] + pair[1]).collect()
    };
    let (times, bands) = (parts("time_mask"), parts("frequency_mask"));
    for (bin, row) in changed.iter().enumerate() {
        for (frame, changed) in row.iter().enumerate() {
            let masked = times.iter().any(|time| time.contains(&frame))
                || bands.iter().any(|band| band.contains(&bin));
            assert_eq!(masked, *changed, "bin {bin}, frame {frame}");
        }
    }
    changed
}

/// Frames and bins that are masked throughout; nothing else is.
fn masks(changed: &[Vec<bool>]) -> (Vec<bool>, Vec<bool>) {
    let times: Vec<bool> = (0..changed[0].len()).map(|frame| changed.iter().all(|row| row[frame])).collect();
    let bands: Vec<bool> = changed.iter().map(|row| row.iter().all(|changed| *changed)).collect();
    for (row, band) in changed.iter().zip(&bands) {
        assert!(row.iter().zip(&times).all(|(changed, time)| *changed == (*time || *band)));
    }
    (times, bands)
}

fn count(flags: &[bool]) -> usize {
    flags.iter().filter(|flag| **flag).count()
}

fn runs(flags: &[bool]) -> usize {
    flags.chunk_by(|a, b| a == b).filter(|run| run[0]).count()
}

/// Of 300 clips of 200 frames: masked frames and bins, runs of frames and of bins, on average.
fn averages(parameters: Value) -> [f64; 4] {
    let augment = augment(parameters);
    let mut sums = [0; 4];
    for number in 0..300 {
        let (times, bands) = masks(&changed(&augment, number, 200));
        let numbers = [count(&times), count(&bands), runs(&times), runs(&bands)];
        sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
    }
    sums.map(|sum| sum as f64 / 300.0)
}

fn near(found: f64, wanted: f64, off: f64) {
    assert!((found - wanted).abs() < off, "{found}, not {wanted}");
}

#[test]
fn masks_in_time() {
    let time = |masks: u32, width: [u64; 2], share: f64| {
        let mut parameters = json!({"time_masks": masks, "time_width": width, "time_share": share});
        (parameters["frequency_masks"], parameters["fill"]) = (json!(0), json!("zero"));
        averages(parameters)
    };
    // One mask of 0 to 20 frames: 10 of them on average, in 20 of 21 clips.
    let [frames, bins, runs, _] = time(1, [0, 20], 1.0);
    near(frames, 10.0, 1.2);
    near(runs, 20.0 / 21.0, 0.05);
    assert_eq!(bins, 0.0);
    near(time(1, [15, 20], 1.0)[0], 17.5, 0.4);
    // A share of 0.05 of 200 frames are 10.
    near(time(1, [0, 20], 0.05)[0], 5.0, 0.7);
    assert_eq!(time(1, [12, 20], 0.05)[0], 10.0);
    // Two masks of 10 frames overlap at times: 191 places each, of which 19 touch.
    let [frames, _, runs, _] = time(2, [10, 10], 1.0);
    near(frames, 20.0 - 100.0 / 191.0, 0.3);
    near(runs, 2.0 - 21.0 / 191.0, 0.08);
}

#[test]
fn masks_in_frequency() {
    let frequency = |masks: u32, width: [u64; 2]| {
        averages(json!({"time_masks": 0, "frequency_masks": masks, "frequency_width": width, "fill": "zero"}))
    };
    let [frames, bins, _, runs] = frequency(1, [0, 4]);
    near(bins, 2.0, 0.3);
    near(runs, 0.8, 0.08);
    assert_eq!(frames, 0.0);
    assert_eq!(frequency(1, [3, 3])[1], 3.0);
    assert!(frequency(3, [3, 3])[1] > 5.5);
    // Wider than there are bins: all of them.
    assert_eq!(frequency(1, [20, 27])[1], 12.0);
}

#[test]
fn without_parameters_it_is_switchboard_strong() {
    let SpecAugment { time_masks, time_width, time_share, frequency_masks, frequency_width, fill, .. } =
        augment(json!({}));
    assert_eq!((time_masks, time_width, time_share), (2, [0, 70], 0.2));
    assert_eq!((frequency_masks, frequency_width, fill), (2, [0, 27], Fill::Mean));
    // 40 frames are the most that each of two masks covers of 200.
    let augment = augment(json!({"frequency_masks": 0}));
    for number in 0..50 {
        assert!(count(&masks(&changed(&augment, number, 200)).0) <= 80);
    }
}

#[test]
fn what_stands_in_masks() {
    let filled = |fill: Option<&str>| {
        let mut parameters = json!({"time_width": [20, 20], "time_share": 1, "frequency_width": [3, 3]});
        fill.into_iter().for_each(|fill| parameters["fill"] = json!(fill));
        let (header, block) = features(3, 100);
        let planes = run(&augment(parameters), &[(header, block.clone())]).signals.remove(0).1;
        let mean = |plane: &[f32]| plane.iter().copied().map(f64::from).sum::<f64>() / 1200.0;
        let means: Vec<f64> = block.samples().chunks(BINS * 100).map(mean).collect();
        let mut found = [0; 2];
        for (channel, row) in planes.iter().enumerate() {
            let plane = channel / BINS;
            for (after, before) in
                row.iter().zip(block.channel(channel)).filter(|(after, before)| after != before)
            {
                let wanted = if fill == Some("zero") { 0.0 } else { means[plane] };
                assert!((f64::from(*after) - wanted).abs() < 1e-5, "{after}, not {wanted}, for {before}");
                found[plane] += 1;
            }
        }
        assert!(found[0] > 200 && found[1] > 200);
    };
    filled(Some("zero"));
    filled(Some("mean"));
    filled(None);
}

#[test]
fn other_clips_and_views_have_other_masks() {
    let augment = augment(json!({}));
    let of = |number: u64, view| {
        let (header, block) = features(number, 200);
        run(&augment, &[(Header { view, ..header }, block)]).signals.remove(0).1
    };
    assert_eq!(of(1, 0), of(1, 0));
    assert_ne!(of(1, 0), of(1, 1));
    assert_ne!(masks(&changed(&augment, 1, 200)), masks(&changed(&augment, 2, 200)));
    assert_eq!(run(&augment, &[features(1, 0)]).signals.len(), 1);
}

#[test]
fn other_views_stay_as_they_are() {
    let second = augment(json!({"views": [1]}));
    for view in [0, 1, 2] {
        let (header, block) = features(1, 200);
        let planes = run(&second, &[(Header { view, ..header }, block.clone())]).signals.remove(0).1;
        assert_eq!(planes.concat() != block.samples(), view == 1);
    }
}

#[test]
fn it_is_for_clips_of_features() {
    let given =
        |signal: SignalType| augment(json!({})).output(&Inputs(vec![("from", vec![&Flow::Signal(signal)])]));
    let audio = |unit| SignalType::audio(Some(1000), Some(1), unit);
    assert!(given(audio(Unit::Clip)).unwrap_err().message.contains("not audio"));
    assert!(
        given(SignalType { hop: 10, ..audio(Unit::Recording) }).unwrap_err().message.contains("recordings")
    );
    assert!(given(SignalType { hop: 10, ..audio(Unit::Clip) }).is_ok());
    let flow = Flow::Signal(SignalType { hop: 10, views: 2, ..audio(Unit::Clip) });
    let third = augment(json!({"views": [2]})).output(&Inputs(vec![("from", vec![&flow])]));
    assert!(third.unwrap_err().message.contains("view 2"));
}

#[test]
fn ranges_are_enforced() {
    let wrong = |name: &str, value: Value| wrong(&augment(json!({name: value})));
    assert_eq!(wrong("time_masks", json!(101)), Some("time_masks".into()));
    assert_eq!(wrong("time_width", json!([2, 1])), Some("time_width".into()));
    assert_eq!(wrong("time_width", json!([0, 1_000_001])), Some("time_width".into()));
    assert_eq!(wrong("time_share", json!(1.1)), Some("time_share".into()));
    assert_eq!(wrong("time_share", json!(-0.1)), Some("time_share".into()));
    assert_eq!(wrong("frequency_masks", json!(101)), Some("frequency_masks".into()));
    assert_eq!(wrong("frequency_width", json!([0, 65536])), Some("frequency_width".into()));
    assert_eq!(wrong("frequency_width", json!([3, 2])), Some("frequency_width".into()));
    assert_eq!(wrong("views", json!([])), Some("views".into()));
    let none = augment(json!({"time_masks": 0, "frequency_masks": 0}));
    assert_eq!(crate::harness::wrong(&none), Some("time_masks".into()));
}
