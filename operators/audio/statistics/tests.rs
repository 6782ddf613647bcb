use std::path::Path;

use etude_pipeline::operator::Inputs;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Expect;
use crate::stream::kept::{Clip, Kept};

/// Mean and deviation by the definition, in two passes.
fn definition(values: impl Iterator<Item = f32> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / count;
    let squares: f64 = values.map(|value| (f64::from(value) - mean).powi(2)).sum();
    (mean, (squares / count).sqrt())
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * (1.0 + other.abs())
}

proptest! {
    #[test]
    fn moments_are_as_defined_wherever_values_are_cut(
        values in prop::collection::vec(-1e3f32..1e3, 1..200),
        cuts in prop::collection::vec(0usize..200, 0..6),
        offset in prop::sample::select(vec![0.0f32, 1e4, -3e5]),
    ) {
        let values: Vec<f32> = values.iter().map(|value| value + offset).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(values.len())).collect();
        cuts.extend([0, values.len()]);
        cuts.sort_unstable();
        let (mut whole, mut cut) = (Running::default(), Running::default());
        whole.add(&values);
        cuts.windows(2).for_each(|pair| cut.add(&values[pair[0]..pair[1]]));
        prop_assert_eq!(whole.moments(), cut.moments());
        let mut merged = Moments::default();
        for pair in cuts.windows(2) {
            let mut part = Running::default();
            part.add(&values[pair[0]..pair[1]]);
            merged.merge(&part.moments());
        }
        let (mean, deviation) = definition(values.iter().copied());
        for found in [whole.moments(), merged] {
            prop_assert_eq!(found.count, values.len() as u64);
            prop_assert!(close(found.mean, mean) && close(found.deviation(), deviation), "{:?}", found);
        }
    }
}

/// Three items of some clips each: log-mel-like values far from 0, some clips without a frame.
fn clips() -> Vec<(&'static str, Vec<Clip>)> {
    let value = |item: usize, clip: usize, channel: usize, frame: usize| {
        let at = (item * 7 + clip * 3 + channel) as f32 + frame as f32 * 0.37;
        -9.0 - channel as f32 + (at * 1.7).sin() * (1.0 + item as f32)
    };
    let clip = |item: usize, clip: usize| -> Clip {
        let frames = (item * 31 + clip * 17) % 50;
        (0..3).map(|channel| (0..frames).map(|frame| value(item, clip, channel, frame)).collect()).collect()
    };
    let item = |name: &'static str, item: usize| (name, (0..4 + item).map(|at| clip(item, at)).collect());
    vec![item("a", 0), item("b", 1), item("c", 2)]
}

fn run(kept: &Kept, threads: usize, output: &Path) -> Result<ChainReport, Error> {
    let job = kept.job(json!({}), threads, output);
    let reporter: Reporter = Arc::new(|_| {});
    Statistics {}.run(&job, &reporter, &CancellationToken::new())
}

#[test]
fn it_learns_what_all_frames_say() {
    let clips = clips();
    let kept = Kept::features(&clips);
    let output = tempfile::tempdir().unwrap();
    run(&kept, 2, output.path()).unwrap();
    let learnt = read(output.path()).unwrap();
    let channel = |channel: usize| {
        clips.iter().flat_map(|(_, clips)| clips).flat_map(move |clip| clip[channel].iter().copied())
    };
    assert_eq!((learnt.channels, learnt.frames), (3, channel(0).count() as u64));
    for at in 0..3 {
        let (mean, deviation) = definition(channel(at));
        assert!(close(learnt.mean[at], mean) && close(learnt.std[at], deviation), "{learnt:?}");
    }
}

#[test]
fn threads_change_no_byte() {
    let kept = Kept::features(&clips());
    let file = |threads| {
        let output = tempfile::tempdir().unwrap();
        run(&kept, threads, output.path()).unwrap();
        std::fs::read(output.path().join("statistics.json")).unwrap()
    };
    let one = file(1);
    [2, 3, 8].into_iter().for_each(|threads| assert!(file(threads) == one));
}

#[test]
fn what_cannot_be_learnt_from_is_told() {
    let output = tempfile::tempdir().unwrap();
    let empty = Kept::features(&[("a", vec![vec![vec![]; 2]])]);
    let said = run(&empty, 1, output.path()).unwrap_err().to_string();
    assert_eq!(said, "stage `test`: there is no frame to learn from");
    let infinite = Kept::features(&[("a", vec![vec![vec![0.0; 4], vec![0.0, f32::INFINITY, 1.0, 2.0]]])]);
    let said = run(&infinite, 1, output.path()).unwrap_err().to_string();
    assert!(said.contains("channel 1 of the clip of `a` at 0 is not finite"), "{said}");
    assert!(read(output.path()).is_err());
    std::fs::write(
        output.path().join("statistics.json"),
        r#"{"channels":2,"frames":1,"mean":[0],"std":[1]}"#,
    )
    .unwrap();
    assert!(read(output.path()).unwrap_err().to_string().contains("a mean and a deviation for each of 2"));
}

#[test]
fn it_ends_when_cancelled() {
    let kept = Kept::features(&clips());
    let output = tempfile::tempdir().unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let reporter: Reporter = Arc::new(|_| {});
    let ended = Statistics {}.run(&kept.job(json!({}), 2, output.path()), &reporter, &cancel);
    assert!(matches!(ended, Err(Error::Cancelled)));
}

#[test]
fn it_gives_an_artifact_of_the_channels() {
    let flow = Flow::Signal(crate::stream::kept::features(3));
    let found = Statistics {}.output(&Inputs(vec![("from", vec![&flow])])).unwrap();
    let sampling = crate::stream::kept::features(3).sampled().unwrap();
    assert_eq!(
        found,
        Flow::Artifact(ArtifactType { format: "statistics", sampling, tokens: true, width: 3 })
    );
    assert!(Statistics {}.output(&Inputs(vec![("from", vec![&Flow::Items])])).is_err());
}
