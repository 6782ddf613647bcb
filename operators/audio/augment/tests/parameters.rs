use schemars::generate::SchemaSettings;

use super::*;

/// What a parameter takes, beside two values that differ.
enum Takes {
    /// [low, high] within limits.
    Range(f64, f64),
    /// A number within limits.
    Number(f64, f64),
    /// A choice or a yes: what else there is, is told by its type.
    Choice(Value),
}

use Takes::{Choice, Number, Range as Span};

/// Each step and parameter, what it takes, two values, and parameters beside it.
fn cases() -> Vec<(&'static str, &'static str, Takes, [Value; 2], Value)> {
    let two = |a: f64, b: f64| [json!(a), json!(b)];
    let none = || json!({});
    vec![
        ("gain", "db", Span(-120.0, 120.0), two(1.0, 2.0), none()),
        ("noise", "colour", Choice(json!("blue")), [json!("white"), json!("pink")], none()),
        ("noise", "snr_db", Span(-120.0, 120.0), two(1.0, 2.0), none()),
        ("noise", "std_ratio", Span(0.0, 1000.0), two(0.1, 0.2), none()),
        ("background", "snr_db", Span(-120.0, 120.0), two(1.0, 2.0), none()),
        ("low_pass", "rolloff", Span(6.0, 96.0), two(12.0, 24.0), none()),
        ("low_pass", "cutoff", Span(1.0, 192_000.0), two(500.0, 600.0), none()),
        ("high_pass", "rolloff", Span(6.0, 96.0), two(12.0, 24.0), none()),
        ("high_pass", "cutoff", Span(1.0, 192_000.0), two(500.0, 600.0), none()),
        ("band_pass", "rolloff", Span(6.0, 96.0), two(12.0, 24.0), none()),
        ("band_pass", "centre", Span(1.0, 192_000.0), two(500.0, 600.0), none()),
        ("band_pass", "bandwidth_fraction", Span(0.01, 1.99), two(1.0, 1.5), none()),
        ("delay", "milliseconds", Span(0.0, 60_000.0), two(10.0, 20.0), none()),
        ("delay", "interval", Number(0.0, 60_000.0), two(0.0, 125.0), json!({"milliseconds": [0, 125]})),
        ("delay", "volume", Number(0.0, 1.0), two(0.5, 0.6), json!({"milliseconds": [10, 10]})),
        ("time_mask", "part", Span(0.0, 1.0), two(0.1, 0.2), none()),
        ("time_mask", "fade", Number(0.0, 60.0), two(0.0, 0.005), none()),
        ("shift", "fraction", Span(-1.0, 1.0), two(0.1, 0.2), none()),
        ("shift", "rollover", Choice(json!("yes")), [json!(true), json!(false)], none()),
        ("shift", "fade", Number(0.0, 60.0), two(0.0, 0.005), none()),
        ("clipping", "percent", Span(0.0, 100.0), two(10.0, 20.0), none()),
        ("tanh_distortion", "distortion", Span(0.0, 1.0), two(0.1, 0.2), none()),
        ("pitch_shift", "semitones", Span(-24.0, 24.0), two(1.0, 1.01), none()),
        ("time_stretch", "rate", Span(0.1, 10.0), two(1.1, 1.101), none()),
        ("reverb", "reverberance", Span(0.0, 100.0), two(50.0, 60.0), none()),
        ("reverb", "damping", Span(0.0, 100.0), two(50.0, 60.0), none()),
        ("reverb", "room", Span(0.0, 100.0), two(50.0, 60.0), none()),
        ("reverb", "wet", Span(0.0, 10.0), two(1.0, 0.5), none()),
        ("impulse", "mix", Span(0.0, 1.0), two(1.0, 0.5), none()),
    ]
}

/// All steps with the schemas of their parameters.
fn steps() -> Vec<(String, serde_json::Map<String, Value>)> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let root = settings.into_generator().into_root_schema_for::<Augment>().to_value();
    let own: Vec<&String> = root["properties"].as_object().unwrap().keys().collect();
    assert_eq!(own, ["chain", "views"], "a parameter of all steps has no test");
    let mut step = &root["properties"]["chain"]["items"];
    if let Some(reference) = step["$ref"].as_str() {
        step = root.pointer(reference.trim_start_matches('#')).unwrap();
    }
    let choices = step["oneOf"].as_array().unwrap().iter();
    choices
        .map(|choice| {
            let (name, schema) = choice["properties"].as_object().unwrap().iter().next().unwrap();
            let schema = match schema["$ref"].as_str() {
                Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
                None => schema,
            };
            (name.clone(), schema["properties"].as_object().unwrap().clone())
        })
        .collect()
}

/// Not silent, not the same backwards, and growing.
fn growing() -> Block {
    let samples = tone(440.0).samples()[..2000].to_vec();
    Block::planar(1, samples.iter().enumerate().map(|(at, s)| s * (at as f32 / 2000.0)).collect())
}

/// The parameter that is refused, by the check or by its type.
fn refused(step: Value) -> Option<String> {
    match serde_json::from_value::<Augment>(json!({"chain": [step]})) {
        Ok(augment) => wrong(&augment),
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn no_parameter_is_ignored_and_ranges_are_enforced() {
    let cases = cases();
    for (step, parameters) in steps() {
        for (parameter, schema) in parameters {
            if parameter == "p" || parameter == "of" {
                continue;
            }
            let case = cases.iter().find(|(of, name, ..)| *of == step && *name == parameter);
            let Some((_, _, takes, values, beside)) = case else {
                panic!("{step}.{parameter} has no case");
            };
            let with = |value: &Value| {
                let mut parameters = beside.clone();
                (parameters["p"], parameters[&parameter]) = (json!(1), value.clone());
                json!({&step: parameters})
            };
            let given = |value: &Value| match takes {
                Span(..) => json!([value, value]),
                _ => value.clone(),
            };
            let out = |value: &Value| apply(with(&given(value)), &growing(), "a");
            assert!(out(&values[0]) != out(&values[1]), "{step}.{parameter}: nothing depends on it");
            let at = format!("chain.0.{step}.{parameter}");
            match takes {
                Span(low, high) => {
                    assert_eq!(refused(with(&json!([low, high]))), None, "{at}");
                    for bad in [[low - 0.001, *high], [*low, high + 0.001], [*high, *low]] {
                        assert_eq!(refused(with(&json!(bad))), Some(at.clone()), "{bad:?}");
                    }
                }
                Number(low, high) => {
                    assert_eq!(
                        (&schema["minimum"], &schema["maximum"]),
                        (&json!(*low as u64), &json!(*high as u64)),
                        "{at}"
                    );
                    for good in [low, high] {
                        assert_eq!(refused(with(&json!(good))), None, "{at}");
                    }
                    for bad in [low - 0.001, high + 0.001] {
                        assert_eq!(refused(with(&json!(bad))), Some(at.clone()), "{bad}");
                    }
                }
                Choice(bad) => assert!(refused(with(bad)).is_some(), "{at}"),
            }
        }
    }
}

#[test]
fn every_step_has_a_probability_and_notes_what_it_draws() {
    for (step, parameters) in steps() {
        assert!(parameters.contains_key("p"));
        if parameters.contains_key("of") {
            continue;
        }
        let (same, drawn) =
            applied(RATE, json!([{&step: {"p": 0}}]), &growing(), "a", &mut side(RATE)).unwrap();
        assert!(same == growing() && !drawn.is_empty() && drawn.iter().all(Option::is_none), "{step}");
        let (_, drawn) = applied(RATE, json!([{&step: {"p": 1}}]), &growing(), "a", &mut side(RATE)).unwrap();
        assert!(drawn.iter().all(|number| number.is_some_and(f64::is_finite)), "{step}: {drawn:?}");
        for bad in [-0.1, 1.5] {
            assert_eq!(refused(json!({&step: {"p": bad}})), Some(format!("chain.0.{step}.p")));
        }
    }
}

#[test]
fn no_step_depends_on_the_blocks_in_which_a_clip_comes() {
    let stereo = Block::planar(2, [growing().samples(), noise("other", 1, 2000).samples()].concat());
    for (step, parameters) in steps() {
        if parameters.contains_key("of") {
            continue;
        }
        for key in ["a", "b"] {
            // What stands behind it gets what it leaves.
            let chain =
                json!([{&step: {"p": 1}}, {"gain": {"p": 1}}, {"reverse": {"p": 1}}, {"delay": {"p": 1}}]);
            let whole = applied(RATE, chain.clone(), &stereo, key, &mut side(RATE)).unwrap();
            for length in [1, 7, 640, 1999] {
                let mut clip = Clip::default();
                let parts = (0..2000).step_by(length).map(|from| (from, 2000.min(from + length)));
                parts.for_each(|(from, to)| clip.push(&mut stereo.slice(from, to)));
                let found = applied_to(clip, RATE, chain.clone(), key, &mut side(RATE)).unwrap();
                assert!(found == whole, "{step} in blocks of {length}");
            }
        }
    }
}

#[test]
fn what_is_put_together_is_checked_where_it_stands() {
    for (steps, at) in [
        (json!([]), "chain"),
        (json!([{"one_of": {"of": []}}]), "chain.0.one_of.of"),
        (json!([{"one_of": {"p": -1, "of": [{"gain": {}}]}}]), "chain.0.one_of.p"),
        (json!([{"apply": {"p": 2, "of": [{"gain": {}}]}}]), "chain.0.apply.p"),
        (
            json!([{"one_of": {"of": [{"gain": {}}, {"gain": {"db": [1, 0]}}]}}]),
            "chain.0.one_of.of.1.gain.db",
        ),
        (json!([{"low_pass": {"rolloff": [12, 20]}}]), "chain.0.low_pass.rolloff"),
        (json!([{"noise": {"snr_db": [1, 2], "std_ratio": [1, 2]}}]), "chain.0.noise.std_ratio"),
    ] {
        assert_eq!(wrong(&operator::<Augment>(json!({"chain": steps}))).as_deref(), Some(at));
    }
    let none: Augment = operator(json!({"chain": [{"gain": {}}], "views": []}));
    assert_eq!(wrong(&none).as_deref(), Some("views"));
}
