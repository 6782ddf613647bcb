//! What is drawn depends on (seed, stage, item, start, epoch, view) alone: for every operator that draws.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by ending")]

use std::sync::Arc;

use etude_audio::OPERATORS;
use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Body, Context, Link, Map, Operator, Output, Step, Table};
use serde_json::{Value, json};

static TABLE: Table = Table::new(&[OPERATORS]);

/// Every operator that draws and needs no other stage, with parameters under which it always changes something.
fn drawing() -> Vec<(&'static str, Value)> {
    let steps = [
        json!({"gain": {"p": 1}}),
        json!({"polarity": {"p": 0.5}}),
        json!({"noise": {"p": 1}}),
        json!({"low_pass": {"p": 1, "cutoff": [300, 900]}}),
        json!({"high_pass": {"p": 1, "cutoff": [300, 900]}}),
        json!({"band_pass": {"p": 1}}),
        json!({"delay": {"p": 1}}),
        json!({"reverse": {"p": 0.5}}),
        json!({"time_mask": {"p": 1}}),
        json!({"shift": {"p": 1}}),
        json!({"clipping": {"p": 1}}),
        json!({"tanh_distortion": {"p": 1}}),
        json!({"pitch_shift": {"p": 1}}),
        json!({"time_stretch": {"p": 1}}),
        json!({"reverb": {"p": 1}}),
    ];
    let mut drawing: Vec<(&str, Value)> =
        steps.into_iter().map(|step| ("augment", json!({"chain": [step]}))).collect();
    drawing.push(("crop", json!({"seconds": 0.2, "views": 2})));
    drawing.push((
        "neighbours",
        json!({
            "seconds": 0.1, "anchors": 2, "positives": 2, "negatives": 2,
            "bands": [{"positive": [0.1, 0.2], "negative": [0.2, 0.4]}],
        }),
    ));
    drawing.push(("mask", json!({"pattern": {"spans": {"p": 0.01, "length": 50}}})));
    drawing.push(("axis_shift", json!({"axis": "time", "by": [-40, 40], "edge": "zero"})));
    drawing.push(("spec_augment", json!({})));
    drawing.push(("drop_tokens", json!({"ratio": 0.5})));
    drawing.push(("bert_mask", json!({})));
    drawing
}

fn operator(name: &str, parameters: &Value) -> Box<dyn Operator> {
    let declaration = TABLE.get(name).unwrap_or_else(|| panic!("there is no operator {name}"));
    let (stage, parameters) = (name.to_owned(), parameters.clone());
    let (operator, version) = (name.to_owned(), declaration.version);
    TABLE.restore(&Link { stage, operator, version, parameters, sides: Vec::new() }).unwrap()
}

#[derive(Default, PartialEq, Debug, Clone)]
struct Given(Vec<(Header, Vec<f32>)>);

impl Output for Given {
    fn begin(&mut self, header: &Header) -> Step {
        self.0.push((header.clone(), Vec::new()));
        Ok(())
    }

    fn block(&mut self, block: Block) -> Step {
        self.0.last_mut().unwrap().1.extend_from_slice(block.samples());
        Ok(())
    }

    fn end(&mut self) -> Step {
        Ok(())
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}

/// A clip of a second at 2 kHz that changes all the time.
fn clip() -> Vec<f32> {
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 24) as f32 - 0.5
    };
    (0..2000).map(|i| 0.5 * (0.3 * i as f32).sin() + 0.3 * noise()).collect()
}

struct Key<'a> {
    seed: u64,
    stage: &'a str,
    epoch: u64,
    item: &'a str,
    start: u64,
    view: u32,
}

const KEY: Key<'_> = Key { seed: 1, stage: "views", epoch: 0, item: "a.wav", start: 0, view: 0 };

fn map(operator: &dyn Operator, key: &Key<'_>) -> Box<dyn Map> {
    let Body::Map(make) = operator.body() else { panic!("it maps signals") };
    make(Context {
        seed: key.seed,
        stage: Arc::from(key.stage),
        epoch: key.epoch,
        block: 256,
        cancel: Default::default(),
        sides: Default::default(),
    })
}

fn send(map: &mut dyn Map, key: &Key<'_>) -> Given {
    let samples = clip();
    let mut header = Header::audio(Arc::from(key.item), key.start, 2000, 1, Some(samples.len() as u64));
    header.view = key.view;
    let mut given = Given::default();
    map.begin(&header, &mut given).unwrap();
    for part in samples.chunks(300) {
        map.block(Block::planar(1, part.to_vec()), &mut given).unwrap();
    }
    map.end(&mut given).unwrap();
    given
}

/// What a key gives, on an instance of its own.
fn fresh(operator: &dyn Operator, key: &Key<'_>) -> Vec<Vec<f32>> {
    send(map(operator, key).as_mut(), key).0.into_iter().map(|(_, samples)| samples).collect()
}

#[test]
fn all_that_draw_are_here() {
    let tested: Vec<&str> = drawing().iter().map(|(name, _)| *name).collect();
    for declaration in TABLE.iter() {
        let name = declaration.name;
        // Parameters that an operator has to be given are in the list.
        let defaults =
            drawing().into_iter().find(|(known, _)| *known == name).map(|(_, parameters)| parameters);
        let draws = defaults.is_some_and(|parameters| operator(name, &parameters).random());
        assert_eq!(draws, tested.contains(&name), "{name}");
    }
}

#[test]
fn the_same_key_gives_the_same_and_any_other_something_else() {
    for (name, parameters) in drawing() {
        let what = format!("{name} {parameters}");
        let operator = operator(name, &parameters);
        let first = fresh(operator.as_ref(), &KEY);
        assert_eq!(first, fresh(operator.as_ref(), &KEY), "{what}");
        // Something that is on or off is the same for some other keys: not for all of 20.
        let others = |key: &dyn Fn(u64) -> Key<'static>| {
            (1..=20).any(|number| fresh(operator.as_ref(), &key(number)) != first)
        };
        assert!(others(&|seed| Key { seed: seed + 1, ..KEY }), "{what}: the seed");
        assert!(others(&|epoch| Key { epoch, ..KEY }), "{what}: the epoch");
        assert!(others(&|start| Key { start, ..KEY }), "{what}: the start");
        assert!(others(&|view| Key { view: view as u32, ..KEY }), "{what}: the view");
        const NAMES: [&str; 21] = [
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17",
            "18", "19", "20",
        ];
        assert!(others(&|number| Key { stage: NAMES[number as usize], ..KEY }), "{what}: the stage");
        assert!(others(&|number| Key { item: NAMES[number as usize], ..KEY }), "{what}: the item");
    }
}

#[test]
fn what_came_before_leaves_no_trace() {
    for (name, parameters) in drawing() {
        let operator = operator(name, &parameters);
        let alone = send(map(operator.as_ref(), &KEY).as_mut(), &KEY);
        let mut used = map(operator.as_ref(), &KEY);
        for (number, item) in ["x", "y", "z"].into_iter().enumerate() {
            send(used.as_mut(), &Key { item, start: number as u64, view: number as u32, ..KEY });
        }
        assert_eq!(send(used.as_mut(), &KEY), alone, "{name} {parameters}");
    }
}

/// The numbers that a stage draws for so many clips, as gains.
fn gains(stage: &str, epoch: u64) -> Vec<f64> {
    let operator = operator("augment", &json!({"chain": [{"gain": {"p": 1, "db": [-20, 20]}}]}));
    let mut map = map(operator.as_ref(), &Key { stage, epoch, ..KEY });
    let gain = |start: u64| {
        let given = send(map.as_mut(), &Key { start, ..KEY });
        20.0 * f64::from(given.0[0].1[1] / clip()[1]).log10()
    };
    (0..500).map(gain).collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (a_mean, b_mean) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        a.iter().zip(b).map(|(a, b)| f(a - a_mean, b - b_mean)).sum()
    };
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

#[test]
fn stages_and_epochs_do_not_correlate() {
    let first = gains("views", 0);
    assert!((correlation(&first, &gains("views", 0)) - 1.0).abs() < 1e-9);
    // Of 500 unrelated pairs the correlation is below 0.15 but once in a thousand times.
    for (stage, epoch) in [("views2", 0), ("other", 0), ("views", 1), ("views", 2), ("views", 1000)] {
        let found = correlation(&first, &gains(stage, epoch));
        assert!(found.abs() < 0.15, "{stage} {epoch}: {found}");
    }
    // Nor does a clip's gain tell the next one's.
    let found = correlation(&first[1..], &first[..499]);
    assert!(found.abs() < 0.15, "{found}");
}
