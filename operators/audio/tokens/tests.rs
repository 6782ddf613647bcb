use std::sync::Arc;

use etude_pipeline::flow::{ArtifactType, Mask, Sampling};
use etude_pipeline::flow::{Block, Flow, Header, SignalType};
use etude_pipeline::operator::{Body, Context, DatasetInput, Inputs, Operator, Output, Step, Stop};
use etude_pipeline::random::Random;
use serde_json::{Value, json};

use super::*;
use crate::Expect;
use crate::harness::{Outcome, operator, run, wrong};
use crate::stream::kept::{Clip, Kept, features};

/// A clip of random features.
fn clip(channels: u16, frames: usize) -> (Header, Block) {
    let mut random = Random::keyed(&[b"clip"]);
    let samples = (0..usize::from(channels) * frames).map(|_| random.normal() as f32).collect();
    let header = Header::audio(Arc::from("a"), 0, 16_000, channels, Some(frames as u64));
    (Header { hop: 160, planes: 2, ..header }, Block::planar(usize::from(channels), samples))
}

/// The names of a clip's frames, a list a channel, and the header.
fn names(parameters: Value, clip: &(Header, Block)) -> (Header, Vec<Vec<f32>>) {
    let mut outcome = run(&operator::<RandomProjection>(parameters), std::slice::from_ref(clip));
    assert_eq!(outcome.stop, None);
    outcome.signals.pop().unwrap()
}

/// BEST-RQ as it is written: project, bring to length 1, find the nearest entry; with the numbers that the trainer's
/// `Scope` draws for the first objective.
fn definition(parameters: &Value, (header, block): &(Header, Block)) -> Vec<Vec<f32>> {
    let size = |name: &str| parameters[name].as_u64().unwrap() as usize;
    let (codebooks, entries, dim, stack) = (size("codebooks"), size("entries"), size("dim"), size("stack"));
    let inputs = usize::from(header.channels) * stack;
    let stream = |name: &str| {
        let path = format!("objectives.0.{name}");
        Random::keyed(&[b"weights", &parameters["seed"].as_u64().unwrap().to_le_bytes(), path.as_bytes()])
    };
    let (mut uniform, mut normal) = (stream("projections"), stream("codebooks"));
    let bound = (6.0 / (inputs + dim) as f64).sqrt();
    let unit = |vector: &[f64]| -> Vec<f64> {
        let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
        vector.iter().map(|value| value / length).collect()
    };
    let mut names = Vec::new();
    for _ in 0..codebooks {
        let matrix: Vec<f64> = (0..inputs * dim).map(|_| (2.0 * uniform.uniform() - 1.0) * bound).collect();
        let drawn: Vec<f64> = (0..entries * dim).map(|_| normal.normal()).collect();
        let codebook: Vec<Vec<f64>> = drawn.chunks(dim).map(unit).collect();
        let name = |at: usize| {
            let frame = |input: usize| {
                f64::from(
                    block.channel(input % usize::from(header.channels))
                        [at * stack + input / usize::from(header.channels)],
                )
            };
            let value =
                |column: usize| (0..inputs).map(|input| frame(input) * matrix[input * dim + column]).sum();
            let searched = unit(&(0..dim).map(value).collect::<Vec<f64>>());
            let distance = |entry: &Vec<f64>| -> f64 {
                entry.iter().zip(&searched).map(|(a, b)| (a - b) * (a - b)).sum()
            };
            let nearest = (1..entries).fold(0, |best, next| {
                if distance(&codebook[next]) < distance(&codebook[best]) { next } else { best }
            });
            nearest as f32
        };
        names.push((0..block.frames() / stack).map(name).collect());
    }
    names
}

#[test]
fn names_are_those_of_the_definition() {
    for parameters in [
        json!({"codebooks": 1, "entries": 64, "dim": 16, "stack": 1, "seed": 3}),
        json!({"codebooks": 3, "entries": 37, "dim": 5, "stack": 4, "seed": 0}),
    ] {
        let clip = clip(10, 203);
        let expected = definition(&parameters, &clip);
        let (header, found) = names(parameters.clone(), &clip);
        assert_eq!(found, expected, "{parameters}");
        let stack = parameters["stack"].as_u64().unwrap();
        let channels = parameters["codebooks"].as_u64().unwrap() as u16;
        let (hop, frames) = (160 * stack as u32, Some(203 / stack));
        assert_eq!(header, Header { hop, channels, planes: 1, frames, ..clip.0 });
    }
}

#[test]
fn the_seed_and_the_sizes_alone_decide() {
    let clip = clip(8, 300);
    let usual = json!({"entries": 256, "dim": 8});
    let found = names(usual.clone(), &clip).1;
    for (name, other, bad) in [
        ("codebooks", json!(2), vec![json!(0), json!(65)]),
        ("entries", json!(255), vec![json!(1), json!(65537)]),
        ("dim", json!(9), vec![json!(0), json!(1025)]),
        ("stack", json!(2), vec![json!(0), json!(65)]),
        ("seed", json!(1), vec![]),
    ] {
        let mut parameters = usual.clone();
        parameters[name] = other;
        assert_ne!(names(parameters.clone(), &clip).1, found, "{name}");
        for bad in bad {
            parameters[name] = bad;
            assert_eq!(wrong(&operator::<RandomProjection>(parameters.clone())).as_deref(), Some(name));
        }
    }
    let large = json!({"codebooks": 64, "entries": 65536, "dim": 1024});
    assert_eq!(wrong(&operator::<RandomProjection>(large)).as_deref(), Some("entries"));
    assert!(!operator::<RandomProjection>(json!({})).random());
}

#[test]
fn many_names_are_used_and_neighbours_share_them() {
    let found = names(json!({"entries": 64}), &clip(16, 4000)).1;
    let used: std::collections::BTreeSet<u32> = found[0].iter().map(|name| *name as u32).collect();
    assert!(used.len() > 60 && used.iter().all(|name| *name < 64), "{}", used.len());
    // What is a little louder has the same name.
    let (header, mut block) = clip(16, 4000);
    block.samples_mut().iter_mut().for_each(|sample| *sample *= 1.5);
    let louder = names(json!({"entries": 64}), &(header, block)).1;
    let same = found[0].iter().zip(&louder[0]).filter(|(one, other)| one == other).count();
    assert!(same > 3990, "{same}");
}

#[test]
fn a_mask_covers_stacks() {
    let (header, block) = clip(4, 41);
    let masked = Header { mask: Some(Mask::marked([(3, 5), (39, 41)].into())), ..header };
    let (header, _) = names(json!({"entries": 8, "stack": 4}), &(masked, block));
    assert_eq!(header.mask, Some(Mask::marked([(0, 2), (9, 10)].into())));
}

#[test]
fn what_comes_out_is_known_before() {
    let output = |parameters: Value, signal: SignalType| {
        let flow = Flow::Signal(signal);
        match operator::<RandomProjection>(parameters).output(&Inputs(vec![("from", vec![&flow])])) {
            Ok(Flow::Signal(signal)) => Ok(signal),
            Ok(other) => panic!("it gives {other}"),
            Err(message) => Err(message),
        }
    };
    let signal = SignalType { frames: Some(41), most_frames: Some(41), planes: 4, ..features(20) };
    let found = output(json!({"codebooks": 3, "stack": 4}), signal.clone()).unwrap();
    let (hop, channels, frames) = (640, Some(3), Some(10));
    assert_eq!(found, SignalType { hop, channels, planes: 1, frames, most_frames: frames, ..signal.clone() });
    let unknown = SignalType { channels: None, ..signal.clone() };
    assert!(output(json!({}), unknown).unwrap_err().message.contains("the same number of channels"));
    let wide = SignalType { channels: Some(60_000), ..signal.clone() };
    assert!(
        output(json!({"dim": 1024, "stack": 2}), wide)
            .unwrap_err()
            .message
            .contains("the matrices would have")
    );
    let far = SignalType { hop: 1 << 31, ..signal };
    assert!(output(json!({"stack": 2}), far).unwrap_err().message.contains("`stack` is too large"));
}

/// Sends a clip through `assign` in blocks of that many frames.
fn assigned(side: Vec<DatasetInput>, (header, block): &(Header, Block), length: usize) -> Outcome {
    let Body::Map(make) = operator::<Assign>(json!({})).body() else { panic!("it maps signals") };
    let sides = Arc::from([("centroids".to_owned(), side)]);
    let mut map = make(Context {
        seed: 0,
        stage: Arc::from("test"),
        epoch: 0,
        block: length,
        cancel: Default::default(),
        sides,
    });
    let mut outcome = Outcome::default();
    let mut send = |outcome: &mut Outcome| -> Step {
        map.begin(header, outcome)?;
        for from in (0..block.frames()).step_by(length) {
            map.block(&mut block.slice(from, block.frames().min(from + length)), outcome)?;
        }
        map.end(outcome)?;
        outcome.end()
    };
    outcome.stop = send(&mut outcome).err();
    outcome
}

/// Centroids that `k_means` has found in clips of four channels.
fn centroids(folder: &std::path::Path) -> DatasetInput {
    let clip = |at: usize| -> Clip {
        let mut random = Random::keyed(&[b"clips", &at.to_le_bytes()]);
        (0..4).map(|_| (0..50).map(|_| random.normal() as f32).collect()).collect()
    };
    let kept = Kept::features(&[("a", (0..6).map(clip).collect())]);
    let k_means: crate::k_means::KMeans =
        operator(json!({"clusters": 13, "steps": 3, "batch_size": 50, "frames_per_clip": 25}));
    let Body::Dataset(dataset) = k_means.body() else { panic!("it takes everything at once") };
    dataset.run(&kept.job(json!({}), 1, folder), &(Arc::new(|_| {}) as _), &Default::default()).unwrap();
    DatasetInput::Artifact { stage: "clusters".into(), folder: folder.to_owned() }
}

#[test]
fn frames_are_named_after_the_nearest_centroid() {
    let folder = tempfile::tempdir().unwrap();
    let side = centroids(folder.path());
    let found = crate::k_means::read(folder.path()).unwrap();
    let clip = clip(4, 100);
    let distance = |centre: &[f32], frame: usize| -> f64 {
        let difference = |(channel, value): (usize, &f32)| f64::from(*value - clip.1.channel(channel)[frame]);
        centre.iter().enumerate().map(difference).map(|difference| difference * difference).sum()
    };
    let nearest = |frame: usize| {
        let centres = found.values.chunks(4).enumerate();
        centres.min_by(|a, b| distance(a.1, frame).total_cmp(&distance(b.1, frame))).unwrap().0 as f32
    };
    let expected: Vec<f32> = (0..100).map(nearest).collect();
    for length in [1, 7, 64, 1000] {
        let outcome = assigned(vec![side.clone()], &clip, length);
        let (header, names) = &outcome.signals[0];
        assert_eq!(names, std::slice::from_ref(&expected), "{length}");
        assert_eq!(*header, Header { channels: 1, planes: 1, ..clip.0.clone() });
    }
}

#[test]
fn centroids_that_do_not_fit_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let side = centroids(folder.path());
    let other = assigned(vec![side], &clip(5, 10), 10);
    let Some(Stop::Rejected { class: "channels", message, .. }) = other.stop else { panic!("{other:?}") };
    assert_eq!(message, "frames have 5 values, and the centroids 4");
    std::fs::write(folder.path().join("centroids.parquet"), "nothing").unwrap();
    let damaged = DatasetInput::Artifact { stage: "clusters".into(), folder: folder.path().to_owned() };
    for side in [vec![], vec![damaged]] {
        assert!(matches!(assigned(side, &clip(4, 10), 10).stop, Some(Stop::Transient { .. })));
    }
    let output = |format: &'static str, width: u16| {
        let signal = SignalType { planes: 2, ..features(4) };
        let sampling = Sampling { channels: width, ..signal.sampled().unwrap() };
        let artifact = Flow::Artifact(ArtifactType { format, sampling, tokens: true, width: width.into() });
        let signal = Flow::Signal(signal);
        operator::<Assign>(json!({}))
            .output(&Inputs(vec![("from", vec![&signal]), ("centroids", vec![&artifact])]))
    };
    assert_eq!(output("centroids", 4), Ok(Flow::Signal(features(1))));
    let told = output("centroids", 6).unwrap_err();
    assert!(told.message.starts_with("the centroids are of features of 2 planes of 3 values"), "{told}");
    assert!(
        output("statistics", 4)
            .unwrap_err()
            .message
            .starts_with("expects what `k_means` has found at `centroids`")
    );
}
