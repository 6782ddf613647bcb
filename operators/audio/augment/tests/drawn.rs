use etude_pipeline::flow::{SignalType, Unit};

use super::*;

fn names(chain: Value) -> Vec<String> {
    let augment: Augment = operator(json!({"chain": chain}));
    let signal = crate::harness::output(&augment, Unit::Clip, Some(RATE)).unwrap();
    signal.drawn.iter().map(|name| name.to_string()).collect()
}

fn drawn(chain: Value, key: &str) -> Vec<Option<f64>> {
    applied(RATE, chain, &tone(440.0), key, &mut side(RATE)).unwrap().1
}

#[test]
fn columns_are_named_after_steps_and_numbers() {
    let chain = json!([
        {"gain": {"p": 1}},
        {"noise": {"p": 1, "std_ratio": [0.1, 0.2]}},
        {"one_of": {"p": 1, "of": [{"noise": {}}, {"apply": {"of": [{"polarity": {}}, {"gain": {}}]}}]}},
        {"band_pass": {"p": 1, "centre": [100, 200]}},
        {"shift": {"p": 1}},
    ]);
    let expected = [
        "gain_db",
        "noise_std_ratio",
        "noise_snr_db",
        "polarity_applied",
        "gain_db_2",
        "band_pass_centre_hz",
        "band_pass_bandwidth_fraction",
        "band_pass_rolloff_db",
        "shift_seconds",
    ];
    assert_eq!(names(chain.clone()), expected);
    assert_eq!(drawn(chain, "a").len(), expected.len());
}

#[test]
fn what_is_noted_is_what_was_done() {
    let clip = tone(440.0);
    let (found, noted) = applied(RATE, json!([{"gain": {"p": 1}}]), &clip, "a", &mut side(RATE)).unwrap();
    assert!((noted[0].unwrap() - db(rms(&found) / rms(&clip))).abs() < 1e-4);
    let (found, noted) = applied(RATE, json!([{"noise": {"p": 1}}]), &clip, "a", &mut side(RATE)).unwrap();
    assert!((noted[0].unwrap() - db(rms(&clip) / rms(&difference(&found, &clip)))).abs() < 0.2);
    let ones = Block::planar(1, vec![1.0; RATE as usize]);
    let step = json!([{"time_mask": {"p": 1, "fade": 0}}]);
    let (found, noted) = applied(RATE, step, &ones, "a", &mut side(RATE)).unwrap();
    let [start, seconds] = [0, 1].map(|at| (noted[at].unwrap() * f64::from(RATE)).round() as usize);
    assert!(seconds > 0 && found.samples()[start..start + seconds].iter().all(|sample| *sample == 0.0));
    assert_eq!(found.samples().iter().filter(|sample| **sample == 0.0).count(), seconds);
    let ramp = Block::planar(1, (0..RATE).map(|at| at as f32).collect());
    let (found, noted) =
        applied(RATE, json!([{"shift": {"p": 1, "fade": 0}}]), &ramp, "a", &mut side(RATE)).unwrap();
    let by = (noted[0].unwrap() * f64::from(RATE)).round() as i64;
    assert_eq!(found.samples()[by.rem_euclid(i64::from(RATE)) as usize], 0.0);
    let mut click = Block::zeros(1, RATE as usize);
    click.samples_mut()[0] = 1.0;
    let (found, noted) = applied(RATE, json!([{"delay": {"p": 1}}]), &click, "a", &mut side(RATE)).unwrap();
    let late = found.samples().iter().rposition(|sample| *sample != 0.0).unwrap();
    assert_eq!(noted[0].unwrap() / 1000.0 * f64::from(RATE), late as f64);
}

#[test]
fn what_is_noted_does_the_same_once_more() {
    let steps: [(&str, &[&str]); 13] = [
        ("gain", &["db"]),
        ("noise", &["snr_db"]),
        ("background", &["snr_db"]),
        ("low_pass", &["cutoff", "rolloff"]),
        ("high_pass", &["cutoff", "rolloff"]),
        ("band_pass", &["centre", "bandwidth_fraction", "rolloff"]),
        ("delay", &["milliseconds"]),
        ("clipping", &["percent"]),
        ("tanh_distortion", &["distortion"]),
        ("pitch_shift", &["semitones"]),
        ("time_stretch", &["rate"]),
        ("reverb", &["reverberance", "damping", "room", "wet"]),
        ("impulse", &["mix"]),
    ];
    let ranges = |step: &str| match step {
        "impulse" => json!({"p": 1, "mix": [0.2, 0.9]}),
        "reverb" => json!({"p": 1, "wet": [0.5, 2]}),
        "low_pass" | "high_pass" | "band_pass" => json!({"p": 1, "rolloff": [12, 96]}),
        _ => json!({"p": 1}),
    };
    for (step, parameters) in steps {
        let once = |given: &Value, key: &str| {
            applied(RATE, json!([{step: given}]), &tone(440.0), key, &mut side(RATE)).unwrap()
        };
        let (found, noted) = once(&ranges(step), "a");
        let (_, other) = once(&ranges(step), "b");
        let mut given = ranges(step);
        for (at, parameter) in parameters.iter().enumerate() {
            assert_ne!(noted[at], other[at], "{step}.{parameter} is not drawn");
            given[*parameter] = json!([noted[at], noted[at]]);
        }
        assert!(once(&given, "a").0 == found, "{step}: {noted:?} is not what was done");
    }
}

#[test]
fn of_one_of_several_the_others_note_nothing() {
    let chain = json!([{"one_of": {"p": 0.8, "of": [
        {"gain": {}},
        {"apply": {"of": [{"polarity": {"p": 1}}, {"reverse": {"p": 1}}]}},
        {"shift": {}},
    ]}}, {"gain": {"p": 1}}]);
    let mut seen = std::collections::BTreeSet::new();
    for key in 0..100 {
        let there: Vec<bool> = drawn(chain.clone(), &key.to_string()).iter().map(Option::is_some).collect();
        seen.insert(there);
    }
    let expected = [
        [false, false, false, false, true],
        [false, false, false, true, true],
        [false, true, true, false, true],
        [true, false, false, false, true],
    ];
    assert!(seen.iter().map(Vec::as_slice).eq(expected.iter().map(|places| places.as_slice())), "{seen:?}");
}

/// A signal that has drawn something before.
fn seen(view: u32) -> (Header, Block) {
    let (header, block) = clip(0, &tone(440.0).samples()[..500]);
    (Header { view, drawn: vec![("gain_db".into(), Some(7.0))], ..header }, block)
}

/// The numbers of a header, whose names are those that are said before.
fn numbers(header: &Header, names: &[&str]) -> Vec<Option<f64>> {
    assert!(header.drawn.iter().map(|(name, _)| &**name).eq(names.iter().copied()));
    header.drawn.iter().map(|(_, number)| *number).collect()
}

#[test]
fn numbers_are_put_behind_those_that_are_there() {
    let augment: Augment = operator(json!({"chain": [{"gain": {"p": 0.5}}, {"polarity": {"p": 1}}]}));
    let outcome = run(&augment, &[seen(0), seen(1), seen(2), seen(3)]);
    let mut gains = 0;
    for (header, planes) in &outcome.signals {
        let numbers = numbers(header, &["gain_db", "gain_db_2", "polarity_applied"]);
        let [Some(7.0), gain, Some(1.0)] = numbers[..] else { panic!("{numbers:?}") };
        let expected = -tone(440.0).samples()[100] * 10f32.powf(gain.unwrap_or(0.0) as f32 / 20.0);
        assert!((planes[0][100] - expected).abs() < 1e-6);
        gains += usize::from(gain.is_some());
    }
    assert!((1..4).contains(&gains), "a step that sometimes applies: {gains}");
}

#[test]
fn only_the_views_that_are_named_are_changed() {
    let with = |views: Value| -> Augment {
        operator(json!({"chain": [{"gain": {"p": 1}}, {"reverse": {"p": 0.5}}], "views": views}))
    };
    let signals = [seen(0), seen(1), seen(2)];
    let all: Augment = operator(json!({"chain": [{"gain": {"p": 1}}, {"reverse": {"p": 0.5}}]}));
    let (all, some) = (run(&all, &signals), run(&with(json!([1, 2])), &signals));
    // A view that is changed is changed as if all were.
    assert_eq!(some.signals[1..], all.signals[1..]);
    assert_ne!(some.signals[0], all.signals[0]);
    let (header, planes) = &some.signals[0];
    assert_eq!(numbers(header, &["gain_db", "gain_db_2", "reverse_applied"]), [Some(7.0), None, None]);
    assert_eq!(planes[0], tone(440.0).samples()[..500]);

    let output = |views: u32| {
        let signal = SignalType { views, ..SignalType::audio(Some(RATE), Some(1), Unit::Clip) };
        with(json!([1, 2]))
            .output_named(&Inputs(vec![("from", vec![&Flow::Signal(signal)])]), &Names::default())
    };
    assert!(output(3).is_ok());
    let wrong = output(2).unwrap_err();
    assert!(wrong.parameter == "views" && wrong.message.contains("no view 2"), "{}", wrong.message);
}
