//! Cutting, filtering and normalising in blocks of any length, as chains on whole files.

use std::collections::BTreeMap;

use super::*;

/// What came out of a chain, what its operators counted, and how it ended.
#[derive(Debug, PartialEq)]
struct Outcome {
    clips: Vec<(u64, Vec<f32>)>,
    counts: Vec<BTreeMap<String, u64>>,
    step: Step,
}

fn outcome(path: &Path, operators: &[(&str, Value)], block: usize) -> Outcome {
    let link = |(operator, parameters): &(&str, Value)| Link {
        stage: (*operator).into(),
        operator: (*operator).into(),
        version: TABLE.get(operator).unwrap().version,
        parameters: parameters.clone(),
        sides: Vec::new(),
    };
    let links: Vec<Link> = operators.iter().map(link).collect();
    let chain = Chain::new(&TABLE, None, &links, 1).unwrap().with_block(block);
    let key = Arc::from("a.wav");
    let item = Item { key, place: Place::at(path), size: 0, digest: "".into(), stamp: None, rows: None };
    let (mut clips, mut trail) = (Clips::default(), Trail::new(chain.len(), None));
    let mut instance = chain.instance(0, &CancellationToken::new()).unwrap();
    let step = instance.run(&item, &mut clips, &mut trail, false);
    // What was given and counted of an item that is stopped is taken back.
    if step.is_err() {
        return Outcome { clips: Vec::new(), counts: Vec::new(), step };
    }
    let counts = trail.counts.into_iter().map(|counts| counts.counters).collect();
    Outcome { clips: clips.done, counts, step }
}

/// Noise with pauses and some samples at full scale.
fn speech(frames: usize, seed: u64) -> Vec<f32> {
    let mut random = etude_pipeline::random::Random::keyed(&[b"speech", &seed.to_le_bytes()]);
    let mut amplitude = 0.5;
    let mut sample = || {
        if random.chance(0.002) {
            amplitude = [0.0, 1e-4, 0.1, 0.5, 1.1][random.below(5) as usize];
        }
        (amplitude * random.range(-1.0, 1.0)).clamp(-1.0, 1.0) as f32
    };
    (0..frames).map(|_| sample()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_cut_filtered_and_normalised_does_not_depend_on_blocks(
        frames in 4_000usize..30_000,
        block in prop_oneof![16usize..200, 1_000usize..20_000],
        length in 500u64..3_000,
        hop in 300u64..4_000,
        tail in prop_oneof![Just("drop"), Just("pad"), Just("keep")],
        target in prop_oneof![Just("peak_db"), Just("rms_db"), Just("lufs")],
        of in prop_oneof![Just("clip"), Just("recording")],
        seed in any::<u64>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        write_wav(&path, 8_000, &[speech(frames, seed), speech(frames, seed ^ 1)]);
        let mut segment = json!({
            "frames": length, "hop": hop, "tail": tail, "silence": {"below_db": -50, "keep_ratio": 0.5},
        });
        if tail != "drop" {
            segment["minimum"] = json!(length / 2);
        }
        let chain = [
            ("decode", json!({"channels": "mono"})),
            ("filter", json!({"duration": {"max": 3.5}, "clipping": {"max": 0.02}})),
            ("segment", segment),
            ("filter", json!({"rms_db": {"min": -25}, "loudness": {"max": -8}})),
            ("normalise", json!({target: -10, "of": of, "max_gain_db": 12})),
        ];
        prop_assert_eq!(outcome(&path, &chain, block), outcome(&path, &chain, 1 << 20));
    }

    /// A gain found in a first pass, and windows in any order, against the whole file at once.
    #[test]
    fn windows_of_a_normalised_recording_are_those_of_the_whole_file(
        frames in 1_000usize..20_000,
        block in prop_oneof![16usize..200, 1_000usize..20_000],
        length in 100usize..2_000,
        starts in prop::collection::vec(0usize..20_000, 1..20),
        seed in any::<u64>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (path, table) = (folder.path().join("a.wav"), folder.path().join("windows.csv"));
        let samples = speech(frames, seed);
        write_wav(&path, 8_000, std::slice::from_ref(&samples));
        let rows: String = starts.iter().map(|start| format!("a.wav,{}\n", *start as f64 / 8_000.0)).collect();
        std::fs::write(&table, format!("item,start\n{rows}")).unwrap();
        let streamed = outcome(&path, &[
            ("decode", json!({})),
            ("normalise", json!({"peak_db": -1, "of": "recording", "max_gain_db": 120})),
            ("segment", json!({"windows": table, "frames": length})),
        ], block);

        let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        let gain = if peak > 0.0 { 10f64.powf(-1.0 / 20.0) / f64::from(peak) } else { 1.0 };
        let mut inside: Vec<usize> = starts.iter().copied().filter(|start| start + length <= frames).collect();
        inside.sort_unstable();
        prop_assert_eq!(streamed.clips.len(), inside.len());
        prop_assert_eq!(streamed.step.is_ok(), !inside.is_empty());
        for ((start, clip), expected) in streamed.clips.iter().zip(inside) {
            prop_assert_eq!((*start, clip.len()), (expected as u64, length));
            for (found, sample) in clip.iter().zip(&samples[expected..]) {
                prop_assert!((f64::from(*found) - f64::from(*sample) * gain).abs() < 1e-6);
            }
        }
    }
}
