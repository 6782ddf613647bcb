//! What is drawn depends on (seed, stage, item, start, epoch, view) alone: for every operator that draws.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by ending")]

use std::sync::{Arc, LazyLock};

use etude_audio::OPERATORS;
use etude_pipeline::flow::{Block, Flow, Header, SignalType, Unit};
use etude_pipeline::operator::{
    Body, Context, DatasetInput, Link, Map, Operator, Output, SignalInput, Step, Table,
};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};
use tempfile::TempDir;

static TABLE: Table = Table::new(&[OPERATORS]);

/// Three clips of noise in a shard, which operators read besides, and the folder that it is in.
static NOISES: LazyLock<(TempDir, DatasetInput)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noises.parquet");
    let shards = operator("shards", &json!({"codec": "f32"}));
    let Body::Sink(sink) = shards.body() else { panic!("it keeps clips") };
    let signal = SignalType::audio(Some(2000), Some(1), Unit::Clip);
    // A page a row, as the store has it.
    let properties = WriterProperties::builder().set_dictionary_enabled(false).set_write_batch_size(1);
    let properties = properties.set_data_page_row_count_limit(1).build();
    let file = std::fs::File::create(&path).unwrap();
    let schema = sink.schema(&Flow::Signal(signal.clone()));
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).unwrap();
    let mut rows = sink.rows(context(&KEY, &[]));
    for number in 0..3u64 {
        let samples: Vec<f32> = clip().into_iter().skip(number as usize * 100).take(1500).collect();
        let frames = Some(samples.len() as u64);
        rows.begin(&Header::audio("noise.wav".into(), number * 1500, 2000, 1, frames)).unwrap();
        rows.block(&mut Block::planar(1, samples)).unwrap();
        writer.write(&rows.end(&mut Vec::new()).unwrap().unwrap()).unwrap();
    }
    writer.close().unwrap();
    let input = SignalInput {
        stage: "noises".into(),
        shards: vec![path],
        bytes: Vec::new(),
        elsewhere: false,
        items: vec![(0, 0, 3)],
        views: 1,
        signal: Box::new(signal),
        store: link("shards", &json!({"codec": "f32"})),
        chain: Vec::new(),
    };
    (folder, DatasetInput::Signal(input))
});

/// What an operator reads besides: its steps say at which port.
fn sides(parameters: &Value) -> Vec<(String, Vec<DatasetInput>)> {
    let step = &parameters["chain"][0];
    let port = ["background", "impulse"].into_iter().find(|name| step.get(name).is_some());
    let name = |step: &str| if step == "impulse" { "impulses".to_owned() } else { step.to_owned() };
    port.map(|step| (name(step), vec![NOISES.1.clone()])).into_iter().collect()
}

/// Every operator that draws, with parameters under which it always changes something.
fn drawing() -> Vec<(&'static str, Value)> {
    let steps = [
        json!({"gain": {"p": 1}}),
        json!({"polarity": {"p": 0.5}}),
        json!({"noise": {"p": 1}}),
        json!({"low_pass": {"p": 1, "cutoff": [300, 900]}}),
        json!({"high_pass": {"p": 1, "cutoff": [300, 900]}}),
        json!({"band_pass": {"p": 1, "centre": [200, 400]}}),
        json!({"delay": {"p": 1}}),
        json!({"reverse": {"p": 0.5}}),
        json!({"time_mask": {"p": 1}}),
        json!({"shift": {"p": 1}}),
        json!({"clipping": {"p": 1}}),
        json!({"tanh_distortion": {"p": 1}}),
        json!({"pitch_shift": {"p": 1}}),
        json!({"time_stretch": {"p": 1}}),
        json!({"reverb": {"p": 1}}),
        json!({"background": {"p": 1}}),
        json!({"impulse": {"p": 1}}),
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

fn link(name: &str, parameters: &Value) -> Link {
    let declaration = TABLE.get(name).unwrap_or_else(|| panic!("there is no operator {name}"));
    let (stage, parameters) = (name.to_owned(), parameters.clone());
    let (operator, version) = (name.to_owned(), declaration.version);
    Link { stage, operator, version, parameters, sides: Vec::new() }
}

fn operator(name: &str, parameters: &Value) -> Box<dyn Operator> {
    TABLE.restore(&link(name, parameters)).unwrap()
}

#[derive(Default, PartialEq, Debug, Clone)]
struct Given(Vec<(Header, Vec<f32>)>);

impl Output for Given {
    fn begin(&mut self, header: &Header) -> Step {
        self.0.push((header.clone(), Vec::new()));
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
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

fn context(key: &Key<'_>, sides: &[(String, Vec<DatasetInput>)]) -> Context {
    Context {
        seed: key.seed,
        stage: Arc::from(key.stage),
        epoch: key.epoch,
        block: 256,
        cancel: Default::default(),
        sides: sides.into(),
    }
}

fn map(operator: &dyn Operator, parameters: &Value, key: &Key<'_>) -> Box<dyn Map> {
    let Body::Map(make) = operator.body() else { panic!("it maps signals") };
    make(context(key, &sides(parameters)))
}

fn send(map: &mut dyn Map, key: &Key<'_>) -> Given {
    let samples = clip();
    let mut header = Header::audio(Arc::from(key.item), key.start, 2000, 1, Some(samples.len() as u64));
    header.view = key.view;
    let mut given = Given::default();
    map.begin(&header, &mut given).unwrap();
    for part in samples.chunks(300) {
        map.block(&mut Block::planar(1, part.to_vec()), &mut given).unwrap();
    }
    map.end(&mut given).unwrap();
    given
}

/// What a key gives, on an instance of its own.
fn fresh(operator: &dyn Operator, parameters: &Value, key: &Key<'_>) -> Vec<Vec<f32>> {
    send(map(operator, parameters, key).as_mut(), key).0.into_iter().map(|(_, samples)| samples).collect()
}

#[test]
fn all_that_draw_are_here() {
    let tested: Vec<&str> = drawing().iter().map(|(name, _)| *name).collect();
    // What others have to be given.
    let needed = |name: &str| match name {
        "scan" => json!({"path": "music"}),
        "sql" => json!({"query": "SELECT item FROM tags"}),
        "render" => json!({"soundfont": "font.sf2"}),
        "resample" => json!({"rate": 16000}),
        "n_grams" | "patchify" => json!({"frames": 4}),
        "standardise" => json!({"over": "clip"}),
        "compress" => json!({"function": {"log": {}}}),
        _ => json!({}),
    };
    // They draw of a whole corpus, and have tests of their own.
    let datasets = ["split", "k_means"];
    for declaration in TABLE.iter() {
        let name = declaration.name;
        if tested.contains(&name) {
            let parameters = drawing().into_iter().find(|(known, _)| *known == name).unwrap().1;
            assert!(operator(name, &parameters).random(), "{name}");
        } else if !datasets.contains(&name) {
            assert!(!operator(name, &needed(name)).random(), "{name} draws, and is not here");
        }
    }
}

#[test]
fn the_same_key_gives_the_same_and_any_other_something_else() {
    for (name, parameters) in drawing() {
        let what = format!("{name} {parameters}");
        let operator = operator(name, &parameters);
        let first = fresh(operator.as_ref(), &parameters, &KEY);
        assert_eq!(first, fresh(operator.as_ref(), &parameters, &KEY), "{what}");
        // Something that is on or off is the same for some other keys: not for all of 20.
        let others = |key: &dyn Fn(u64) -> Key<'static>| {
            (1..=20).any(|number| fresh(operator.as_ref(), &parameters, &key(number)) != first)
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
        let alone = send(map(operator.as_ref(), &parameters, &KEY).as_mut(), &KEY);
        let mut used = map(operator.as_ref(), &parameters, &KEY);
        for (number, item) in ["x", "y", "z"].into_iter().enumerate() {
            send(used.as_mut(), &Key { item, start: number as u64, view: number as u32, ..KEY });
        }
        assert_eq!(send(used.as_mut(), &KEY), alone, "{name} {parameters}");
    }
}

/// The numbers that a stage draws for so many clips, as gains.
fn gains(stage: &str, epoch: u64) -> Vec<f64> {
    let parameters = json!({"chain": [{"gain": {"p": 1, "db": [-20, 20]}}]});
    let operator = operator("augment", &parameters);
    let mut map = map(operator.as_ref(), &parameters, &Key { stage, epoch, ..KEY });
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

/// For each of so many clips what shows what an operator drew: what it says, where views and spans of masks begin, and some
/// of the samples that come out. 0 stands for nothing.
fn numbers(operator: &dyn Operator, parameters: &Value, stage: &str, clips: u64) -> Vec<Vec<f64>> {
    let mut map = map(operator, parameters, &Key { stage, ..KEY });
    let of = |number: u64| {
        let key = Key { start: 10_000 * number, ..KEY };
        let given = send(map.as_mut(), &key);
        let mut numbers = Vec::new();
        for (header, samples) in &given.0 {
            let spans = header.mask.as_ref().map_or(&[][..], |mask| &mask.covered);
            numbers.push((header.start - key.start) as f64);
            numbers.push(spans.iter().map(|(from, to)| (from * from + to) as f64).sum());
            numbers.extend(header.drawn.iter().map(|(_, number)| number.unwrap_or(0.0)));
            numbers.extend([0, samples.len() / 3, samples.len() - 1].map(|at| f64::from(samples[at])));
        }
        numbers
    };
    (0..clips).map(of).collect()
}

#[test]
fn no_operator_draws_alike_in_two_stages() {
    for (name, parameters) in drawing() {
        let operator = operator(name, &parameters);
        let of = |stage: &str| numbers(operator.as_ref(), &parameters, stage, 400);
        let (one, other) = (of("one"), of("other"));
        let mut compared = 0;
        for number in 0..one[0].len() {
            let column = |rows: &[Vec<f64>]| rows.iter().map(|row| row[number]).collect::<Vec<f64>>();
            let (one, other) = (column(&one), column(&other));
            let constant = |column: &[f64]| column.iter().all(|value| *value == column[0]);
            if constant(&one) || constant(&other) {
                continue;
            }
            compared += 1;
            // Five deviations of what 400 unrelated pairs come to.
            let found = correlation(&one, &other);
            assert!(found.abs() < 0.25, "{name} {parameters}, number {number}: {found}");
        }
        assert!(compared > 0, "{name} {parameters} says nothing of what it draws");
    }
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
