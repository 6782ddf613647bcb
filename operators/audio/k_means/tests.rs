use std::path::Path;
use std::sync::Mutex;

use etude_pipeline::event::Event;
use serde_json::{Value, json};

use super::fit::{Fit, nearest};
use super::sample::choose;
use super::*;
use crate::Expect;
use crate::harness::{operator, wrong};
use crate::stream::kept::{Clip, Kept, features, link};
use etude_pipeline::random::Random;

const EVERY: Pace = Pace { tell: Duration::ZERO, keep: Duration::ZERO };

/// Clips around as many centres as are given, each of which all clips visit.
fn blobs(centres: &[[f32; 3]], clips: usize, frames: usize) -> Vec<Clip> {
    let clip = |clip: usize| -> Clip {
        let mut random = Random::keyed(&[b"blobs", &clip.to_le_bytes()]);
        let frames: Vec<[f32; 3]> = (0..frames)
            .map(|frame| {
                centres[(frame + clip) % centres.len()].map(|value| value + 0.1 * random.normal() as f32)
            })
            .collect();
        (0..3).map(|channel| frames.iter().map(|frame| frame[channel]).collect()).collect()
    };
    (0..clips).map(clip).collect()
}

const CENTRES: [[f32; 3]; 5] =
    [[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 3.0, 1.0], [-2.0, -2.0, 5.0], [10.0, 10.0, 10.0]];

fn kept(clips: Vec<Clip>) -> Kept {
    Kept::features(&[("a", clips[..clips.len() / 2].to_vec()), ("b", clips[clips.len() / 2..].to_vec())])
}

/// Learns; the file, what is in it, and what was told.
fn learn(kept: &Kept, parameters: &Value, threads: usize) -> Result<(Vec<u8>, Centroids, String), Error> {
    learn_by(7, kept, parameters, threads)
}

fn learn_by(
    seed: u64,
    kept: &Kept,
    parameters: &Value,
    threads: usize,
) -> Result<(Vec<u8>, Centroids, String), Error> {
    let output = tempfile::tempdir().unwrap();
    let k_means: KMeans = operator(parameters.clone());
    assert_eq!(wrong(&k_means), None);
    let said = Arc::new(Mutex::new(String::new()));
    let messages = said.clone();
    let reporter: Reporter = Arc::new(move |event| {
        if let Event::Message { text, .. } = event {
            *messages.lock().unwrap() = text;
        }
    });
    let job = DatasetJob { seed, ..kept.job(json!({}), threads, output.path()) };
    k_means.run(&job, &reporter, &CancellationToken::new())?;
    let said = said.lock().unwrap().clone();
    let file = std::fs::read(output.path().join("centroids.parquet")).unwrap();
    Ok((file, read(output.path())?, said))
}

#[test]
fn it_finds_what_lies_apart() {
    let kept = kept(blobs(&CENTRES, 10, 60));
    let parameters = json!({"clusters": 5, "steps": 50, "batch_size": 100, "frames_per_clip": 20});
    let (_, centroids, said) = learn(&kept, &parameters, 2).unwrap();
    assert_eq!((centroids.width, centroids.values.len()), (3, 15));
    let mut found: Vec<&[f32]> = centroids.values.chunks(3).collect();
    for centre in CENTRES {
        let near = |vector: &&[f32]| vector.iter().zip(centre).all(|(a, b)| (a - b).abs() < 0.05);
        found.swap_remove(found.iter().position(near).unwrap_or_else(|| panic!("{centre:?}: {found:?}")));
    }
    // Three values of variance 0.01.
    let inertia: f64 = said.split("inertia ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(said.starts_with("5 centroids after 50 steps: ") && (inertia - 0.03).abs() < 0.005, "{said}");
}

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/k_means.json")).unwrap()
}

/// The sum of squared distances of all frames from the nearest centroid.
fn inertia(centroids: &Centroids, clips: &[Clip]) -> f64 {
    let mut sum = 0.0;
    for clip in clips {
        for frame in 0..clip[0].len() {
            let distance = |centre: &[f32]| -> f64 {
                centre
                    .iter()
                    .zip(clip)
                    .map(|(a, channel)| (f64::from(*a) - f64::from(channel[frame])).powi(2))
                    .sum()
            };
            sum += centroids.values.chunks(centroids.width).map(distance).fold(f64::INFINITY, f64::min);
        }
    }
    sum
}

/// As good as scikit-learn's, by `golden/k_means.py`.
#[test]
fn it_is_as_good_as_others() {
    let golden = golden();
    let clips: Vec<Clip> = serde_json::from_value(golden["clips"].clone()).unwrap();
    let kept = kept(clips.clone());
    let parameters =
        json!({"clusters": golden["clusters"], "steps": 60, "batch_size": 400, "frames_per_clip": 40});
    let of = |seed: u64| inertia(&learn_by(seed, &kept, &parameters, 2).unwrap().1, &clips);
    let found = (0..10).map(of).sum::<f64>() / 10.0;
    let theirs = |name: &str| golden[name].as_f64().unwrap();
    let (best, mini_batch) = (theirs("k_means"), theirs("mini_batch"));
    assert!(
        found < 1.05 * best && found < 1.02 * mini_batch,
        "{found}; KMeans {best}, MiniBatchKMeans {mini_batch}"
    );
}

#[test]
fn threads_change_no_byte() {
    let golden = golden();
    let kept = kept(serde_json::from_value(golden["clips"].clone()).unwrap());
    let parameters = json!({"clusters": 16, "steps": 12, "batch_size": 333, "frames_per_clip": 17});
    let (one, ..) = learn(&kept, &parameters, 1).unwrap();
    [2, 3, 8].into_iter().for_each(|threads| assert!(learn(&kept, &parameters, threads).unwrap().0 == one));
}

/// A run in a folder of state that is cancelled after some steps of its own, and the state as it was after each step.
fn run_with_state(kept: &Kept, state: &Path, until: Option<u64>) -> (Option<Vec<u8>>, Vec<Vec<u8>>) {
    let output = tempfile::tempdir().unwrap();
    let mut job = kept.job(json!({}), 2, output.path());
    job.state = Some(state.to_owned());
    let cancel = CancellationToken::new();
    let states = Arc::new(Mutex::new(Vec::new()));
    let reporter: Reporter = {
        let (cancel, states, file) = (cancel.clone(), states.clone(), state.join("state"));
        Arc::new(move |event| {
            if let Event::Progress { items, .. } = event {
                states.lock().unwrap().push(std::fs::read(&file).unwrap());
                if until == Some(items) {
                    cancel.cancel();
                }
            }
        })
    };
    let k_means: KMeans =
        operator(json!({"clusters": 16, "steps": 20, "batch_size": 300, "frames_per_clip": 17}));
    let ended = Learn::of(&k_means, &job, &reporter, &cancel, EVERY).unwrap().run();
    assert_eq!(ended.is_ok(), until.is_none());
    let states = states.lock().unwrap().clone();
    (std::fs::read(output.path().join("centroids.parquet")).ok(), states)
}

#[test]
fn a_run_that_is_killed_comes_to_the_same_bytes() {
    let kept = kept(serde_json::from_value(golden()["clips"].clone()).unwrap());
    let folder = || tempfile::tempdir().unwrap();
    let undisturbed = folder();
    let (expected, states) = run_with_state(&kept, undisturbed.path(), None);
    assert_eq!(states.len(), 20);
    // Cancelled, which keeps the last step; twice.
    let state = folder();
    assert_eq!(run_with_state(&kept, state.path(), Some(7)).0, None);
    let (none, between) = run_with_state(&kept, state.path(), Some(13));
    assert_eq!((none, between.len()), (None, 6));
    let (found, rest) = run_with_state(&kept, state.path(), None);
    assert_eq!(rest.len(), 7);
    assert!(found == expected && found.is_some());
    // Killed with what was kept after any step, and beside it half of the next state.
    for at in [0, 3, 18, 19] {
        let state = folder();
        std::fs::write(state.path().join("state"), &states[at]).unwrap();
        std::fs::write(state.path().join("partial"), &states[at][..100]).unwrap();
        let (found, rest) = run_with_state(&kept, state.path(), None);
        assert!(found == expected && rest.len() == 19 - at, "{at}");
    }
    // What cannot be read is no state.
    for damaged in [&states[5][..states[5].len() - 1], b"{}\n", b""] {
        let state = folder();
        std::fs::write(state.path().join("state"), damaged).unwrap();
        let (found, all) = run_with_state(&kept, state.path(), None);
        assert!(found == expected && all.len() == 20);
    }
}

#[test]
fn what_was_counted_is_counted_once() {
    let quantiser: crate::tokens::RandomProjection = operator(json!({"codebooks": 3, "entries": 9}));
    let clip = |clip: u64| -> Clip {
        let mut random = Random::keyed(&[b"noise", &clip.to_le_bytes()]);
        (0..3).map(|_| (0..40).map(|_| random.normal() as f32).collect()).collect()
    };
    let kept = kept((0..12).map(clip).collect()).with(vec![link(&quantiser)]);
    let k_means: KMeans =
        operator(json!({"clusters": 5, "steps": 10, "batch_size": 60, "frames_per_clip": 20}));
    let reporter: Reporter = Arc::new(|_| {});
    let run = |state: &Path, cancel_after: Option<u64>| {
        let output = tempfile::tempdir().unwrap();
        let mut job = kept.job(json!({}), 2, output.path());
        job.state = Some(state.to_owned());
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let stopping: Reporter = Arc::new(move |event| {
            if matches!(event, Event::Progress { items, .. } if Some(items) == cancel_after) {
                stop.cancel();
            }
        });
        let reporter = if cancel_after.is_some() { &stopping } else { &reporter };
        Learn::of(&k_means, &job, reporter, &cancel, EVERY).unwrap().run()
    };
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = run(one.path(), None).unwrap();
    // Ten steps of three clips, and nine clips for the first centroids.
    assert_eq!(whole.counts[0].rows, 39);
    assert!(run(other.path(), Some(4)).is_err());
    assert_eq!(run(other.path(), None).unwrap().counts, whole.counts);
}

#[test]
fn a_step_moves_centroids_to_the_means_of_all_their_frames() {
    let mut fit = Fit::new(vec![0.0, 10.0], 1, ChainReport::default());
    let random = || Random::keyed(&[b"a"]);
    fit.step(&[1.0, 3.0, 9.0], 0.0, random(), 1);
    assert_eq!((fit.centres.clone(), fit.counts.clone()), (vec![2.0, 9.0], vec![2, 1]));
    // (1 + 9 + 1) / 3 before they moved.
    assert!((fit.inertia.unwrap() - 11.0 / 3.0).abs() < 1e-12);
    fit.step(&[5.0], 0.0, random(), 1);
    assert_eq!((fit.centres.clone(), fit.counts.clone()), (vec![3.0, 9.0], vec![3, 1]));
    fit.step(&[], 0.0, random(), 1);
    assert_eq!((fit.steps, fit.counts.clone()), (3, vec![3, 1]));
}

#[test]
fn small_centroids_are_put_elsewhere() {
    let frames: Vec<f32> = (0..40).map(|at| at as f32 / 40.0).collect();
    let step = |ratio: f64| {
        let mut fit = Fit::new(vec![0.5, 1e6, -1e6], 1, ChainReport::default());
        fit.step(&frames, ratio, Random::keyed(&[b"a"]), 1);
        fit
    };
    assert_eq!(step(0.0).centres[1..], [1e6, -1e6]);
    let moved = step(0.01);
    assert!(moved.centres[1..].iter().all(|centre| frames.contains(centre)), "{:?}", moved.centres);
    assert_eq!(moved.counts, [40, 40, 40]);
    // No more than half of the frames, those first that have least.
    let mut fit = Fit::new((0..9).map(|at| 1e6 + at as f32).collect(), 1, ChainReport::default());
    fit.step(&[0.0, 0.1, 0.2, 0.3], 0.5, Random::keyed(&[b"a"]), 1);
    assert_eq!(fit.centres.iter().filter(|centre| **centre < 1.0).count(), 3);
    // Looked for again only when ten frames have come for each, or one has none.
    let mut fit = Fit::new(vec![0.0, 100.0], 1, ChainReport::default());
    fit.step(&[0.0, 0.0, 0.0, 100.0], 0.9, Random::keyed(&[b"a"]), 1);
    assert_eq!(fit.counts, [3, 3]);
    fit.step(&[0.0; 12], 0.9, Random::keyed(&[b"a"]), 1);
    assert_eq!((fit.counts.clone(), fit.since), (vec![15, 3], 12));
    fit.step(&[0.0; 8], 0.9, Random::keyed(&[b"a"]), 1);
    assert_eq!((fit.counts, fit.since), (vec![23, 23], 0));
}

#[test]
fn frames_are_drawn_evenly_and_once() {
    let mut seen = [0u32; 10];
    for key in 0..20_000u64 {
        let chosen = choose(&mut Random::keyed(&[&key.to_le_bytes()]), 3, 10);
        assert!(chosen.len() == 3 && chosen.is_sorted_by(|one, next| one < next));
        chosen.into_iter().for_each(|at| seen[at] += 1);
    }
    assert!(seen.iter().all(|count| (5_800..6_200).contains(count)), "{seen:?}");
    assert_eq!(choose(&mut Random::keyed(&[]), 5, 3), [0, 1, 2]);
}

#[test]
fn the_nearest_is_found_on_any_number_of_threads() {
    let numbers = |count: usize, key: &[u8]| {
        let mut random = Random::keyed(&[key]);
        (0..count).map(|_| random.normal() as f32).collect::<Vec<_>>()
    };
    let (centres, frames) = (numbers(37 * 5, b"a"), numbers(101 * 5, b"b"));
    let one = nearest(&centres, 5, &frames, 1);
    for (frame, found) in frames.chunks(5).zip(one.as_flattened()) {
        let distance = |centre: &[f32]| centre.iter().zip(frame).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        let least = centres.chunks(5).map(distance).fold(f32::INFINITY, f32::min);
        assert!(distance(&centres[*found as usize * 5..][..5]) <= least + 1e-5);
    }
    for threads in [2, 3, 50] {
        let other = nearest(&centres, 5, &frames, threads);
        assert_eq!(other.as_flattened()[..101], one.as_flattened()[..101]);
    }
}

#[test]
fn no_parameter_is_ignored() {
    let kept = kept(serde_json::from_value(golden()["clips"].clone()).unwrap());
    let with = |name: &str, value: Value| {
        let mut parameters = json!({"clusters": 16, "steps": 5, "batch_size": 60, "frames_per_clip": 20});
        parameters["reassignment_ratio"] = json!(0.1);
        parameters[name] = value;
        parameters
    };
    let usual = learn(&kept, &with("clusters", json!(16)), 2).unwrap().0;
    assert!(learn_by(8, &kept, &with("clusters", json!(16)), 2).unwrap().0 != usual, "the seed");
    for (name, other, bad) in [
        ("clusters", json!(15), vec![json!(1), json!(65537)]),
        ("steps", json!(6), vec![json!(0), json!(1_000_001)]),
        ("batch_size", json!(80), vec![json!(0), json!(1_000_001)]),
        ("frames_per_clip", json!(21), vec![json!(0), json!(100_001)]),
        ("reassignment_ratio", json!(0.9), vec![json!(-0.1), json!(1.1)]),
    ] {
        assert!(learn(&kept, &with(name, other), 2).unwrap().0 != usual, "{name}");
        for bad in bad {
            assert_eq!(wrong(&operator::<KMeans>(with(name, bad))).as_deref(), Some(name));
        }
    }
}

#[test]
fn what_cannot_be_learnt_from_is_told() {
    let few = kept(vec![vec![vec![1.0, 2.0, 1.0]]; 4]);
    let parameters = json!({"clusters": 3, "batch_size": 10, "steps": 2});
    let said = learn(&few, &parameters, 1).unwrap_err().to_string();
    assert_eq!(said, "stage `test`: `clusters` is 3, and of 3 frames that were drawn 2 differ");
    let infinite = kept(vec![vec![vec![1.0, f32::NAN, 1.0]]; 4]);
    let said = learn(&infinite, &parameters, 1).unwrap_err().to_string();
    assert!(said.contains("a value is not finite"), "{said}");
}

#[test]
fn it_gives_an_artifact_of_the_channels() {
    let k_means: KMeans = operator(json!({"clusters": 3}));
    let flow = Flow::Signal(features(39));
    let found = k_means.output(&Inputs(vec![("from", vec![&flow])])).unwrap();
    let sampling = features(39).sampled().unwrap();
    assert_eq!(
        found,
        Flow::Artifact(ArtifactType { format: "centroids", sampling, tokens: true, width: 39 })
    );
    assert!(k_means.random());
}
