use etude_pipeline::flow::{SignalType, Unit};

use super::*;

fn with(sounds: Vec<(u32, Block)>) -> Side {
    Side { background: Some(Box::new(Memory(sounds))), impulses: None }
}

fn mixed(clip: &Block, key: &str, sounds: Vec<(u32, Block)>) -> Result<(Block, Vec<Option<f64>>), Stop> {
    applied(RATE, json!([{"background": {"p": 1}}]), clip, key, &mut with(sounds))
}

#[test]
fn it_has_the_ratio_and_comes_from_where_is_noted() {
    let clip = tone(440.0);
    let sounds =
        vec![(RATE, noise("a", 1, 50_000)), (RATE, noise("b", 1, 16_000)), (RATE, noise("c", 1, 999))];
    let mut seen = [0; 3];
    for key in 0..60 {
        let (found, noted) = mixed(&clip, &key.to_string(), sounds.clone()).unwrap();
        let [snr, row, start] = [0, 1, 2].map(|at| noted[at].unwrap());
        let added = difference(&found, &clip);
        let ratio = db(rms(&clip) / rms(&added));
        assert!((3.0..30.0).contains(&snr) && (ratio - snr).abs() < 0.01, "{ratio} dB instead of {snr}");
        seen[row as usize] += 1;
        let background = sounds[row as usize].1.samples();
        let start = (start * f64::from(RATE)).round() as usize;
        // A short one goes round; of a long one the part is within it.
        let part = |at: usize| background[(start + at) % background.len()];
        assert!(background.len() < clip.frames() || start + clip.frames() <= background.len());
        let factor = rms(&added)
            / (0..clip.frames()).map(|at| f64::from(part(at)).powi(2)).sum::<f64>().sqrt()
            * (clip.frames() as f64).sqrt();
        for at in 0..clip.frames() {
            assert!((f64::from(added.samples()[at]) - factor * f64::from(part(at))).abs() < 1e-6);
        }
    }
    assert!(seen.iter().all(|count| *count >= 10), "{seen:?}");
}

#[test]
fn channels_are_taken_each_or_one_for_all() {
    let clip = Block::planar(2, [tone(440.0).samples(), tone(220.0).samples()].concat());
    let stereo = noise("a", 2, 16_000);
    let (found, _) = mixed(&clip, "a", vec![(RATE, stereo.clone())]).unwrap();
    let added = difference(&found, &clip);
    let factor = added.samples()[0] / stereo.samples()[0];
    let off = added.samples().iter().zip(stereo.samples()).map(|(a, b)| (a - factor * b).abs());
    assert!(off.fold(0.0, f32::max) < 1e-5);
    let (found, _) = mixed(&clip, "a", vec![(RATE, noise("a", 1, 16_000))]).unwrap();
    let added = difference(&found, &clip);
    let apart = added.channel(0).iter().zip(added.channel(1)).map(|(a, b)| (a - b).abs());
    assert!(apart.fold(0.0, f32::max) < 1e-6);
}

#[test]
fn silence_is_left_alone() {
    let silent = Block::zeros(1, 1000);
    for (clip, sound) in [(&silent, noise("a", 1, 2000)), (&tone(440.0), silent.clone())] {
        let (found, noted) = mixed(clip, "a", vec![(RATE, sound)]).unwrap();
        assert!(found == *clip && noted == [None; 3]);
    }
}

#[test]
fn another_rate_or_other_channels_stop_the_run() {
    let message = |sound: (u32, Block)| match mixed(&tone(440.0), "a", vec![sound]) {
        Err(Stop::Transient { message }) => message,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        message((8000, noise("a", 1, 100))),
        "clips at `background` have 8000 Hz, and these 16000 Hz: put `op: resample` above its shards"
    );
    assert_eq!(
        message((RATE, noise("a", 2, 100))),
        "clips at `background` have 2 channels, and these 1: decode them with `channels: mono`"
    );
}

#[test]
fn a_step_needs_its_stage_and_a_stage_its_step() {
    let clips =
        |rate: u32, channels: u16| Flow::Signal(SignalType::audio(Some(rate), Some(channels), Unit::Clip));
    let recordings = Flow::Signal(SignalType::audio(Some(RATE), Some(1), Unit::Recording));
    let output = |chain: Value, port: &'static str, flow: Option<&Flow>| {
        let from = clips(RATE, 1);
        let inputs = Inputs(vec![("from", vec![&from]), (port, flow.into_iter().collect())]);
        let augment: Augment = operator(json!({"chain": chain}));
        match augment.output_named(&inputs, &Names::default()) {
            Ok(_) => (String::new(), String::new()),
            Err(Invalid { parameter, message }) => (parameter, message),
        }
    };
    for (step, port) in [("background", "background"), ("impulse", "impulses")] {
        let chain = json!([{"gain": {}}, {"one_of": {"of": [{step: {}}, {"polarity": {}}]}}]);
        let right = clips(RATE, 1);
        assert_eq!(output(chain.clone(), port, Some(&right)), (String::new(), String::new()));
        let (parameter, message) = output(chain.clone(), port, None);
        assert_eq!(parameter, format!("chain.1.one_of.of.0.{step}"));
        assert_eq!(
            message,
            format!(
                "`{step}` takes clips of another stage: name one that `op: shards` keeps, `{port}: STAGE`"
            )
        );
        let (parameter, message) = output(json!([{"gain": {}}]), port, Some(&right));
        assert!(parameter == port && message.contains("no step that takes its clips"), "{message}");
        for (flow, expected) in [
            (&clips(8000, 1), "8000 Hz, and these 16000 Hz"),
            (&clips(RATE, 2), "2 channels, and these 1"),
            (&recordings, "expects clips that `op: shards` keeps, not recordings"),
            (&Flow::Items, "not items"),
        ] {
            let (parameter, message) = output(chain.clone(), port, Some(flow));
            assert!(parameter == port && message.contains(expected), "{message}");
        }
    }
}
